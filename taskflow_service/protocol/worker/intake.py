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
"""What a worker takes: orders, and the room it has for them.

Three rules carry the weight.  Orders whose ``seq`` does not rise are dropped
whole, so a duplicate touches nothing.  What was handed back or disowned is
never run.  And at the moment of its start a request must hold a fresh grant:
the number of a report that left less than a lease ago, which nobody can have
who does not know what this worker said since.
"""

from __future__ import annotations

from taskflow_service import clock
from taskflow_service.protocol import messages
from taskflow_service.protocol.worker import records


class Intake:
    """Takes orders and hands out slots; part of a Worker."""

    def __init__(self, book: records.Book) -> None:
        self._book = book
        self._turn = 0
        #: Nothing starts any more: the worker drains, or fenced itself.
        self.closed = False

    # Messages

    def orders(
        self, orders: messages.Orders, now: clock.Boottime, wall: clock.Wall
    ) -> None:
        """Take orders, for this incarnation or for an earlier one."""
        book = self._book
        if orders.to != book.me.incarnation:
            if orders.to in book.predecessors:
                self._answer_for(orders, now)
            else:
                book.counts['for another incarnation'] += 1
            return
        party = book.party(orders.sender)
        if orders.seq <= party.taken:
            book.counts['stale seq'] += 1
            return
        party.taken = orders.seq
        party.heard = now
        party.highest = orders.highest
        party.seen = max(party.seen, orders.seen)
        self._renew_grants(party)
        for request in orders.execute:
            self._accept(party, request, now, wall)
        for aim in orders.cancel:
            self._cancel(party, aim, now)
        for request_uuid in orders.recall:
            self._recall(party, request_uuid, now)
        for aim in orders.attach:
            self._attach(party, aim, now)
        self._recorded(orders.recorded)
        self._want(party, orders.demand)
        wants = party.demand or party.spare
        if wants and party.untold:
            party.due = True
        if not wants and orders.seen >= party.lent_in:
            party.take_back()
        party.due = party.due or orders.ask
        party.introduce = party.introduce or orders.ask

    def who(self, who: messages.Who, now: clock.Boottime) -> None:
        """Take note of an engine that looks for room."""
        book = self._book
        if not any(self.serves(demand) for demand in who.demand):
            return
        party = book.party(who.sender)
        if who.number <= party.who:
            book.counts['stale who'] += 1
            return
        party.who = who.number
        party.heard = now
        party.highest = who.highest
        self._want(party, who.demand)
        party.due = party.introduce = True

    def serves(self, demand: messages.Demand) -> bool:
        """Say whether requests of this kind can run here."""
        public = self._book.public
        version = public.tasks.get(demand.task)
        return (
            version is not None
            and messages.compatible(version, demand.task_version)
            and (
                not demand.topics
                or any(topic in public.topics for topic in demand.topics)
            )
        )

    def _want(
        self, party: records.Party, demand: tuple[messages.Demand, ...]
    ) -> None:
        served = [entry for entry in demand if self.serves(entry)]
        party.spare = sum(entry.count for entry in served if entry.spare)
        party.demand = sum(entry.count for entry in served) - party.spare
        party.demand_idempotent = sum(
            entry.count
            for entry in served
            if entry.idempotent and not entry.spare
        )
        party.implied = 0

    def _answer_for(
        self, orders: messages.Orders, now: clock.Boottime
    ) -> None:
        """Say what became of requests of an earlier process of this name."""
        book = self._book
        clean = book.predecessors[orders.to]
        party = book.party(orders.sender)
        party.heard = now
        party.due = party.introduce = True
        self._recorded(orders.recorded)
        for aim in orders.attach:
            if aim.request_uuid in book.requests:
                self._attach(party, aim, now)
        asked = [request.request_uuid for request in orders.execute]
        asked += [aim.request_uuid for aim in orders.cancel + orders.attach]
        asked += orders.recall
        for request_uuid in dict.fromkeys(asked):
            if request_uuid in book.requests:
                continue
            if clean:
                book.disown(party, request_uuid, now)
            else:
                party.dead.append(request_uuid)

    def _renew_grants(self, party: records.Party) -> None:
        # What the engine has seen listed here it knows to be here: a queued
        # request lives on by that, not by the report it was sent for.
        for line in (party.queue, self._book.extras):
            for entry in line:
                if entry.party is party and party.seen > entry.since:
                    entry.grant = max(entry.grant, party.seen)

    def _accept(
        self,
        party: records.Party,
        request: messages.Request,
        now: clock.Boottime,
        wall: clock.Wall,
    ) -> None:
        book = self._book
        if request.request_uuid in book.requests:
            return
        if request.request_uuid in book.disowned:
            book.disown(party, request.request_uuid, now)
            return
        entry = records.Entry(
            request,
            party,
            request.epoch,
            records.Phase.QUEUED,
            request.grant,
            book.number,
        )
        book.requests[entry.request_uuid] = entry
        offered = book.public.tasks.get(request.task)
        if self.closed:
            book.hand_back(entry, now, 'closed')
        elif not book.fresh(entry.grant, now):
            # Late enough for its party, with the seq it had reached, to have
            # been pruned: it may have run before. In the line its grant
            # would be renewed.
            book.hand_back(entry, now, 'grant lapsed')
        elif offered is None or not messages.compatible(
            offered, request.task_version
        ):
            book.hand_back(entry, now, 'unknown task')
        elif request.action is not messages.Action.EXECUTE:
            book.extras.append(entry)
        else:
            self._admit(entry, now, wall)

    def _admit(
        self, entry: records.Entry, now: clock.Boottime, wall: clock.Wall
    ) -> None:
        """Find a slot, or a place in the line, for a new execute."""
        book, party = self._book, entry.party
        if entry.request.backlog:
            party.lent_backlog = max(0, party.lent_backlog - 1)
            party.told_backlog = max(0, party.told_backlog - 1)
        elif party.lent > 0:
            party.lent -= 1
            party.told = max(0, party.told - 1)
            self._start(entry, now, wall)
            return
        if entry.request.idempotent:
            if self.queued() < book.backlog:
                party.queue.append(entry)
            else:
                book.hand_back(entry, now, 'no room')
        elif self._free() > 0:
            self._start(entry, now, wall)
        else:
            book.hand_back(entry, now, 'no room')

    def _cancel(
        self, party: records.Party, aim: messages.Aim, now: clock.Boottime
    ) -> None:
        book = self._book
        entry = book.requests.get(aim.request_uuid)
        if entry is None:
            book.disown(party, aim.request_uuid, now)
            return
        if aim.epoch < entry.epoch:
            book.counts['older epoch'] += 1
            return
        entry.epoch = aim.epoch
        if entry.phase is records.Phase.QUEUED:
            book.unqueue(entry)
            entry.phase = records.Phase.DONE
            entry.outcome = messages.Outcome(
                entry.request_uuid,
                messages.End.CANCELLED,
                flow_uuid=entry.request.flow_uuid,
            )
            entry.party.due = True
        elif entry.phase is records.Phase.RUNNING:
            entry.cancelled = True
            book.step.cancel.append((entry.request_uuid, aim.reason or ''))

    def _recall(
        self, party: records.Party, request_uuid: str, now: clock.Boottime
    ) -> None:
        entry = self._book.requests.get(request_uuid)
        if entry is None:
            self._book.disown(party, request_uuid, now)
        elif entry.phase is records.Phase.QUEUED and entry.party is party:
            self._book.hand_back(entry, now, 'recalled')

    def _attach(
        self, party: records.Party, aim: messages.Aim, now: clock.Boottime
    ) -> None:
        book = self._book
        entry = book.requests.get(aim.request_uuid)
        if entry is None:
            book.disown(party, aim.request_uuid, now)
            return
        party.due = True
        if aim.epoch < entry.epoch:
            book.counts['older epoch'] += 1
            return
        entry.epoch = aim.epoch
        if entry in entry.party.queue:
            entry.party.queue.remove(entry)
            party.queue.append(entry)
        entry.party = party
        entry.since = book.number
        entry.told = records.NEVER

    def _recorded(self, recorded: tuple[str, ...]) -> None:
        book = self._book
        for request_uuid in recorded:
            entry = book.requests.get(request_uuid)
            if entry is not None and entry.phase is records.Phase.DONE:
                book.remove(entry)
                book.step.forget.append(request_uuid)

    # Room

    def queued(self) -> int:
        """Count the executes that wait for a slot."""
        return sum(len(p.queue) for p in self._book.parties.values())

    def _free(self) -> int:
        book = self._book
        lent = sum(party.lent for party in book.parties.values())
        return book.public.slots - len(book.busy) - lent

    def fill(self, now: clock.Boottime, wall: clock.Wall) -> None:
        """Give free slots to what waits here, or lend them; then the line.

        In turn by engine, the least recently served first: neither a long
        queue nor a loud demand takes it all.
        """
        if self.closed:
            return
        book = self._book
        while book.extra is None and book.extras:
            self._start(book.extras.popleft(), now, wall)
        for _ in range(self._free()):
            self._serve_next(now, wall)
        self._lend_backlog(now)

    def _serve_next(self, now: clock.Boottime, wall: clock.Wall) -> None:
        best = None
        for party in self._book.parties.values():
            if party.queue or party.demand > party.lent:
                rank = (0, party.served)
            elif max(party.implied, party.spare) > party.lent:
                rank = (1, party.served)
            else:
                continue
            if best is None or rank < best[0]:
                best = (rank, party)
        if best is None:
            return
        party = best[1]
        self._turn += 1
        party.served = self._turn
        if party.queue:
            self._start(party.queue.popleft(), now, wall)
        else:
            self._lend(party, 1, 0, now)

    def _lend_backlog(self, now: clock.Boottime) -> None:
        book = self._book
        wanting = [
            party
            for party in book.parties.values()
            if party.demand_idempotent > party.lent + party.lent_backlog
        ]
        if not wanting:
            return
        lent = sum(party.lent_backlog for party in book.parties.values())
        room = book.backlog - self.queued() - lent
        # A fair share, so that who comes first does not take it all.
        share = max(1, book.backlog // len(wanting))
        for party in wanting:
            want = party.demand_idempotent - party.lent - party.lent_backlog
            have = party.lent_backlog + len(party.queue)
            more = min(want, room, share - have)
            if more > 0:
                room -= more
                self._lend(party, 0, more, now)

    def _lend(
        self,
        party: records.Party,
        slots: int,
        backlog: int,
        now: clock.Boottime,
    ) -> None:
        party.lent += slots
        party.lent_backlog += backlog
        party.lent_at = now
        # More of what it knows of and has not spent can wait for the next
        # report, or for orders that spend some.
        known = party.told if slots else party.told_backlog
        if party.untold and not known:
            party.due = True

    def lapse(self, now: clock.Boottime) -> None:
        """Take back credit that was not spent, and demand of the silent."""
        book = self._book
        for party in book.parties.values():
            if now - party.lent_at >= book.timing.heartbeat:
                party.take_back()
                party.implied = 0
            if book.silent(party, now):
                party.demand = party.demand_idempotent = 0
                party.spare = party.implied = 0

    def _start(
        self, entry: records.Entry, now: clock.Boottime, wall: clock.Wall
    ) -> None:
        book = self._book
        request = entry.request
        if not book.fresh(entry.grant, now):
            book.hand_back(entry, now, 'grant lapsed')
            return
        entry.phase = records.Phase.RUNNING
        entry.started = wall
        if request.action is messages.Action.EXECUTE:
            book.busy.add(entry.request_uuid)
        else:
            book.extra = entry.request_uuid
        book.step.start.append(request)

    def close(self, now: clock.Boottime) -> None:
        """Hand back what has not started; start and lend no more."""
        self.closed = True
        book = self._book
        for entry in list(book.requests.values()):
            if entry.phase is records.Phase.QUEUED:
                book.hand_back(entry, now, 'closed')
        for party in book.parties.values():
            party.take_back()
