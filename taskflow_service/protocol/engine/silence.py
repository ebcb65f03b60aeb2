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
"""What an engine makes of silence.

It means something only while one's own link is proven good, and then in three
steps: whoever is quiet is asked, is suspect after a lease, and is lost in the
end.
"""

from __future__ import annotations

from taskflow_service import clock
from taskflow_service.protocol import link
from taskflow_service.protocol import messages
from taskflow_service.protocol.engine import peers
from taskflow_service.protocol.engine import records

#: For so many times ``lost_after`` is remembered what was given up.
REMEMBERED = 10


class Silence:
    """Judges workers by what they do not say; part of an Engine."""

    def __init__(
        self, timing: link.Timing, known: peers.Peers, own_link: link.Link
    ) -> None:
        self._timing = timing
        self._peers = known
        self._link = own_link
        #: Somebody is about to be judged: the own link must be proven.
        self.doubtful = False

    def tick(self, now: clock.Boottime) -> None:
        """Judge who is silent; only while one's own link is good."""
        if not self._link.good:
            return
        timing = self._timing
        proven = self._link.proven(now)
        self.doubtful = False
        for peer in list(self._peers.known.values()):
            if peer.recorded or peer.attaches or peer.open:
                self._ask(peer, now)
            if not peer.open:
                self._idle(peer, now)
                continue
            for work in list(peer.open.values()):
                silence = now - max(peer.heard, work.since, self._link.resumed)
                if silence >= timing.lease - timing.heartbeat:
                    self.doubtful = True
                if silence < timing.lease or not proven:
                    continue
                if silence >= timing.lost_after:
                    self._peers.close(work, messages.End.LOST)
                elif now >= self._link.graced:
                    peer.suspect = True
                    if work.kind.idempotent:
                        self._peers.close(work, messages.End.SUSPECT)

    def _ask(self, peer: records.Peer, now: clock.Boottime) -> None:
        """Ask for a sign of life; the second time, after each request."""
        since = min(
            (work.since for work in peer.open.values()), default=records.NEVER
        )
        quiet = now - max(peer.heard, since, peer.asked_at)
        if quiet < self._timing.heartbeat:
            return
        peer.ask = True
        peer.asked += 1
        peer.asked_at = now
        for request_uuid in peer.recorded:
            peer.recorded[request_uuid] = None
        for said in peer.attaches.values():
            said.seq = None
        if peer.asked > 1:
            # Whoever has that name now can only answer for what is named.
            for work in peer.open.values():
                if work.seq is not None:
                    self._peers.ask_after(work)

    def _idle(self, peer: records.Peer, now: clock.Boottime) -> None:
        patience = self._timing.lost_after
        if peer.superseded:
            # It may come back with what has been given up there.
            patience *= REMEMBERED
        if now - peer.heard < patience:
            return
        del self._peers.known[peer.peer.incarnation]
        for request_uuid, told_by in list(self._peers.spooled.items()):
            if told_by is peer:
                del self._peers.spooled[request_uuid]
