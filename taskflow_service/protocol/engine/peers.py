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
"""What an engine hears of its workers, and what it has at each.

A report counts only if its number exceeds every one received from that
incarnation.  An end closes its request at receipt, before anything is
committed, so that a report built later but lacking the request cannot make
the engine send it again.
"""

from __future__ import annotations

import collections
import math

from taskflow_service import clock
from taskflow_service.protocol import link
from taskflow_service.protocol import messages
from taskflow_service.protocol.engine import records

#: Incarnations that are remembered as dead.
MAX_DEAD = 1000


class Peers:
    """All workers heard of; part of an Engine."""

    def __init__(self, me: messages.Peer, timing: link.Timing) -> None:
        self._me = me
        self._timing = timing
        self.known: dict[str, records.Peer] = {}
        #: All placed and open work, by request.
        self.open: dict[str, records.Work] = {}
        #: Outcomes handed to the shell and not yet recorded: who told, and
        #: until when it is not handed over again.
        self.unrecorded: dict[str, tuple[records.Peer, float]] = {}
        #: The dead, and who has the outcomes that they left.
        self._dead: collections.OrderedDict[str, None] = (
            collections.OrderedDict()
        )
        self.spooled: dict[str, records.Peer] = {}
        self.events: list[records.Event] = []
        self.counts: collections.Counter[str] = collections.Counter()

    def peer(self, address: messages.Peer) -> records.Peer:
        """Find or make the record of a worker."""
        found = self.known.get(address.incarnation)
        if found is None:
            found = self.known[address.incarnation] = records.Peer(address)
            found.dead = address.incarnation in self._dead
        return found

    def live(self, peer: records.Peer, now: clock.Boottime) -> bool:
        """Say whether new work may go there."""
        return (
            not peer.dead
            and not peer.suspect
            and now - peer.heard < self._timing.lease
        )

    # What workers say

    def report(self, report: messages.Report, now: clock.Boottime) -> None:
        """Take a report."""
        if report.to != self._me.incarnation:
            self.counts['for another incarnation'] += 1
            return
        peer = self.peer(report.sender)
        if report.number <= peer.number:
            self.counts['stale report'] += 1
            return
        peer.number = report.number
        peer.taken = max(peer.taken, report.taken)
        self._heard(peer, now)
        for outcome in report.outcomes:
            self._outcome(peer, outcome, now)
        for request_uuid in report.handed_back:
            self.close(self.open.get(request_uuid), messages.End.HANDED_BACK)
        for request_uuid in report.disowned:
            peer.attaches.pop(request_uuid, None)
            self.close(self.open.get(request_uuid), messages.End.DISOWNED)
        held = {entry.request_uuid: entry for entry in report.held}
        self._held(peer, held)
        self._unheard(peer, held)
        self._credit(peer, report.credit, now)
        if report.public is not None:
            self._public(peer, report.public)
        peer.answer = peer.answer or report.beat

    def announce(
        self, announce: messages.Announce, now: clock.Boottime
    ) -> None:
        """Take an announcement."""
        peer = self.peer(announce.sender)
        if announce.number <= max(peer.announced, peer.number):
            self.counts['stale announcement'] += 1
            return
        peer.announced = announce.number
        self._heard(peer, now)
        for orphan in announce.orphans:
            work = self.open.get(orphan.request_uuid)
            if work is not None:
                self._move(work, peer)
            elif orphan.request_uuid in peer.recorded:
                peer.recorded[orphan.request_uuid] = None
                peer.answer = True
            elif orphan.finished and not self._handed(
                orphan.request_uuid, now
            ):
                self.events.append(records.Orphaned(orphan, peer.peer))
        self._public(peer, announce.public)

    def _heard(self, peer: records.Peer, now: clock.Boottime) -> None:
        peer.heard = now
        peer.asked = 0
        peer.suspect = False

    def _handed(self, request_uuid: str, now: clock.Boottime) -> bool:
        """Say whether the shell has this outcome and may still store it."""
        handed = self.unrecorded.get(request_uuid)
        return handed is not None and now < handed[1]

    def _outcome(
        self,
        peer: records.Peer,
        outcome: messages.Outcome,
        now: clock.Boottime,
    ) -> None:
        request_uuid = outcome.request_uuid
        peer.attaches.pop(request_uuid, None)
        peer.superseded.pop(request_uuid, None)
        if outcome.end is messages.End.DEAD:
            # Said of a request of its predecessor; not kept over there.
            self.close(self.open.get(request_uuid), messages.End.DEAD)
            return
        if self._handed(request_uuid, now) or request_uuid in peer.recorded:
            return
        work = self.open.get(request_uuid)
        if work is not None and work.phase is records.Phase.OPEN:
            # The loop has it now, and keeps it through any outage.
            self.unrecorded[request_uuid] = (peer, math.inf)
            self.close(work, outcome.end, outcome)
        else:
            # If it is not stored, it is because it was current and
            # somebody else's, or the logbook was out: ask again later.
            again = now + self._timing.lease
            self.unrecorded[request_uuid] = (peer, again)
            self.events.append(records.Late(outcome, peer.peer))

    def _held(
        self, peer: records.Peer, held: dict[str, messages.Held]
    ) -> None:
        for request_uuid, entry in held.items():
            work = self.open.get(request_uuid)
            if work is None:
                old = peer.superseded.get(request_uuid)
                if (
                    old is not None
                    and entry.state is not messages.State.FINISHED
                ):
                    # It runs on beside what has replaced it: stop it.
                    self.cancel(old, old.epoch, 'superseded')
                continue
            work.state = entry.state
            if entry.started is not None and work.started is None:
                work.started = clock.Wall(entry.started)
                self.events.append(records.Started(work, work.started))
            if entry.progress is not None and entry.progress != work.progress:
                work.progress = entry.progress
                self.events.append(records.Progressed(work, entry.progress))

    def _unheard(
        self, peer: records.Peer, held: dict[str, messages.Held]
    ) -> None:
        """Send again what this report should show, and does not."""
        taken = peer.taken
        if peer.superseded:
            peer.superseded = {
                request_uuid: work
                for request_uuid, work in peer.superseded.items()
                if request_uuid in held
            }
        for work in peer.open.values():
            if (
                work.seq is not None
                and work.seq <= taken
                and work.request_uuid not in held
            ):
                self.resend(work)
        for request_uuid, seq in list(peer.recorded.items()):
            if seq is not None and seq <= taken:
                if request_uuid in held:
                    peer.recorded[request_uuid] = None
                else:
                    del peer.recorded[request_uuid]
        for pending in (peer.attaches, peer.recalls, peer.cancels):
            for request_uuid, said in list(pending.items()):
                if said.seq is None or said.seq > taken:
                    continue
                entry = held.get(request_uuid)
                if pending is peer.attaches:
                    done = entry is not None
                elif pending is peer.recalls:
                    done = (
                        entry is None
                        or entry.state is not messages.State.ACCEPTED
                    )
                elif entry is not None:
                    done = (
                        entry.cancelled
                        or entry.state is messages.State.FINISHED
                    )
                else:
                    # If it is open, "disowned" was said, and got lost.
                    done = request_uuid not in peer.open
                if done:
                    del pending[request_uuid]
                else:
                    said.seq = None
        while peer.flights and peer.flights[0][0] <= taken:
            peer.flights.popleft()

    def resend(self, work: records.Work) -> None:
        """Make a request that did not arrive go out again."""
        peer = work.peer
        if peer is None:
            return
        work.seq = None
        if work.request is None:
            self.ask_after(work)
        elif work.request_uuid not in peer.cancels:
            # Of an execute sent again the last report is the grant.
            work.grant = peer.number
            peer.unsent.append(work)

    def ask_after(self, work: records.Work) -> None:
        """Make an ``attach`` go out for a request."""
        if work.peer is not None:
            aim = messages.Aim(work.request_uuid, work.epoch)
            work.peer.attaches[work.request_uuid] = records.Pending(aim)

    def cancel(self, work: records.Work, epoch: int, reason: str) -> None:
        """Make a ``cancel`` go out for a request, until it shows."""
        if work.peer is not None:
            work.peer.cancels.setdefault(
                work.request_uuid,
                records.Pending(
                    messages.Aim(work.request_uuid, epoch, reason)
                ),
            )

    def _credit(
        self, peer: records.Peer, credit: tuple[int, int], now: clock.Boottime
    ) -> None:
        peer.credit[:] = credit
        peer.credit_at = now

    def _public(self, peer: records.Peer, public: messages.Public) -> None:
        peer.public = public
        for request_uuid in public.spooled:
            self.spooled[request_uuid] = peer
        for incarnation in public.dead:
            if incarnation in self._dead:
                continue
            self._dead[incarnation] = None
            if len(self._dead) > MAX_DEAD:
                self._dead.popitem(last=False)
            found = self.known.get(incarnation)
            if found is not None:
                found.dead = True
                self.bury(found)

    def bury(self, peer: records.Peer) -> None:
        """Close what a dead worker had, but for what it left on disk."""
        for work in list(peer.open.values()):
            if work.phase is not records.Phase.OPEN:
                continue
            heir = self.spooled.get(work.request_uuid)
            if heir is None:
                self.close(work, messages.End.DEAD)
            else:
                self._move(work, heir)
        for work in peer.superseded.values():
            self.events.append(records.Counted(work))
        peer.superseded.clear()

    def _move(self, work: records.Work, peer: records.Peer) -> None:
        """Look for a request where it is said to be now, and attach it."""
        if work.phase is not records.Phase.OPEN or work.peer is None:
            return
        self.detach(work)
        self.adopt(work, peer)
        work.seq = None
        self.ask_after(work)

    # Open work

    def adopt(self, work: records.Work, peer: records.Peer) -> None:
        """Put work under a worker."""
        work.peer = peer
        self.open[work.request_uuid] = work
        peer.open[work.request_uuid] = work
        peer.extras += work.kind.extra

    def detach(self, work: records.Work) -> None:
        """Take work away from its worker, without an end."""
        peer = work.peer
        if self.open.pop(work.request_uuid, None) is None or peer is None:
            return
        del peer.open[work.request_uuid]
        peer.extras -= work.kind.extra
        if work in peer.unsent:
            peer.unsent.remove(work)
        self.unreserve(work)
        for pending in (peer.attaches, peer.recalls, peer.cancels):
            pending.pop(work.request_uuid, None)

    @staticmethod
    def unreserve(work: records.Work) -> None:
        """Give back what work took from a credit and did not spend."""
        if work.peer is not None and work.charge is not (
            records.Charge.NOTHING
        ):
            work.peer.reserved[work.charge] -= 1
            work.charge = records.Charge.NOTHING

    def close(
        self,
        work: records.Work | None,
        end: messages.End,
        outcome: messages.Outcome | None = None,
    ) -> None:
        """End a request; the first end counts, whatever comes after."""
        if work is None or work.phase is not records.Phase.OPEN:
            return
        self.detach(work)
        work.phase = records.Phase.CLOSED
        if (
            end in (messages.End.SUSPECT, messages.End.LOST)
            and work.peer is not None
        ):
            work.peer.superseded[work.request_uuid] = work
        self.events.append(records.Ended(work, end, outcome))
