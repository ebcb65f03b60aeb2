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
"""An engine process of the simulation: keeper, loop and protocol core."""

from __future__ import annotations

import functools

from taskflow_service.protocol import link
from taskflow_service.protocol import messages
from taskflow_service.protocol.engine import machine
from taskflow_service.protocol.engine import ownership
from taskflow_service.protocol.engine import records
from taskflow_service.protocol.messages import Action
from taskflow_service.protocol.messages import End
from tests.simulation import bus
from tests.simulation import database
from tests.simulation import flows


class Driven:
    """A flow that this process drives."""

    def __init__(self, row: database.FlowRow) -> None:
        self.flow = row.flow
        self.epoch = row.epoch
        self.turn = row.turn
        self.events: list = []
        #: Those that a commit under way is to record, and what it places.
        self.flying: list = []
        self.starting: list[records.Work] = []
        #: Work that waits or has a place, and open work, by atom.
        self.waiting: dict[int, records.Work] = {}
        self.placed: list[records.Work] = []
        self.open: dict[str, records.Work] = {}
        self.busy = False
        self.cancelled = False

    def settle(self, placed: list[records.Work]) -> None:
        """Take note that the fate of placed work is known."""
        self.starting = [w for w in self.starting if w not in placed]


class Engine(bus.Process):
    """One process that owns flows."""

    def __init__(
        self,
        world: bus.World,
        name: str,
        base: database.Database,
        timing: link.Timing,
        owner_lease: float = 15.0,
        max_losses: int = 3,
    ) -> None:
        super().__init__(world, name, world.new_id('E'))
        self.base = base
        self.timing = timing
        self.lease = owner_lease
        self.max_losses = max_losses
        self.core = machine.Engine(
            self.peer,
            timing,
            self.now,
            functools.partial(world.new_id, 'R'),
            owner=ownership.Ownership(owner_lease),
        )
        self.watches = ownership.Watches(owner_lease / 3)
        self.driven: dict[str, Driven] = {}
        self._claiming: set[str] = set()
        self._turns = 0
        self._sending: set[str] = set()
        self._poked = False
        self._reading: set[str] = set()
        world.bus.register(self)
        self.at(0.0, self._tick)
        self.at(0.0, self._keep)

    # The control thread

    def received(self, message: object) -> None:
        if isinstance(message, tuple):
            if message[0] == self.peer.incarnation:
                self.core.returned(message[1], self.now)
        else:
            self.core.received(message, self.now)
        self._poke()

    def _tick(self) -> None:
        self.at(self.timing.heartbeat / 5, self._tick)
        self._time_passes()

    def _time_passes(self) -> None:
        tick = self.core.tick(self.now)
        if tick.cast is not None:
            self.world.bus.send(
                self, self.peer.name, (self.peer.incarnation, tick.cast)
            )
        if tick.who is not None:
            self.world.bus.fanout(self, self.world.workers, tick.who)
        self._poke()

    def _poke(self) -> None:
        """Go through the decisions once the events at hand are in."""
        if not self._poked:
            self._poked = True
            self.at(0.0005, self._decide)

    def _decide(self) -> None:
        self._poked = False
        for work in self.core.place((), self.now):
            self._placed(work)
        for event in self.core.events():
            self._happened(event)
        for peer in self.core.due(self.now):
            if peer.incarnation not in self._sending:
                orders = self.core.orders(peer.incarnation, self.now)
                if orders is not None:
                    self._sending.add(peer.incarnation)
                    self.at(
                        self.world.random.uniform(0, 0.003),
                        self._send,
                        peer,
                        orders,
                    )

    def _send(self, peer: messages.Peer, orders: messages.Orders) -> None:
        if not self.core.may_send(orders, self.now):
            orders = orders.harmless()
        self.world.say(self.peer.incarnation, 'sends', orders)
        self.world.bus.send(self, peer.name, orders)
        self._sending.discard(peer.incarnation)
        self._poke()

    def _placed(self, work: records.Work) -> None:
        driven, _index = work.tag
        if self.driven.get(driven.flow.uuid) is driven:
            driven.placed.append(work)
            self._wake(driven)
        else:
            self.core.release([work])

    def _happened(self, event: records.Event) -> None:
        self.world.say(self.peer.incarnation, 'event', event)
        if isinstance(event, records.Ended):
            driven, index = event.work.tag
            self.world.ledger.counts[f'end {event.end}'] += 1
            if event.end is End.HANDED_BACK:
                self.world.ledger.again[driven.flow.uuid, index] += 1
            driven.open.pop(event.work.request_uuid, None)
            if self.driven.get(driven.flow.uuid) is driven:
                driven.events.append(
                    (event.work.request_uuid, event.end, event.outcome)
                )
                self._wake(driven)
        elif isinstance(event, records.Late):
            self._late(event.outcome)
        elif isinstance(event, records.Counted):
            driven, index = event.work.tag
            if self.driven.get(driven.flow.uuid) is driven:
                driven.events.append((index, 'counted', None))
                self._wake(driven)
        elif isinstance(event, records.Expired):
            driven, index = event.work.tag
            driven.waiting.pop(index, None)
            driven.events.append((index, 'expired', None))
            self._wake(driven)
        elif isinstance(event, records.Orphaned):
            self._orphan(event)

    # Late outcomes

    def _late(self, outcome: messages.Outcome) -> None:
        driven = self.driven.get(outcome.flow_uuid)
        if driven is not None:
            driven.events.append((outcome.request_uuid, outcome.end, outcome))
            self._wake(driven)
            return
        self._store_late(outcome)

    def _store_late(self, outcome: messages.Outcome) -> None:
        uuid = outcome.request_uuid

        def done(result: object) -> None:
            # Else it is current and somebody else's, or nobody can tell:
            # the core hands it over again, later.
            if result is True:
                self.core.recorded([uuid])
                self._poke()

        self.base.run(
            self,
            lambda: self.base.store_late(outcome.flow_uuid, uuid),
            done,
        )

    def _orphan(self, event: records.Orphaned) -> None:
        orphan = event.orphan

        def done(row: object) -> None:
            if isinstance(row, database.FlowRow) and not any(
                atom.request_uuid == orphan.request_uuid and atom.running
                for atom in row.flow.atoms
            ):
                self.core.fetch(orphan.request_uuid, row.epoch, event.worker)
                self._poke()

        self.base.run(self, lambda: self.base.read(orphan.flow_uuid), done)

    # Turns

    def _wake(self, driven: Driven) -> None:
        self.at(0.0002, self._turn, driven)

    def _turn(self, driven: Driven) -> None:
        uuid = driven.flow.uuid
        if driven.busy or self.driven.get(uuid) is not driven:
            return
        events, driven.events = driven.events, []
        staged = driven.flow.copy()
        late, recorded = self._apply(driven, staged, events)
        if driven.cancelled:
            staged.failing = True
        staged.advance()
        self._want(driven, staged)
        placed, driven.placed = driven.placed, []
        placed = self._stage(driven, staged, placed)
        moved = placed or recorded or staged.terminal
        if not moved and not self._differs(driven.flow, staged):
            for outcome in late:
                self._store_late(outcome)
            return
        self._turns += 1
        unit = database.Unit(
            staged,
            driven.epoch,
            driven.turn,
            # Of this process alone, and never used twice.
            driven.turn + 1000 * self._turns,
        )
        driven.busy = True
        driven.flying = events
        driven.starting += placed
        self.base.run(
            self,
            lambda: self.base.commit(unit),
            functools.partial(
                self._committed, driven, unit, placed, events, late, recorded
            ),
        )

    @staticmethod
    def _differs(old: flows.Flow, new: flows.Flow) -> bool:
        return old.failing != new.failing or any(
            (a.state, a.request_uuid, a.retry, a.losses, a.action)
            != (b.state, b.request_uuid, b.retry, b.losses, b.action)
            for a, b in zip(old.atoms, new.atoms, strict=True)
        )

    def _apply(
        self, driven: Driven, staged: flows.Flow, events: list
    ) -> tuple[list, list]:
        late, recorded = [], []
        for key, end, outcome in events:
            if end == 'counted':
                staged.atoms[key].losses += 1
                continue
            if end == 'expired':
                if staged.atoms[key].wants:
                    staged.outcome(
                        staged.atoms[key], End.FAILED, None, self.max_losses
                    )
                continue
            atom = self.find(staged, key)
            if atom is not None and atom.running:
                staged.outcome(
                    atom,
                    end,
                    outcome and outcome.value,
                    self.max_losses,
                )
                if outcome is not None:
                    recorded.append(key)
            elif outcome is not None:
                # Not current, or recorded already: a repeated one.
                late.append(outcome)
        return late, recorded

    def find(self, flow: flows.Flow, request_uuid: str) -> flows.Atom | None:
        """Find the atom whose current request it is."""
        for atom in flow.atoms:
            if atom.request_uuid == request_uuid:
                return atom
        return None

    def _want(self, driven: Driven, staged: flows.Flow) -> None:
        """Keep in line exactly what wants a request."""
        for index, work in list(driven.waiting.items()):
            atom = staged.atoms[index]
            if not (atom.wants and work.action is atom.action):
                if self.core.withdraw(work) or work in driven.placed:
                    if work in driven.placed:
                        driven.placed.remove(work)
                        self.core.release([work])
                    del driven.waiting[index]
        works: list[records.Work] = []
        for index, atom in enumerate(staged.atoms):
            if atom.wants and index not in driven.waiting:
                work = _make_work(driven, index, atom)
                driven.waiting[index] = work
                works.append(work)
        if works:
            # It may be that nobody is known who could take them.
            self.at(0.001, self._time_passes)
        for work in self.core.place(works, self.now):
            other, _index = work.tag
            if other is driven:
                driven.placed.append(work)
            else:
                self._placed(work)

    def _stage(
        self, driven: Driven, staged: flows.Flow, placed: list
    ) -> list[records.Work]:
        good = []
        for work in placed:
            _driven, index = work.tag
            atom = staged.atoms[index]
            driven.waiting.pop(index, None)
            if not atom.wants or work.action is not atom.action:
                self.core.release([work])
                continue
            if atom.retry:
                atom.retry = False
                atom.attempt += 1
            atom.request_uuid = work.request_uuid
            atom.worker = work.worker
            good.append(work)
        return good

    def _committed(
        self,
        driven: Driven,
        unit: database.Unit,
        placed: list[records.Work],
        events: list,
        late: list,
        recorded: list[str],
        result: object,
    ) -> None:
        if self.driven.get(driven.flow.uuid) is not driven:
            return
        if result != 'ok':
            self._resolve(driven, unit, placed, events, late, recorded)
            return
        driven.busy = False
        driven.flying = []
        driven.flow, driven.turn = unit.flow, unit.new_turn
        # A hop of its own: a pause may come between commit and send.
        self.at(0.0005, self._start, driven, placed, late, recorded)
        self._wake(driven)

    def _start(
        self, driven: Driven, placed: list, late: list, recorded: list[str]
    ) -> None:
        if self.driven.get(driven.flow.uuid) is not driven:
            return
        for work in placed:
            _driven, index = work.tag
            atom = driven.flow.atoms[index]
            driven.open[work.request_uuid] = work
            work.request = messages.Request(
                request_uuid=work.request_uuid,
                flow_uuid=driven.flow.uuid,
                atom=atom.spec.name,
                task=atom.spec.task,
                action=work.action,
                attempt=atom.attempt,
                epoch=driven.epoch,
                grant=work.grant,
                backlog=work.charge is records.Charge.BACKLOG,
                idempotent=work.kind.idempotent,
                arguments=str(index),
            )
        driven.settle(placed)
        self.core.start(placed, self.now)
        self.core.recorded(recorded)
        for outcome in late:
            self._store_late(outcome)
        if driven.cancelled:
            for work in driven.open.values():
                if work.action is Action.EXECUTE:
                    self.core.cancel(work, 'asked')
        if driven.flow.terminal:
            self._drop(driven)
        self._poke()

    def _resolve(self, driven: Driven, unit: database.Unit, *staged) -> None:
        """Find out what became of a unit by reading, until that works."""

        def done(row: object) -> None:
            if self.driven.get(driven.flow.uuid) is not driven:
                return
            if not isinstance(row, database.FlowRow):
                self.at(1.0, self._resolve, driven, unit, *staged)
            elif row.epoch != driven.epoch:
                self._drop(driven)
            elif row.turn == unit.new_turn:
                self._committed(driven, unit, *staged, 'ok')
            else:
                placed, events, _late, _recorded = staged
                driven.busy = False
                driven.flying = []
                driven.settle(placed)
                driven.events = events + driven.events
                self.core.release(placed)
                if row.turn != driven.turn:
                    # An earlier unit of ours has landed after all.
                    self._reload(driven, row)
                self._wake(driven)

        self.base.run(self, lambda: self.base.read(driven.flow.uuid), done)

    # Ownership

    def _keep(self) -> None:
        """The keeper: renew, verify, sweep."""
        self.at(self.lease / 3, self._keep)
        began = self.now

        def renewed(claims: object) -> None:
            if isinstance(claims, database.Outage):
                return
            if self.core.renewed(began, claims):
                self._verify(claims or 0)
            self._poke()

        self.base.run(
            self, lambda: self.base.renew(self.peer.incarnation), renewed
        )
        self._sweep()

    def _verify(self, claims: int) -> None:
        def done(owned: object) -> None:
            if not isinstance(owned, dict):
                return
            for uuid, driven in list(self.driven.items()):
                if owned.get(uuid) != driven.epoch:
                    self._drop(driven)
            self.core.verified(claims)
            self._poke()

        self.base.run(
            self, lambda: self.base.owned(self.peer.incarnation), done
        )

    def _sweep(self) -> None:
        began = self.now

        def done(result: object) -> None:
            if not isinstance(result, tuple):
                return
            values, unended = result
            me = self.peer.incarnation
            for owner in {o for _uuid, o in unended if o not in (None, me)}:
                self.watches.read(owner, values.get(owner), began, self.now)
            for uuid, owner in unended:
                if uuid in self.driven or uuid in self._claiming:
                    continue
                if owner in (None, me):
                    self._claim(uuid, None)
                else:
                    watch = self.watches.silent(owner, self.lease, self.now)
                    if watch is not None:
                        self._claim(uuid, (owner, watch.value))

        self.base.run(self, self.base.sweep, done)

    def _claim(self, uuid: str, watched: tuple | None) -> None:
        self._claiming.add(uuid)

        def done(result: object) -> None:
            self._claiming.discard(uuid)
            if isinstance(result, tuple):
                self._drive(result[0])

        self.base.run(
            self,
            lambda: self.base.claim(uuid, self.peer.incarnation, watched),
            done,
        )

    def _drive(self, row: database.FlowRow) -> None:
        old = self.driven.get(row.flow.uuid)
        if old is not None:
            if old.epoch >= row.epoch:
                return
            self._drop(old)
        self.world.say(self.peer.incarnation, 'owns', row.flow.uuid)
        driven = self.driven[row.flow.uuid] = Driven(row)
        driven.cancelled = row.asked
        self._reattach(driven)
        self._wake(driven)

    def _reload(self, driven: Driven, row: database.FlowRow) -> None:
        driven.flow, driven.turn = row.flow, row.turn
        for index, work in list(driven.waiting.items()):
            self.core.forget([work])
            del driven.waiting[index]
        for work in driven.placed:
            self.core.forget([work])
        driven.placed = []
        self._reattach(driven)

    def _reattach(self, driven: Driven) -> None:
        for index, atom in enumerate(driven.flow.atoms):
            uuid = atom.request_uuid
            if not atom.running or uuid is None or uuid in driven.open:
                continue
            work = _make_work(driven, index, atom, request_uuid=uuid)
            driven.open[uuid] = work
            self.core.attach(work, atom.worker, self.now)
        self._poke()

    def _drop(self, driven: Driven) -> None:
        """Let go of a flow: ended, or owned by another."""
        del self.driven[driven.flow.uuid]
        self.core.forget(
            [
                *driven.waiting.values(),
                *driven.placed,
                *driven.starting,
                *driven.open.values(),
            ],
            [
                key
                for key, _end, outcome in driven.flying + driven.events
                if outcome
            ],
        )

    def ask_cancel(self, uuid: str) -> None:
        driven = self.driven.get(uuid)
        if driven is not None:
            driven.cancelled = True
            for work in driven.open.values():
                self.core.cancel(work, 'asked')
            self._wake(driven)
            self._poke()


class Work(records.Work):
    """Work that knows its action."""

    __slots__ = ('action',)


def _make_work(
    driven: Driven, index: int, atom: flows.Atom, request_uuid: str = ''
) -> Work:
    execute = atom.action is Action.EXECUTE
    work = Work(
        records.Kind(
            atom.spec.task,
            idempotent=atom.spec.idempotent or atom.action is Action.PROBE,
            extra=not execute,
        ),
        (driven, index),
        driven.epoch,
        atom.spec.start_timeout if execute else None,
        request_uuid,
    )
    work.action = atom.action
    if atom.action is Action.PROBE:
        work.avoid = atom.avoid
    return work
