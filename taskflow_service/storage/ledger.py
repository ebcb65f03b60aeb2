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

import time
import typing

from taskflow_service import states
from taskflow_service.persistence import base
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
        self.next_action_at: float | None = None
        self._used = 0
        self._writer: base.Writer | None = None

    def stand(self, epoch: int, turn: int) -> None:
        """Say what the flow's row holds now."""
        self.epoch = epoch
        self.turn = turn
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
        pack = self.backend.pack
        self._used += 1
        change = unit.FlowChange(
            flow_uuid=record.flow_uuid,
            epoch=self.epoch,
            turn=self.turn,
            new_turn=self._used,
            state=record.state,
            meta=pack(record.meta) if record.changed else None,
            deadline=self.deadline,
            next_action_at=self.next_action_at,
            ended_at=time.time() if record.state in _ENDED else None,
            release=release,
        )
        change.atoms = [
            record.row(node, pack) for node in sorted(record.dirty)
        ]
        if record.injector_changed:
            change.atoms.append(record.injector_row(pack))
        for node in record.forgotten:
            change.forget_tries.append(record.uuid(node))
        for node in sorted(record.dirty):
            if type(record.results[node]) is list:
                change.tries.extend(self._tries(node))
        return change

    def _tries(self, node: int) -> list[unit.TryRow]:
        if not self.record.is_retry(node):
            return []
        return self.record.try_rows(
            node, typing.cast(base.Backend, self.backend).pack
        )

    def landed(self, change: unit.FlowChange) -> None:
        """Take note that a change is committed."""
        self.turn = change.new_turn
        record = self.record
        record.dirty.clear()
        record.forgotten.clear()
        record.changed = False
        record.injector_changed = False

    def save(self) -> None:
        """Commit what is unwritten, outside of a turn; blocks."""
        change = self.change()
        if change is None:
            return
        backend = typing.cast(base.Backend, self.backend)
        if self._writer is None:
            self._writer = backend.open_writer()
        committed = self._writer.commit([change])
        if change.flow_uuid in committed.refused:
            raise committed.refused[change.flow_uuid]
        if change.flow_uuid in committed.lost:
            raise base.ownership_lost(change.flow_uuid)
        self.landed(change)

    def close(self) -> None:
        """Give the connection that ``save`` keeps back."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
