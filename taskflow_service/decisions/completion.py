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

"""What an outcome, or a decider's answer, does to a run."""

from __future__ import annotations

from taskflow_service import deciders
from taskflow_service import states
from taskflow_service.decisions import events
from taskflow_service.decisions import resolution
from taskflow_service.decisions import run as run_mod
from taskflow_service.plan import plan as plan_mod

Run = run_mod.Run


def started(run: Run, node: int, reverting: bool) -> None:
    """Mark an atom that was taken as RUNNING or REVERTING."""
    run.state[node] = states.REVERTING if reverting else states.RUNNING
    run.taken[node] = 0
    if run.again:
        run.again.discard(node)


def succeeded(run: Run, node: int) -> None:
    """An execute ended well: successors may be ready."""
    run.wave += 1
    run.state[node] = states.SUCCESS
    if run.intention[node] == states.EXECUTE:
        run.leave(node)
    else:
        resolution.reconsider(run, node)


def failed(run: Run, node: int) -> None:
    """An execute failed: ignore it, or have its retry resolve it."""
    run.wave += 1
    run.state[node] = states.FAILURE
    if resolution.ignorable(run, node):
        if run.intention[node] == states.EXECUTE:
            run.intention[node] = states.IGNORE
            run.leave(node)
        else:
            resolution.reconsider(run, node)
    elif run.never_resolve:
        run.aborted = True
    else:
        resolution.resolve(run, node)


def reverted(run: Run, node: int) -> None:
    """A revert ended well: predecessors may be ready to revert."""
    run.wave += 1
    run.state[node] = states.REVERTED
    resolution.retreat(run, node)


def revert_failed(run: Run, node: int) -> None:
    """A revert failed: nothing else is started."""
    run.state[node] = states.REVERT_FAILURE
    run.aborted = True


def retried(run: Run, retry: int) -> list[int]:
    """Make a retry's region ready for its next try.

    The retry itself becomes RETRYING and is to be executed at once. Returns
    the atoms that were reset to PENDING, in the order of definition.
    """
    run.active.pop(retry, None)
    run.state[retry] = states.RETRYING
    run.intention[retry] = states.EXECUTE
    region = run.plan.region(retry)
    run.moved += (region,)
    reset = []
    for node in region[1:]:
        run.remaining[node] = len(run.plan.predecessors[node])
        if run.plan.is_atom(node):
            run.intention[node] = states.EXECUTE
            if run.state[node] != states.PENDING:
                run.state[node] = states.PENDING
                reset.append(node)
    return reset


def decided(
    run: Run, question: events.Decide, depth: deciders.Depth | None
) -> list[int]:
    """Let a guarded node run (None), or ignore it as deep as is said.

    Returns the atoms that are ignored by it, the guarded ones first.
    """
    node = question.node
    is_atom = run.plan.is_atom(node)
    if depth is None:
        if is_atom:
            run.offer_execute(node)
        else:
            run.leave(node)
        return []
    guarded = [node] if is_atom else list(run.plan.entries(node))
    ignored = []
    for atom in guarded:
        for target in _affected(run.plan, atom, depth):
            if run.state[target] == states.PENDING:
                run.state[target] = states.IGNORE
                run.intention[target] = states.IGNORE
                ignored.append(target)
    run.leave(node)
    return ignored


def _affected(
    plan: plan_mod.Plan, atom: int, depth: deciders.Depth
) -> list[int]:
    """The atoms that TaskFlow's depths name, the guarded one first."""
    if depth == deciders.Depth.ALL:
        return [atom, *plan.reach(atom)]
    if depth == deciders.Depth.FLOW:
        return [atom, *plan.reach(atom, through_flows=False)]
    if depth == deciders.Depth.NEIGHBORS:
        return [
            atom,
            *(
                node
                for node in plan.successors[atom]
                if plan.kinds[node] is plan_mod.Kind.TASK
            ),
        ]
    return [atom]
