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
"""The worker side of the protocol as one object; see the package."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
import dataclasses
import typing

from taskflow_service import clock
from taskflow_service.protocol import link
from taskflow_service.protocol import messages
from taskflow_service.protocol.worker import fence
from taskflow_service.protocol.worker import intake
from taskflow_service.protocol.worker import records
from taskflow_service.protocol.worker import reporting


class Worker:
    """A worker's half of the protocol: events in, a Step out.

    Not thread-safe: one thread at a time calls it.  No method blocks or does
    I/O.  ``now`` never goes back.
    """

    def __init__(
        self,
        me: messages.Peer,
        public: messages.Public,
        timing: link.Timing,
        now: clock.Boottime,
        *,
        predecessors: Mapping[str, bool] | None = None,
        spooled: Iterable[records.Spooled] = (),
        max_size: int = messages.MAX_SIZE,
    ) -> None:
        self._book = records.Book(me, public, timing)
        self._link = link.Link(timing, now)
        self._intake = intake.Intake(self._book)
        self._reporting = reporting.Reporting(self._book, max_size, now)
        self._fence = fence.Fence(self._book, self._link, now)
        self._draining = False
        for found in spooled:
            self._book.requests[found.request.request_uuid] = records.Entry(
                found.request,
                self._book.party(found.engine),
                found.request.epoch,
                records.Phase.DONE,
                outcome=found.outcome,
            )
        self._spooled = tuple(self._book.requests)
        for incarnation, clean in (predecessors or {}).items():
            self.predecessor(incarnation, clean)

    # Events

    def received(
        self, message: messages.Message, now: clock.Boottime, wall: clock.Wall
    ) -> None:
        """Take a message from the bus, whoever it is for."""
        if isinstance(message, messages.Orders):
            self._intake.orders(message, now, wall)
            if message.to == self._book.me.incarnation:
                self._fence.saw(message.seen)
        elif isinstance(message, messages.Who):
            if not self._draining:
                self._intake.who(message, now)
        else:
            self._book.counts['not for workers'] += 1

    def returned(self, number: int, now: clock.Boottime) -> None:
        """Take a cast to oneself that came back."""
        self._link.returned(number, now)

    def finished(self, outcome: messages.Outcome, freed: bool = True) -> None:
        """Take the outcome of a request that was started.

        ``freed`` is False if its slot stays taken (a thread that does not
        stop): :meth:`freed` follows.
        """
        book = self._book
        entry = book.requests[outcome.request_uuid]
        entry.phase = records.Phase.DONE
        end = fence.end_of(entry, outcome)
        entry.outcome = messages.Outcome(
            outcome.request_uuid,
            end,
            None if end is messages.End.FENCED else outcome.value,
            outcome.started,
            outcome.finished,
            entry.request.flow_uuid,
        )
        entry.progress = None
        entry.party.due = True
        entry.party.implied += 1
        if freed:
            self.freed(outcome.request_uuid)

    def freed(self, request_uuid: str) -> None:
        """Take back the slot of a request that has ended."""
        self._book.busy.discard(request_uuid)
        if self._book.extra == request_uuid:
            self._book.extra = None

    def progressed(self, request_uuid: str, progress: str) -> None:
        """Take a running request's newest progress, an encoded value.

        It goes with the next report: however often it comes, it costs no
        message of its own.
        """
        entry = self._book.requests.get(request_uuid)
        if entry is not None and entry.phase is records.Phase.RUNNING:
            entry.progress = progress

    def predecessor(self, incarnation: str, clean: bool) -> None:
        """Take the proof that an earlier process of this name has ended."""
        book = self._book
        book.predecessors[incarnation] = clean
        if not clean and incarnation not in book.public.dead:
            self.publish(
                dataclasses.replace(
                    book.public,
                    dead=(*book.public.dead, incarnation),
                    spooled=self._spooled,
                )
            )

    def publish(self, public: messages.Public) -> None:
        """Replace what the worker says of itself."""
        self._book.public = public
        self._reporting.changed = True
        for party in self._book.parties.values():
            party.introduce = True

    def drain(self, now: clock.Boottime) -> None:
        """Take nothing more and hand back what has not started."""
        self._draining = True
        self._intake.close(now)
        self.publish(dataclasses.replace(self._book.public, draining=True))
        for party in self._book.parties.values():
            party.due = True

    def give_up(self, reason: str) -> None:
        """Cancel what still runs after a drain: its policy decides then."""
        self._fence.give_up(reason)

    # Decisions

    def step(self, now: clock.Boottime, wall: clock.Wall) -> records.Step:
        """Decide; call it after every batch of events, and each second."""
        book = self._book
        book.step.cast = self._link.tick(now)
        self._intake.lapse(now)
        if self._fence.tick(now):
            book.step.fence = True
            self._intake.close(now)
        elif not self._fence.up and not self._draining:
            self._intake.closed = False
        self._reporting.tick(now)
        self._intake.fill(now, wall)
        book.prune(now)
        step, book.step = book.step, records.Step()
        return step

    def due(self) -> list[messages.Peer]:
        """List the engines to which a report should go."""
        return self._reporting.due()

    def report(
        self, incarnation: str, now: clock.Boottime
    ) -> messages.Report | None:
        """Build the report for an engine, as late as possible."""
        return self._reporting.report(incarnation, now)

    def has_more(self, incarnation: str) -> bool:
        """Tell whether the last report did not hold all for an engine."""
        party = self._book.parties.get(incarnation)
        return party is not None and party.due

    def version(self, incarnation: str) -> messages.Version:
        """Say in which version to speak to an engine.

        One that this code could not read was never heard.
        """
        party = self._book.parties.get(incarnation)
        if party is None:
            return messages.LOWEST
        return min(messages.VERSION, party.highest)

    def announcement(self, now: clock.Boottime) -> messages.Announce | None:
        """Build what is to be said to all engines, if there is anything."""
        return self._reporting.announcement(now)

    # What can be seen

    @property
    def idle(self) -> bool:
        """Whether nothing is held that is not on disk from an earlier process.

        After a drain, the moment to leave: whoever is to record what is on
        disk may never come back.
        """
        held = self._book.requests.keys() - set(self._spooled)
        return not held and not self._book.busy

    def deserted(self, now: clock.Boottime) -> bool:
        """Whether nothing is held but outcomes for engines that are silent.

        They may be gone for good, and whoever takes their flows over can be
        told after the next start. With a bad link of one's own they may as
        well be there.
        """
        book = self._book
        return (
            self._link.good
            and not book.busy
            and all(
                entry.phase is records.Phase.DONE
                and book.silent(entry.party, now)
                for entry in book.requests.values()
            )
        )

    @property
    def queued(self) -> int:
        """How many executes wait for a slot."""
        return self._intake.queued()

    @property
    def busy(self) -> int:
        """How many slots are taken."""
        return len(self._book.busy)

    @property
    def public(self) -> messages.Public:
        """What it says of itself now."""
        return self._book.public

    @property
    def link_good(self) -> bool:
        """Whether its own casts come back."""
        return self._link.good

    @property
    def counts(self) -> typing.Counter[str]:
        """How often each kind of bad or useless message came."""
        return self._book.counts

    def held(self) -> list[records.Entry]:
        """List what is held, oldest first; for logs and the spool."""
        return list(self._book.requests.values())
