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

"""Flows that wait for room in an executor."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator

from taskflow_service.executors import base


class Queue:
    """Flows that found no room, in the order in which they asked.

    While others wait, a flow places no more than its share before it stands
    in line again. For the loop's thread alone.
    """

    __slots__ = ('_runs',)

    def __init__(self) -> None:
        self._runs: dict[base.Run, None] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def most(self, run: base.Run, room: int, share: int) -> int:
        """Return how much of the room a flow may take now."""
        if len(self._runs) == (run in self._runs):
            run.share = share
            return room
        return min(room, run.share)

    def took(self, run: base.Run, count: int) -> None:
        """Take note of how much a flow has taken."""
        run.share = max(0, run.share - count)

    def add(self, run: base.Run) -> None:
        """Take note that a flow found no room, or not enough."""
        self._runs.setdefault(run)

    def clear(self) -> None:
        """Forget all: their loop has ended."""
        self._runs.clear()

    def leave(self, run: base.Run) -> None:
        """Take note that a flow needs no more room."""
        self._runs.pop(run, None)

    def call(self, room: Callable[[], int], share: int) -> Iterator[base.Run]:
        """Take out, one by one, those that are first in line for the room.

        One that does not take it leaves it to the next turn: else flows
        that cannot would be gone through again and again.
        """
        for _ in range(min(room(), len(self._runs))):
            if room() <= 0:
                # Those that are left keep their places.
                return
            run = next(iter(self._runs))
            del self._runs[run]
            run.share = share
            yield run
