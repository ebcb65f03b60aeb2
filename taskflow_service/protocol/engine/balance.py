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
"""Work that waits in the backlog of one worker while another has a free slot.

Backlogs make a fan-out fast and its end uneven: tasks are of different
length.  So an engine with nothing else to place tells workers that run low of
what waits elsewhere, as if it were demand, and when one lends a slot it
recalls a request from the longest line.  What was recalled comes back as
handed back, and is placed like everything else.
"""

from __future__ import annotations

import collections
from collections.abc import Container

from taskflow_service import clock
from taskflow_service.protocol import messages
from taskflow_service.protocol.engine import peers
from taskflow_service.protocol.engine import records


class Balance:
    """Moves work between backlogs; part of an Engine."""

    def __init__(self, known: peers.Peers) -> None:
        self._peers = known
        #: What workers that run low could have, by incarnation and kind.
        self.spare: dict[str, dict[records.Kind, int]] = {}

    def tick(
        self, now: clock.Boottime, waiting: Container[records.Kind]
    ) -> None:
        """Find who runs low, and what waits elsewhere."""
        if not self.spare and not self._peers.open:
            return
        self.spare = {}
        lines = self._lines(waiting)
        if not lines:
            return
        for peer in self._peers.known.values():
            free = peer.slots - len(peer.open)
            if free <= 0 or not self._peers.live(peer, now):
                continue
            could = collections.Counter(
                work.kind
                for incarnation, works in lines.items()
                if incarnation != peer.peer.incarnation
                for work in works
                if peer.serves(work.kind)
            )
            if could:
                self.spare[peer.peer.incarnation] = {
                    kind: min(count, free) for kind, count in could.items()
                }

    def _lines(
        self, waiting: Container[records.Kind]
    ) -> dict[str, list[records.Work]]:
        """List what has not started, by worker; those recalled included."""
        lines = {}
        for incarnation, peer in self._peers.known.items():
            works = [
                work
                for work in peer.open.values()
                if work.state is messages.State.ACCEPTED
                and work.kind.idempotent
                and not work.kind.extra
                and work.kind not in waiting
            ]
            if works:
                lines[incarnation] = works
        return lines

    def recall(self, now: clock.Boottime) -> None:
        """Recall one request for each slot that was lent for it."""
        if not self.spare:
            return
        lines = {
            incarnation: [
                work
                for work in works
                if work.request_uuid
                not in self._peers.known[incarnation].recalls
            ]
            for incarnation, works in self._lines(()).items()
        }
        underway = sum(
            len(peer.recalls) for peer in self._peers.known.values()
        )
        for incarnation in self.spare:
            peer = self._peers.known.get(incarnation)
            if peer is None:
                continue
            room = peer.room(records.Charge.SLOT) - underway
            others = [
                works for other, works in lines.items() if other != incarnation
            ]
            while room > 0 and others:
                works = max(others, key=len)
                if not works:
                    break
                # The last in its line would have waited longest.
                work = works.pop()
                if peer.serves(work.kind) and work.peer is not None:
                    room -= 1
                    work.peer.recalls[work.request_uuid] = records.Pending(
                        messages.Aim(work.request_uuid)
                    )
