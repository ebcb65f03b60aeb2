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

"""TaskFlow's small helpers around threads."""

from __future__ import annotations

from collections.abc import Callable
import os
import threading
import typing

get_ident = threading.get_ident


def is_alive(thread: threading.Thread | None) -> bool:
    """Tell whether there is a thread, and it runs."""
    return thread is not None and thread.is_alive()


def get_optimal_thread_count(default: int = 2) -> int:
    """Return one more than there are processors, or the default."""
    processors = os.cpu_count()
    return default if processors is None else processors + 1


def daemon_thread(
    target: Callable[..., object], *args: typing.Any, **kwargs: typing.Any
) -> threading.Thread:
    """Make a thread that does not keep the process alive."""
    return threading.Thread(
        target=target, args=args, kwargs=kwargs, daemon=True
    )


def no_op(*args: typing.Any, **kwargs: typing.Any) -> None:
    """Do nothing."""


_Hook = Callable[[threading.Thread], object]


class _Bound(typing.NamedTuple):
    make: Callable[[], threading.Thread]
    before_start: _Hook
    after_start: _Hook
    before_join: _Hook
    after_join: _Hook


class ThreadBundle:
    """Threads that are started and stopped together."""

    def __init__(self) -> None:
        self._bound: list[_Bound] = []
        self._started: list[tuple[_Bound, threading.Thread]] = []
        self._lock = threading.Lock()

    def bind(
        self,
        thread_factory: Callable[[], threading.Thread],
        before_start: _Hook | None = None,
        after_start: _Hook | None = None,
        before_join: _Hook | None = None,
        after_join: _Hook | None = None,
    ) -> None:
        """Add a thread, made when the bundle starts, and what is called.

        Raises ValueError for what cannot be called.
        """
        bound = _Bound(
            thread_factory,
            before_start or no_op,
            after_start or no_op,
            before_join or no_op,
            after_join or no_op,
        )
        names = ('thread_factory', *_Bound._fields[1:])
        for name, callback in zip(names, bound, strict=True):
            if not callable(callback):
                raise ValueError(
                    f'Callback for argument {name!r} must be callable, not '
                    f'{callback!r}'
                )
        with self._lock:
            self._bound.append(bound)

    def start(self) -> int:
        """Start what has not been started; return how many that was."""
        with self._lock:
            begun = {id(bound) for bound, _thread in self._started}
            fresh = [one for one in self._bound if id(one) not in begun]
            for bound in fresh:
                thread = bound.make()
                bound.before_start(thread)
                thread.start()
                self._started.append((bound, thread))
                bound.after_start(thread)
            return len(fresh)

    def stop(self) -> int:
        """Wait for all threads to end; return how many that was. Blocks."""
        with self._lock:
            started, self._started = self._started, []
        for bound, thread in reversed(started):
            bound.before_join(thread)
            thread.join()
            bound.after_join(thread)
        return len(started)

    def __len__(self) -> int:
        return len(self._bound)
