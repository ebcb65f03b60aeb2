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

"""What other threads want of a flow that is under way."""

from __future__ import annotations

from collections.abc import Callable
import threading
import typing

_Call = Callable[[], object]

#: Seconds after which who waits for a commit looks whether the run has ended.
LOOK_AGAIN = 1.0

#: Of all flows: it is held for a moment, and seldom. A signal may come then,
#: whose handler asks for something as well.
_LOCK = threading.RLock()


class Driven(typing.Protocol):
    """The flow whose turns these are."""

    finished: bool

    def poke(self) -> None:
        """Have it take a turn."""


class Wishes:
    """Calls that are made within a flow's next turn. Thread-safe."""

    __slots__ = ('_asked', '_drive', '_waiting')

    def __init__(self, drive: Driven) -> None:
        self._drive = drive
        self._asked: tuple[_Call, ...] = ()
        self._waiting: tuple[_Call, ...] = ()

    def ask(self, what: _Call) -> None:
        """Have something done within the next turn."""
        with _LOCK:
            self._asked += (what,)
        self._drive.poke()

    def flush(self) -> None:
        """Block until what is staged now is committed, or the run over."""
        done = threading.Event()
        self.ask(lambda: self._wait(done.set))
        while not self._drive.finished and not done.wait(LOOK_AGAIN):
            pass

    def grant(self) -> None:
        """Do what was asked; by the thread that takes the turn."""
        while self._asked:
            with _LOCK:
                call, *rest = self._asked
                self._asked = tuple(rest)
            call()

    def committed(self) -> None:
        """Let those go who waited for the commit."""
        if self._waiting:
            waiting, self._waiting = self._waiting, ()
            for call in waiting:
                call()

    def _wait(self, call: _Call) -> None:
        self._waiting += (call,)
