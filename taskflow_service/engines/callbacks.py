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

"""Ask user code what only it can answer: deciders and retry controllers.

Whatever they raise is the run's own failure: the flow ends in FAILURE, with
nothing half decided, and ``run()`` raises it.
"""

from __future__ import annotations

import random
import typing

from taskflow_service import clock as clock_mod
from taskflow_service import deciders
from taskflow_service import retry as retry_mod
from taskflow_service import states
from taskflow_service.decisions import events
from taskflow_service.plan import plan as plan_mod
from taskflow_service.storage import binding as binding_mod
from taskflow_service.storage import record as record_mod
from taskflow_service.types import failure as ft


def decide(
    plan: plan_mod.Plan, record: record_mod.Record, question: events.Decide
) -> deciders.Depth | None:
    """Ask the deciders of a node; None lets it run.

    Each is given the results, by name, of the atoms that the links of this
    node come from; those that were ignored are left out and their links not
    asked. Of several that object the widest depth counts.
    """
    guards = plan.guards[question.node]
    history = {}
    for guard in guards:
        source = guard.source
        if plan.is_atom(source) and record.states[source] != states.IGNORE:
            history[plan.name_of(source)] = _result(record, source)
    objecting = []
    for guard in guards:
        source = guard.source
        if plan.is_atom(source) and plan.name_of(source) not in history:
            continue
        if not guard.decider(history=history):
            objecting.append(guard.depth)
    return deciders.pick_widest(objecting) if objecting else None


def _result(record: record_mod.Record, node: int) -> typing.Any:
    if record.is_retry(node):
        return record.history(node)
    result = record.results[node]
    return None if result is record_mod.NOTHING else result


_RANDOM = random.SystemRandom()


class Controllers:
    """The retry controllers of one flow, with arguments and histories."""

    def __init__(
        self,
        record: record_mod.Record,
        binding: binding_mod.Binding,
        clock: clock_mod.Clock,
        rng: retry_mod.Random = _RANDOM,
    ) -> None:
        self.record = record
        self.binding = binding
        self.clock = clock
        self.rng = rng
        #: When the first try of a retry began, and the next one may begin.
        self._began: dict[int, clock_mod.Monotonic] = {}
        self._not_before: dict[int, clock_mod.Monotonic] = {}

    def _retry(self, node: int) -> retry_mod.Retry:
        return typing.cast(retry_mod.Retry, self.record.atoms[node])

    def _history(self, node: int) -> retry_mod.History:
        return retry_mod.History(
            self.record.history(node), failure=self.record.failures.get(node)
        )

    def try_number(self, node: int) -> int:
        """Which try of a retry is on, from 1; 1 too where there is none."""
        return (len(self.record.history(node)) or 1) if node >= 0 else 1

    def not_before(self, node: int) -> clock_mod.Monotonic | None:
        """When the next try may begin; None for at once."""
        due = self._not_before.get(node)
        if due is None and node in self.record.not_before:
            # From a run before this one, by the wall clock.
            left = self.record.not_before[node] - self.clock.now()
            due = clock_mod.Monotonic(self.clock.monotonic() + left)
            self._not_before[node] = due
        return due

    def forget(self, node: int) -> None:
        """Have the time of a retry that is reset begin anew."""
        self._began.pop(node, None)
        self._not_before.pop(node, None)

    def execute(self, node: int) -> typing.Any:
        """Begin a try; return what its tasks may use."""
        retry = self._retry(node)
        self._not_before.pop(node, None)
        self._began.setdefault(node, self.clock.monotonic())
        arguments = self.binding.arguments(node)
        retry.pre_execute()
        value = retry.execute(history=self._history(node), **arguments)
        retry.post_execute()
        return value

    def revert(self, node: int, failures: dict[str, ft.Failure]) -> typing.Any:
        """Undo what the tries did."""
        retry = self._retry(node)
        arguments = self.binding.revert_arguments(node)
        given = {'history': self._history(node), 'flow_failures': failures}
        accepted = retry.revert_accepts
        arguments.update(
            (name, value) for name, value in given.items() if name in accepted
        )
        retry.pre_revert()
        value = retry.revert(**arguments)
        retry.post_revert()
        return value

    def resolve(self, node: int, told: int, failed: int) -> retry_mod.Decision:
        """Add a failure to the last try, and ask what to do about it."""
        record = self.record
        failure = record.failures[failed]
        tries = record.history(node)
        if tries:
            tries[-1][1].setdefault(record.atoms[told].name, failure)
            record.touch(node)
        retry = self._retry(node)
        now = self.clock.monotonic()
        delay = retry.delay_for(len(tries) or 1, self.rng)
        decision = retry.decide(
            self._history(node),
            self.binding.arguments(node),
            elapsed=now - self._began.setdefault(node, now),
            delay=delay,
        )
        # Who is asked once more, because the process before this one ended,
        # waits no longer for that.
        resumed = node in record.not_before and node not in self._not_before
        if decision == retry_mod.Decision.RETRY and delay and not resumed:
            self._not_before[node] = clock_mod.Monotonic(now + delay)
            record.wait_until(node, self.clock.now() + delay)
        return decision
