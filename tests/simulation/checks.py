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
"""What really happened, and which promises it breaks.

The ledger is where tasks leave their effects: independent of engines, workers
and database, it knows when each run began and how it ended.
"""

from __future__ import annotations

import collections
import dataclasses
import math

from taskflow_service.protocol import messages
from taskflow_service.protocol.messages import Action
from taskflow_service.protocol.messages import End
from tests.simulation import bus
from tests.simulation import database
from tests.simulation import flows


@dataclasses.dataclass(slots=True, eq=False)
class Run:
    """One start of a task's execute, revert or probe."""

    request: messages.Request
    spec: flows.Spec
    worker: bus.Process
    since: float
    #: When its process is killed, if it is.
    dies: float = math.inf
    until: float = math.inf
    ended: bool = False
    stopped: bool = False
    done: bool = False


class Ledger:
    """All runs, and the violations found."""

    def __init__(self, world: bus.World, base: database.Database) -> None:
        self._world = world
        self._base = base
        self.specs: dict[tuple[str, str], flows.Spec] = {}
        self.runs: dict[tuple[str, str], list[Run]] = collections.defaultdict(
            list
        )
        #: What ran lately on each worker.
        self.here: dict[str, list[Run]] = collections.defaultdict(list)
        self.violations: list[str] = []
        self.counts: collections.Counter[str] = collections.Counter()
        #: How often each atom's request was handed back.
        self.again: collections.Counter[tuple[str, int]] = (
            collections.Counter()
        )
        #: A fault of a kind for which the design promises less.
        self.excused = False
        #: What must not happen at all in a scenario, by its count.
        self.forbidden: tuple[str, ...] = ()
        base.on_commit = self.committed

    def violate(self, *words: object) -> None:
        text = f'at {self._world.time:.3f}: ' + ' '.join(map(str, words))
        self.violations.append(text)
        self._world.say('VIOLATION', *words)

    # Runs

    def started(self, worker: bus.Process, request: messages.Request) -> Run:
        """Take note of a start, and judge it by all that came before."""
        key = (request.flow_uuid, request.atom)
        spec = self.specs[key]
        run = Run(request, spec, worker, self._world.time)
        self._world.say(worker.peer.incarnation, 'starts', request)
        if request.request_uuid not in self._base.current:
            self.violate('started but never committed:', request)
        self._room(run)
        earlier = self.runs[key]
        for other in earlier:
            self._compare(run, other)
        earlier.append(run)
        self.counts[f'runs {request.action}'] += 1
        return run

    def _room(self, run: Run) -> None:
        """Count what runs on the same worker: no more than its slots."""
        extra = run.request.action is not Action.EXECUTE
        beside = [
            other
            for other in self.here[run.worker.peer.incarnation]
            if other.until > run.since and other.dies > run.since
        ]
        same = sum(
            (other.request.action is not Action.EXECUTE) == extra
            for other in beside
        )
        if same >= (1 if extra else run.worker.slots):
            self.violate('more than there are slots:', run.request)
        self.here[run.worker.peer.incarnation] = [*beside, run]

    def _compare(self, run: Run, other: Run) -> None:
        request, before = run.request, other.request
        if request.request_uuid == before.request_uuid:
            self.violate('a request ran twice:', request)
        elif (
            request.attempt == before.attempt
            and request.action is before.action
            and request.action is not Action.PROBE
        ):
            self.violate('an attempt ran twice:', before, 'and', request)
        running = other.until > run.since and other.dies > run.since
        if (
            request.action is Action.EXECUTE
            and before.action is Action.EXECUTE
            and not run.spec.idempotent
        ):
            if self.excused:
                self.counts['excused'] += 1
            elif running:
                self.violate('two at once:', before, 'and', request)
            elif other.done:
                self.violate('done and run again:', before, 'and', request)
        if (
            request.action is Action.REVERT
            and before.action is Action.EXECUTE
            and running
        ):
            # An accepted limit after a long pause and in a split broker,
            # and beside a superseded idempotent do.
            self.counts['undo beside do'] += 1
            if not (self.excused or run.spec.idempotent):
                self.violate('undo beside do:', before, 'and', request)

    def ended(self, run: Run) -> tuple[End, str | None]:
        """Let a run come to its natural end."""
        run.ended = True
        run.until = self._world.time
        if run.request.action is Action.PROBE:
            key = (run.request.flow_uuid, run.request.atom)
            done = [
                other
                for other in self.runs[key]
                if other.done and other.request.action is Action.EXECUTE
            ]
            if any(
                other.until > self._world.time and other.dies > other.until
                for other in self.runs[key]
                if other.request.action is Action.EXECUTE
            ):
                self.counts['probe beside do'] += 1
            if done:
                return End.OK, done[-1].request.request_uuid
            return End.OK, 'not done'
        run.done = True
        if run.spec.fails and run.request.action is Action.EXECUTE:
            return End.FAILED, run.request.request_uuid
        return End.OK, run.request.request_uuid

    def fenced(self, worker: bus.Process) -> None:
        self.counts['fences'] += 1

    # Commits

    def committed(self, before: flows.Flow, after: flows.Flow) -> None:
        """Check that a commit moved atoms only as it may."""
        for old, new in zip(before.atoms, after.atoms, strict=True):
            if old.state is new.state:
                continue
            if old.state in (
                flows.State.REVERTED,
                flows.State.REVERT_FAILURE,
            ):
                self.violate('a final state was left:', after.uuid)
            if new.state is flows.State.SUCCESS:
                self._accepted(after, old, new)

    def _accepted(
        self, flow: flows.Flow, old: flows.Atom, new: flows.Atom
    ) -> None:
        if old.state is not flows.State.RUNNING:
            self.violate('a result for what did not run:', flow.uuid)
        if new.request_uuid != old.request_uuid:
            self.violate('a result for another request:', flow.uuid)
        key = (flow.uuid, new.spec.name)
        good = [
            run
            for run in self.runs[key]
            if run.request.request_uuid == new.value and run.done
        ]
        probed = new.action is Action.PROBE
        if not good or (not probed and new.value != new.request_uuid):
            self.violate(
                'a wrong result:', flow.uuid, new.spec.name, new.value
            )

    def finish(self) -> None:
        """Judge what is left when everything had time to settle."""
        for name in self.forbidden:
            if self.counts[name]:
                self.violate('needless:', name, self.counts[name])
        for uuid, row in self._base.flows.items():
            if not row.flow.terminal:
                self.violate(
                    'stuck:',
                    uuid,
                    [
                        (
                            str(atom.state),
                            atom.request_uuid,
                            str(atom.worker and atom.worker.incarnation),
                        )
                        for atom in row.flow.atoms
                    ],
                )
            self._effects(uuid, row.flow)

    def _effects(self, uuid: str, flow: flows.Flow) -> None:
        """What is SUCCESS was done; what is REVERTED was undone last."""
        for atom in flow.atoms:
            runs = self.runs[uuid, atom.spec.name]
            does = [r for r in runs if r.request.action is Action.EXECUTE]
            if atom.state is flows.State.SUCCESS and not any(
                run.done for run in does
            ):
                self.violate('success of nothing:', uuid, atom.spec.name)
