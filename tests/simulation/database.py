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
"""The logbook of the simulation: transactions that may fail or stall."""

from __future__ import annotations

from collections.abc import Callable
import dataclasses
import typing

from tests.simulation import bus
from tests.simulation import flows


class Outage(Exception):
    """The transaction failed, or nobody knows whether it did."""


@dataclasses.dataclass(slots=True)
class OwnerRow:
    value: int = 0
    claims: int = 0


@dataclasses.dataclass(slots=True)
class FlowRow:
    flow: flows.Flow
    owner: str | None = None
    epoch: int = 0
    turn: int = 0
    asked: bool = False


@dataclasses.dataclass(slots=True)
class Unit:
    """What a turn writes of a flow."""

    flow: flows.Flow
    epoch: int
    turn: int
    new_turn: int


class Database:
    """One server; each operation is one transaction."""

    def __init__(self, world: bus.World) -> None:
        self._world = world
        self.owners: dict[str, OwnerRow] = {}
        self.flows: dict[str, FlowRow] = {}
        self.late: dict[str, str] = {}
        self.out_until = 0.0
        #: Processes that cannot reach it, and until when.
        self.cut_off: dict[str, float] = {}
        #: How often a transaction fails before, after, or stalls.
        self.trouble = 0.0
        #: Requests that some commit made current, and what checks see.
        self.current: set[str] = set()
        self.on_commit: Callable[[flows.Flow, flows.Flow], None] | None = None

    def run(
        self,
        process: bus.Process,
        operation: Callable[[], typing.Any],
        done: Callable[[typing.Any], None],
    ) -> None:
        """Start a transaction; ``done`` gets its result, or an Outage."""
        self._world.at(
            self._world.random.uniform(0.001, 0.005),
            self._apply,
            process,
            operation,
            done,
        )

    def _apply(
        self,
        process: bus.Process,
        operation: Callable[[], typing.Any],
        done: Callable[[typing.Any], None],
    ) -> None:
        world = self._world
        cut = self.cut_off.get(process.peer.incarnation, 0.0)
        if max(self.out_until, cut) > world.time:
            process.at(0.5, done, Outage())
            return
        fate = world.random.random() if self.trouble else 1.0
        if fate < self.trouble:
            kind = world.random.choice(('before', 'after', 'stall'))
            if kind == 'after':
                operation()
            elif kind == 'stall':
                world.at(world.random.uniform(0.1, 40), operation)
            process.at(world.random.uniform(0.001, 1), done, Outage())
            return
        process.at(world.random.uniform(0.001, 0.005), done, operation())

    # Transactions

    def commit(self, unit: Unit) -> str:
        """Write a unit: 'ok', 'stale' under one's epoch, or 'lost'."""
        row = self.flows[unit.flow.uuid]
        if row.epoch != unit.epoch:
            return 'lost'
        if row.turn != unit.turn:
            return 'stale'
        self._write(row, unit)
        return 'ok'

    def _write(self, row: FlowRow, unit: Unit) -> None:
        before = row.flow
        row.flow = unit.flow.copy()
        row.turn = unit.new_turn
        for atom in row.flow.atoms:
            if atom.request_uuid is not None:
                self.current.add(atom.request_uuid)
        if row.flow.terminal:
            row.owner = None
        if self.on_commit is not None:
            self.on_commit(before, row.flow)

    def renew(self, owner: str) -> int | None:
        """Renew a lease: the claims so far; None if the row was gone."""
        row = self.owners.get(owner)
        if row is None:
            self.owners[owner] = OwnerRow(1)
            return None
        row.value += 1
        return row.claims

    def claim(
        self, flow_uuid: str, me: str, watched: tuple[str, int | None] | None
    ) -> tuple[FlowRow, int] | None:
        """Become the owner; None if what was watched has moved."""
        row = self.flows[flow_uuid]
        if row.flow.terminal:
            return None
        if row.owner not in (None, me):
            if watched is None or watched[0] != row.owner:
                return None
            old = self.owners.get(row.owner)
            if (None if old is None else old.value) != watched[1]:
                return None
            if old is not None:
                old.claims += 1
        row.owner = me
        row.epoch += 1
        return dataclasses.replace(row, flow=row.flow.copy()), row.epoch

    def read(self, flow_uuid: str) -> FlowRow | None:
        """Read a flow."""
        row = self.flows.get(flow_uuid)
        if row is None:
            return None
        return dataclasses.replace(row, flow=row.flow.copy())

    def owned(self, me: str) -> dict[str, int]:
        """Read which flows one owns, with their epochs."""
        return {
            uuid: row.epoch
            for uuid, row in self.flows.items()
            if row.owner == me
        }

    def sweep(self) -> tuple[dict[str, int], list[tuple[str, str | None]]]:
        """Read the owners' rows, and who owns what is not ended."""
        return (
            {owner: row.value for owner, row in self.owners.items()},
            [
                (uuid, row.owner)
                for uuid, row in self.flows.items()
                if not row.flow.terminal
            ],
        )

    def store_late(self, flow_uuid: str, request_uuid: str) -> bool:
        """Store an outcome as late; False if it is current instead."""
        row = self.flows.get(flow_uuid)
        if row is None:
            return False
        for atom in row.flow.atoms:
            if atom.request_uuid == request_uuid and atom.running:
                return False
        self.late[request_uuid] = flow_uuid
        return True
