#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""How a running task is asked to stop.

A task looks at its token when it can, waits on it instead of sleeping, or
hangs a callback on it that ends what it is blocked in.  Most tokens are never
cancelled and never waited on, so that one costs no more than its slots: the
event is made by the first who waits, and all tokens share one lock, which is
taken only to cancel, to wait and to add a callback.
"""

from __future__ import annotations

from collections.abc import Callable
import logging
import threading

from taskflow_service import exceptions

LOG = logging.getLogger(__name__)

_LOCK = threading.Lock()


class Cancellation:
    """A request to stop, made once and never taken back. Thread-safe."""

    __slots__ = ('_callbacks', '_event', '_reason')

    def __init__(self) -> None:
        self._reason: str | None = None
        self._event: threading.Event | None = None
        self._callbacks: list[Callable[[], object]] | None = None

    def __repr__(self) -> str:
        state = 'not cancelled' if self._reason is None else self._reason
        return f'<Cancellation: {state or "cancelled"}>'

    @property
    def cancelled(self) -> bool:
        """Whether it was asked for."""
        return self._reason is not None

    @property
    def reason(self) -> str | None:
        """Why it was asked for; None as long as it was not."""
        return self._reason

    def cancel(self, reason: str = '') -> bool:
        """Ask for it; return False if that was done before.

        Runs the callbacks in this thread.  The first reason stands.
        """
        with _LOCK:
            if self._reason is not None:
                return False
            self._reason = reason
            event = self._event
            callbacks = self._callbacks or ()
            self._callbacks = None
        if event is not None:
            event.set()
        for callback in callbacks:
            _call(callback)
        return True

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is asked for, or for so many seconds.

        Returns whether it was asked for.  Instead of ``time.sleep(n)`` a
        task does ``if token.wait(n): ...``.
        """
        with _LOCK:
            if self._reason is not None:
                return True
            if self._event is None:
                self._event = threading.Event()
            event = self._event
        return event.wait(timeout)

    def raise_if_cancelled(self) -> None:
        """Raise Cancelled if it was asked for."""
        reason = self._reason
        if reason is not None:
            raise exceptions.Cancelled(
                f'Cancelled: {reason}' if reason else 'Cancelled',
                reason=reason,
            )

    def add_callback(self, callback: Callable[[], object]) -> None:
        """Have it called, without arguments, once it is asked for.

        It runs in the thread that cancels, or now if that was done already;
        what it raises is logged.
        """
        with _LOCK:
            if self._reason is None:
                if self._callbacks is None:
                    self._callbacks = []
                self._callbacks.append(callback)
                return
        _call(callback)

    def remove_callback(self, callback: Callable[[], object]) -> None:
        """Take a callback back; one that is not there is no error."""
        with _LOCK:
            if self._callbacks and callback in self._callbacks:
                self._callbacks.remove(callback)


def _call(callback: Callable[[], object]) -> None:
    try:
        callback()
    except Exception:
        LOG.exception('Callback %r of a cancellation failed', callback)
