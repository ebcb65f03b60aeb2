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

"""Tell the listeners of a flow what happens to it, as TaskFlow does."""

from __future__ import annotations

import typing

from taskflow_service import states
from taskflow_service import task as task_mod
from taskflow_service.engines import base
from taskflow_service.storage import record as record_mod
from taskflow_service.types import failure as ft

#: How far a task is that has just entered a state.
_PROGRESS = {
    states.PENDING: 0.0,
    states.RUNNING: 0.0,
    states.REVERTING: 0.0,
    states.SUCCESS: 1.0,
    states.REVERTED: 1.0,
}


class Teller:
    """Stages the states of one flow and its atoms, and tells of them.

    Events and their details are made only where somebody listens.
    """

    __slots__ = (
        'engine',
        'loud',
        'record',
        'staged',
    )

    def __init__(self, engine: base.Engine, record: record_mod.Record) -> None:
        self.engine = engine
        self.record = record
        self.loud = self.heard
        #: What is to be told when it is committed.
        self.staged: list[base.Transition] = []

    def listen(self) -> None:
        """Find out, once a turn, whether anybody listens."""
        self.loud = self.heard

    @property
    def heard(self) -> bool:
        """Whether anybody listens to anything of this flow."""
        return self.engine.heard

    def committed(self) -> None:
        """Tell what the turn that was just committed made durable."""
        staged, self.staged = self.staged, []
        self.engine.commit_notifier.notify(
            base.COMMITTED, {'transitions': staged}
        )

    def flow_state(self, state: str) -> bool:
        """Change the flow's state and tell; False if that is no change.

        Raises ``InvalidState``.
        """
        record = self.record
        old = record.state or states.PENDING
        if not states.check_flow_transition(old, state):
            return False
        record.state = state
        record.changed = True
        if not self.heard:
            return True
        if self.engine.commit_notifier.heard:
            self.staged.append(
                base.Transition(
                    'flow', record.flow_name, record.flow_uuid, old, state
                )
            )
        if self.engine.notifier.heard:
            self.engine.notifier.notify(
                state,
                {
                    'engine': self.engine,
                    'flow_name': record.flow_name,
                    'flow_uuid': record.flow_uuid,
                    'old_state': old,
                },
            )
        return True

    def atom_state(
        self,
        node: int,
        state: str,
        *result: typing.Any,
        old: str | None = None,
    ) -> None:
        """Change an atom's state and tell; ``old`` if it is changed already.

        A result is told with it.
        """
        record = self.record
        if old is None:
            old = record.states[node]
            record.states[node] = state
        if record.tracks:
            record.dirty.add(node)
        if old == state:
            return
        if self.loud:
            if self.engine.commit_notifier.heard:
                self.staged.append(self._transition(node, state, old, result))
            if self.engine.atom_notifier.heard:
                self._tell(node, state, old, result)
        atom = record.atoms[node]
        if atom.heard and state in _PROGRESS:
            typing.cast(task_mod.Task, atom).update_progress(_PROGRESS[state])

    def _transition(
        self,
        node: int,
        state: str,
        old: str | None,
        result: tuple[typing.Any, ...],
    ) -> base.Transition:
        record = self.record
        failed = bool(result) and isinstance(result[0], ft.Failure)
        return base.Transition(
            'retry' if record.is_retry(node) else 'task',
            record.atoms[node].name,
            record.uuid(node),
            old or states.PENDING,
            state,
            record.attempts[node],
            result[0] if failed else None,
        )

    def _tell(
        self,
        node: int,
        state: str,
        old: str | None,
        result: tuple[typing.Any, ...],
    ) -> None:
        record = self.record
        kind = 'retry' if record.is_retry(node) else 'task'
        details: dict[str, typing.Any] = {
            f'{kind}_name': record.atoms[node].name,
            f'{kind}_uuid': record.uuid(node),
            'old_state': old,
        }
        if result:
            details['result'] = result[0]
        self.engine.atom_notifier.notify(state, details)
