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

"""A thread that commits some flows while others take their turns.

To commit is mostly to wait for a server. One unit is under way at a time;
what is staged meanwhile is the next one, so that units grow with the load.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
import logging
import queue
import threading
import typing

from taskflow_service.engines import commits
from taskflow_service.engines import turn
from taskflow_service.executors import base as executors_base

LOG = logging.getLogger(__name__)

Placed = dict[turn.Drive, list[executors_base.Request]]


class Back(typing.NamedTuple):
    """A unit is written: what is to be started now, and what failed."""

    placed: Placed
    written: commits.Written


class Committer:
    """Writes what is handed in, unit by unit, and tells the loop of each.

    Used by the loop's thread alone, which may write itself what is not under
    way. Its own thread starts with the first flow that is handed in.

    :param write: writes what flows have staged; blocks
    :param deliver: takes each unit that is back, from the other thread
    """

    def __init__(
        self,
        write: Callable[[Iterable[turn.Drive]], commits.Written],
        deliver: Callable[[Back], object],
    ) -> None:
        self._write = write
        self._deliver = deliver
        self._queue: queue.SimpleQueue[Placed | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        #: The flows that were handed in and are not back.
        self.under_way: set[turn.Drive] = set()

    def write(self, unit: Placed) -> commits.Written:
        """Write a unit here; blocks. What nobody expects fails its flows."""
        try:
            return self._write(unit)
        except Exception as error:
            LOG.exception('What became of %d flows is not known', len(unit))
            return commits.Written(dict.fromkeys(unit, error), {})

    def hand_in(self, placed: Placed) -> None:
        """Have flows written; does not block."""
        self.under_way |= placed.keys()
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._main, name='taskflow-commits', daemon=True
            )
            self._thread.start()
        self._queue.put(placed)

    def take_back(self, unit: Back) -> None:
        """Take note of a unit that is back."""
        self.under_way -= unit.placed.keys()

    def close(self) -> None:
        """End once all that was handed in is back; blocks until then."""
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    def _main(self) -> None:
        closed = False
        while not closed:
            unit: Placed = {}
            waiting = [self._queue.get()]
            while not self._queue.empty():
                waiting.append(self._queue.get())
            for placed in waiting:
                closed = closed or placed is None
                unit |= placed or {}
            if unit:
                self._deliver(Back(unit, self.write(unit)))
