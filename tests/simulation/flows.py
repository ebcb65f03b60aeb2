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
"""A small model of a flow: what the loop decides, over a copy of its state.

Tasks in a graph; a failure stops new executes, and when nothing runs any more
all that was begun is reverted, dependents first.
"""

from __future__ import annotations

import copy
import dataclasses
import enum

from taskflow_service.protocol import messages
from taskflow_service.protocol.engine import turn
from taskflow_service.protocol.messages import Action
from taskflow_service.protocol.messages import End


class State(enum.StrEnum):
    PENDING = 'PENDING'
    RUNNING = 'RUNNING'
    SUCCESS = 'SUCCESS'
    FAILURE = 'FAILURE'
    REVERTING = 'REVERTING'
    REVERTED = 'REVERTED'
    REVERT_FAILURE = 'REVERT_FAILURE'


@dataclasses.dataclass(slots=True, frozen=True)
class Spec:
    """A task as its author wrote it."""

    name: str
    task: str
    after: tuple[int, ...]
    idempotent: bool
    probes: bool
    seconds: float
    fails: bool
    start_timeout: float | None = None


class Atom:
    """A row."""

    __slots__ = (
        'spec',
        'state',
        'attempt',
        'losses',
        'action',
        'request_uuid',
        'worker',
        'retry',
        'value',
        'avoid',
    )

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.state = State.PENDING
        self.attempt = 0
        self.losses = 0
        self.action = Action.EXECUTE
        self.request_uuid: str | None = None
        self.worker: messages.Peer | None = None
        #: Given up on suspicion: a new attempt is wanted, but until that
        #: is committed the outcome of the old request still counts.
        self.retry = False
        self.value: str | None = None
        #: The incarnation that lost what a probe asks about.
        self.avoid: str | None = None

    @property
    def running(self) -> bool:
        return self.state in (State.RUNNING, State.REVERTING)

    @property
    def wants(self) -> bool:
        """Whether it runs and needs a request."""
        return self.running and (self.request_uuid is None or self.retry)


class Flow:
    """A flow and its atoms."""

    def __init__(self, uuid: str, specs: list[Spec]) -> None:
        self.uuid = uuid
        self.atoms = [Atom(spec) for spec in specs]
        self.failing = False
        self.state = 'RUNNING'

    def copy(self) -> Flow:
        twin = copy.copy(self)
        twin.atoms = [copy.copy(atom) for atom in self.atoms]
        return twin

    @property
    def terminal(self) -> bool:
        return self.state != 'RUNNING'

    def advance(self) -> None:
        """Make atoms that may run wanting, and find the flow's end."""
        atoms = self.atoms
        if not self.failing:
            for atom in atoms:
                if atom.state is State.PENDING and all(
                    atoms[i].state is State.SUCCESS for i in atom.spec.after
                ):
                    self._begin(atom, State.RUNNING, Action.EXECUTE)
            if all(atom.state is State.SUCCESS for atom in atoms):
                self.state = 'SUCCESS'
            return
        for atom in atoms:
            if atom.state is State.RUNNING and atom.request_uuid is None:
                # It has not started, and need not any more.
                atom.state = State.FAILURE
        if any(atom.state is State.RUNNING for atom in atoms):
            return
        if any(atom.state is State.REVERT_FAILURE for atom in atoms):
            if not any(atom.running for atom in atoms):
                self.state = 'FAILURE'
            return
        needed = {
            i
            for atom in atoms
            if atom.state not in (State.PENDING, State.REVERTED)
            for i in atom.spec.after
        }
        for index, atom in enumerate(atoms):
            if index not in needed and atom.state in (
                State.SUCCESS,
                State.FAILURE,
            ):
                self._begin(atom, State.REVERTING, Action.REVERT)
        if not any(
            atom.state not in (State.PENDING, State.REVERTED) for atom in atoms
        ):
            self.state = 'REVERTED'

    @staticmethod
    def _begin(atom: Atom, state: State, action: Action) -> None:
        atom.state = state
        atom.action = action
        atom.attempt += 1
        atom.request_uuid = None
        atom.retry = False

    def outcome(
        self, atom: Atom, end: End, value: str | None, max_losses: int
    ) -> None:
        """Apply the end of the current request of an atom."""
        spec = atom.spec
        atom.losses += turn.counts(end)
        follows = turn.after(
            atom.action,
            end,
            idempotent=spec.idempotent,
            probes=spec.probes,
            losses=atom.losses,
            max_losses=max_losses,
        )
        if follows is turn.Next.RECORD:
            self._record(atom, end, value)
        elif follows is turn.Next.AGAIN:
            atom.request_uuid = None
            atom.retry = False
        elif follows is turn.Next.RETRY:
            atom.retry = True
        elif follows is turn.Next.PROBE:
            if atom.action is Action.EXECUTE and atom.worker is not None:
                atom.avoid = atom.worker.incarnation
            atom.action = Action.PROBE
            atom.request_uuid = None
        else:
            self._fail(atom)

    def _record(self, atom: Atom, end: End, value: str | None) -> None:
        atom.retry = False
        if end is not End.OK:
            self._fail(atom)
        elif atom.action is Action.REVERT:
            atom.state = State.REVERTED
        elif atom.action is Action.PROBE and value == 'not done':
            if self.failing:
                self._fail(atom)
            else:
                self._begin(atom, State.RUNNING, Action.EXECUTE)
        else:
            atom.state = State.SUCCESS
            atom.value = value

    def _fail(self, atom: Atom) -> None:
        atom.retry = False
        if atom.action is Action.REVERT:
            atom.state = State.REVERT_FAILURE
        else:
            atom.state = State.FAILURE
            self.failing = True
