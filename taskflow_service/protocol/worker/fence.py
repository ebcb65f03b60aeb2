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
"""When a worker stops its own work because it may be taken for lost.

An engine that hears nothing for ``lost_after`` lets others do the work.  A
worker whose own link is bad cannot know that it is heard, so it stops a
margin before that; while its link is good, silence means only that the
engine is down, and the work goes on for whoever owns it next.
"""

from __future__ import annotations

from taskflow_service import clock
from taskflow_service.protocol import link
from taskflow_service.protocol import messages
from taskflow_service.protocol.worker import records

REASON = 'fenced: the worker was cut off'


class Fence:
    """Judges the own link; part of a Worker."""

    def __init__(
        self, book: records.Book, own_link: link.Link, now: clock.Boottime
    ) -> None:
        self._book = book
        self._link = own_link
        #: When the last report left that some engine is known to have seen.
        self._seen = now
        #: Whether the worker has fenced itself and its link is still bad.
        self.up = False

    def saw(self, number: int) -> None:
        """Take note that an engine has seen a report."""
        left = self._book.left.get(number)
        if left is not None:
            self._seen = max(self._seen, left)

    def tick(self, now: clock.Boottime) -> bool:
        """Say whether it is now that everything has to end."""
        timing = self._book.timing
        limit = timing.lost_after - timing.margin
        if self.up:
            self.up = not self._link.good
            return False
        heard = max(self._seen, self._link.confirmed)
        if now - heard >= limit and self._unfinished():
            self.up = True
            self._end(self._running())
            return True
        silent = [
            party
            for party in self._book.parties.values()
            if now - party.heard >= limit
        ]
        if silent:
            self._end(
                [
                    entry
                    for entry in self._running()
                    if entry.request.strict_fence and entry.party in silent
                ]
            )
        return False

    def _unfinished(self) -> bool:
        return any(
            entry.phase is not records.Phase.DONE
            for entry in self._book.requests.values()
        )

    def _running(self) -> list[records.Entry]:
        return [
            entry
            for entry in self._book.requests.values()
            if entry.phase is records.Phase.RUNNING and not entry.fenced
        ]

    def give_up(self, reason: str) -> None:
        """End what runs because the worker has to end; not a task's fault."""
        self._end(self._running(), reason)

    def _end(self, entries: list[records.Entry], reason: str = REASON) -> None:
        for entry in entries:
            entry.fenced = entry.cancelled = True
            self._book.step.cancel.append((entry.request_uuid, reason))


def end_of(entry: records.Entry, outcome: messages.Outcome) -> messages.End:
    """Name the end of a request that the fence may have stopped.

    What finished well before it could be stopped has finished well.
    """
    if entry.fenced and outcome.end is not messages.End.OK:
        return messages.End.FENCED
    return outcome.end
