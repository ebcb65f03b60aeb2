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
import logging
import queue
import threading
import typing

from taskflow_service.engines import commits
from taskflow_service.engines import turn
from taskflow_service.executors import base as executors_base

LOG = logging.getLogger(__name__)

#: How many flows make a unit large enough: more of them would have the loop
#: wait for all of them at once, and then the database for the loop.
MOST_FLOWS = 200

Placed = dict[turn.Drive, list[executors_base.Request]]
_HandedIn = tuple[Placed, commits.Unit]


class Back(typing.NamedTuple):
    """A unit is written: what is to be started now, and what failed."""

    placed: Placed
    written: commits.Written


class Committer:
    """Writes what is handed in, unit by unit, and tells the loop of each.

    Used by the loop's thread alone, which may write itself what is not under
    way. Its own thread starts with the first flow that is handed in.

    :param deliver: takes each unit that is back, from the other thread
    """

    def __init__(
        self, logbooks: commits.Commits, deliver: Callable[[Back], object]
    ) -> None:
        self._commits = logbooks
        self._deliver = deliver
        self._queue: queue.SimpleQueue[_HandedIn | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        #: The flows that were handed in and are not back.
        self.under_way: set[turn.Drive] = set()

    def write(self, placed: Placed) -> commits.Written:
        """Write flows here; blocks. What nobody expects fails them."""
        return self._write(placed, self._commits.collect(placed))

    def _write(self, placed: Placed, unit: commits.Unit) -> commits.Written:
        try:
            return self._commits.write(unit)
        except Exception as error:
            LOG.exception('What became of %d flows is not known', len(placed))
            return commits.Written(dict.fromkeys(placed, error), {})

    def hand_in(self, placed: Placed) -> None:
        """Have flows written; does not block.

        What they staged is collected here, which is most of what this
        process has to do for a commit; the other thread mostly waits.
        """
        unit = self._commits.collect(placed)
        self.under_way |= placed.keys()
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._main, name='taskflow-commits', daemon=True
            )
            self._thread.start()
        self._queue.put((placed, unit))

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
            placed: Placed = {}
            unit = commits.Unit()
            while not placed or (
                len(placed) < MOST_FLOWS and not self._queue.empty()
            ):
                handed_in = self._queue.get()
                if handed_in is None:
                    closed = True
                    break
                placed |= handed_in[0]
                unit.add(handed_in[1])
            if placed:
                self._deliver(Back(placed, self._write(placed, unit)))
