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

"""When something is to be looked at again, per flow."""

from __future__ import annotations

from collections.abc import Callable
import heapq
import typing

from taskflow_service import clock as clock_mod

Monotonic = clock_mod.Monotonic


class Alarmed(typing.Protocol):
    """Who sees to it that timers are rung."""

    def alarm(self, due: Monotonic) -> None:
        """Take note that there is something to ring for at a time."""


class Timers:
    """Calls that are due at a time of the monotonic clock. Not thread-safe."""

    __slots__ = ('_alarmed', '_count', '_heap')

    def __init__(self, alarmed: Alarmed | None = None) -> None:
        self._alarmed = alarmed
        #: Made when there is something in it: most flows have no timers,
        #: and what the garbage collector follows is to be little.
        self._heap: list[tuple[Monotonic, int, Callable[[], object]]] | None
        self._heap = None
        self._count = 0

    def __len__(self) -> int:
        return len(self._heap or ())

    def at(self, due: Monotonic, call: Callable[[], object]) -> None:
        """Have something called at or after a time.

        Whoever was given at the start is told of the time.
        """
        if self._heap is None:
            self._heap = []
        self._count += 1
        heapq.heappush(self._heap, (due, self._count, call))
        if self._alarmed is not None:
            self._alarmed.alarm(due)

    def clear(self) -> None:
        """Forget all calls."""
        self._heap = None

    @property
    def due(self) -> Monotonic | None:
        """When the next call is due."""
        return self._heap[0][0] if self._heap else None

    def ring(self, now: Monotonic) -> bool:
        """Make the calls that are due; return whether there were any."""
        rang = False
        while self._heap and self._heap[0][0] <= now:
            heapq.heappop(self._heap)[2]()
            rang = True
        return rang
