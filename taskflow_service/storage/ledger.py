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

"""From the live record to the units that are committed.

The ledger knows under which epoch and turn the flow's row stands, makes the
change that a turn writes, and takes note of what became of it.
"""

from __future__ import annotations

from collections.abc import Set
import contextlib
import time
import typing

from taskflow_service import exceptions
from taskflow_service import states
from taskflow_service.persistence import base
from taskflow_service.persistence import models
from taskflow_service.persistence import unit
from taskflow_service.storage import record as record_mod

_ENDED = frozenset((states.SUCCESS, states.FAILURE, states.REVERTED))


class Ledger:
    """The epoch, turn and unwritten changes of one flow."""

    def __init__(
        self, record: record_mod.Record, backend: base.Backend | None
    ) -> None:
        self.record = record
        self.backend = backend
        self.epoch = 0
        self.turn = 0
        self.deadline: float | None = None
        self._used = 0
        #: What of the row the last change of this run has left.
        self._landed: tuple[typing.Any, ...] | None = None
        self._staged: _Staged | None = None

    def stand(self, epoch: int, turn: int) -> None:
        """Say what the flow's row holds now."""
        self.epoch = epoch
        self.turn = turn
        self._landed = None
        self._used = max(self._used, turn)

    def change(self, release: bool = False) -> unit.FlowChange | None:
        """Make what is to be written now; None if there is nothing.

        Raises ``ValueNotStorable`` naming the atom whose value it is.
        """
        record = self.record
        if self.backend is None or not record.tracks:
            return None
        if not (
            record.dirty
            or record.changed
            or record.injector_changed
            or release
        ):
            return None
        staged = self._staged = _Staged(record)
        self._used += 1
        try:
            change = self._make(staged, self.backend.pack, release)
        except exceptions.StorageFailure:
            staged.put_back(record)
            raise
        change.steady = not release and self._landed == _seen(change)
        return change

    def _make(
        self, staged: _Staged, pack: record_mod.Pack, release: bool
    ) -> unit.FlowChange:
        record = self.record
        ended = record.state in _ENDED
        change = unit.FlowChange(
            flow_uuid=record.flow_uuid,
            epoch=self.epoch,
            turn=self.turn,
            new_turn=self._used,
            state=record.state,
            meta=pack(record.meta) if staged.changed else None,
            deadline=self.deadline,
            next_action_at=None if ended else self._next_action_at(),
            ended_at=time.time() if ended else None,
            release=release,
        )
        nodes = sorted(staged.dirty)
        atoms = change.atoms = [self._row(node, pack) for node in nodes]
        if staged.injector_changed:
            atoms.append(record.injector_row(pack))
        if staged.forgotten:
            change.forget_tries = list(map(record.uuid, staged.forgotten))
        retries = record.retries.intersection(nodes)
        if retries:
            change.tries = [
                each
                for node in sorted(retries)
                for each in record.new_tries(node, pack)
            ]
        return change

    def _next_action_at(self) -> float | None:
        waits = self.record.not_before
        return min(waits.values()) if waits else None

    def _row(self, node: int, pack: record_mod.Pack) -> unit.AtomRow:
        try:
            return self.record.row(node, pack)
        except exceptions.ValueNotStorable as error:
            name = self.record.atoms[node].name
            raise error.of(name, 'what is stored of it') from error

    def landed(self, change: unit.FlowChange) -> None:
        """Take note that a change is committed."""
        self.turn = change.new_turn
        self._landed = None if change.release else _seen(change)

    def roll_back(self, detail: models.FlowDetail) -> None:
        """Go back to the last commit, of which ``detail`` was just read.

        What the flow itself had to write is still to be written.
        """
        self.record.roll_back(detail)
        if self._staged is not None:
            self.record.changed |= self._staged.changed
            self.record.injector_changed |= self._staged.injector_changed

    def save(self) -> None:
        """Commit what is unwritten, outside of a turn; blocks.

        What is said of a flow that another process owns stays unwritten.
        """
        change = self.change()
        if change is None:
            return
        landed = False
        try:
            landed = self._write(change)
        finally:
            if not landed and self._staged is not None:
                self._staged.put_back(self.record)

    def _write(self, change: unit.FlowChange) -> bool:
        backend = typing.cast(base.Backend, self.backend)
        with contextlib.closing(backend.open_writer()) as writer:
            committed = writer.commit([change])
        refusal = committed.refused.get(change.flow_uuid)
        if isinstance(refusal, exceptions.FlowOwned):
            # Somebody runs it, or did until it died: what this engine was
            # told meanwhile is written once it has claimed the flow.
            return False
        if refusal is not None:
            raise refusal
        if change.flow_uuid in committed.lost:
            raise base.ownership_lost(change.flow_uuid)
        self.landed(change)
        # Outside of a run, others may write the row without a turn.
        self._landed = None
        return True


def _seen(change: unit.FlowChange) -> tuple[typing.Any, ...]:
    """What of a flow others look for, and databases keep an index of."""
    return change.state, change.next_action_at, change.ended_at


_NO_NODES: Set[int] = frozenset()


class _Staged:
    """What a record had to write when it was looked at.

    Taken out of the record at once, so that what another thread stages
    meanwhile belongs to the next change.
    """

    __slots__ = ('changed', 'dirty', 'forgotten', 'injector_changed')

    def __init__(self, record: record_mod.Record) -> None:
        self.dirty, record.dirty = record.dirty, set()
        self.forgotten: Set[int] = _NO_NODES
        if record.forgotten:
            self.forgotten, record.forgotten = record.forgotten, set()
        self.changed, record.changed = record.changed, False
        self.injector_changed = record.injector_changed
        record.injector_changed = False

    def put_back(self, record: record_mod.Record) -> None:
        """Undo the taking."""
        record.dirty |= self.dirty
        record.forgotten |= self.forgotten
        record.changed |= self.changed
        record.injector_changed |= self.injector_changed
