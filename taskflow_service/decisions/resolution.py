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

"""From a failure to the region that reverts, and the reverting itself.

A failure is resolved by the nearest retry around it. One that answers REVERT
asks the retry around its own; where all of them say so, only the innermost
region reverts (TaskFlow's behaviour, unless ``defer_reverts``). A region is
the contiguous range of nodes that a retry controls, or the whole plan; it
reverts backwards by counting successors, as it ran forwards by counting
predecessors. A wider region takes over the narrower ones inside it, and a
decision never weakens one that is already being carried out.
"""

from __future__ import annotations

from taskflow_service import retry as retry_mod
from taskflow_service import states
from taskflow_service.decisions import events
from taskflow_service.decisions import run as run_mod

Run = run_mod.Run

#: The region of the whole plan.
ALL = -1


def resolve(run: Run, node: int) -> None:
    """Ask the retry around a failed atom, or revert everything."""
    retry = _controller(run, node)
    if run.cancelled:
        reconsider(run, node)
    elif retry == ALL:
        revert_all(run, node)
    else:
        run.ask(events.Resolve(retry, node))


def _controller(run: Run, node: int) -> int:
    """The nearest retry around a node, but for those that are ignored."""
    retry = run.plan.retry_of[node]
    while retry != ALL and run.state[retry] == states.IGNORE:
        retry = run.plan.retry_of[retry]
    return retry


def ignorable(run: Run, node: int) -> bool:
    """Whether nobody is to be asked about a failure of an atom."""
    return getattr(run.plan.items[node], 'ignore_failure', False)


def resolved(
    run: Run, question: events.Resolve, decision: retry_mod.Decision
) -> None:
    """Carry out what a retry decided, or ask the one around it."""
    retry = question.retry
    if decision == retry_mod.Decision.RETRY:
        _revert(run, retry, True, question.failed)
    elif decision == retry_mod.Decision.REVERT_ALL:
        revert_all(run, question.failed)
    else:
        chain = (*question.chain, retry)
        above = _controller(run, retry)
        if above != ALL:
            run.ask(events.Resolve(above, question.failed, chain))
        elif run.defer_reverts:
            revert_all(run, question.failed)
        else:
            _revert(run, chain[0], False, question.failed)


def cancel(run: Run) -> None:
    """Revert everything, whatever any retry would want."""
    run.cancelled = True
    run.failures.clear()
    if ALL not in run.active:
        begin_region(run, ALL, False)


def revert_all(run: Run, failed: int) -> None:
    """Revert everything that was done."""
    _revert(run, ALL, False, failed)


def reconsider(run: Run, node: int) -> None:
    """Revert an atom that ended after its region began to revert."""
    if (
        run.intention[node] == states.REVERT
        and run.undo
        and not run.undo[node]
    ):
        _clear(run, [node])


def retreat(run: Run, node: int) -> None:
    """Tell the predecessors of a node that it is reverted."""
    if node in run.active:
        del run.active[node]
        return
    _clear(run, _step_back(run, node))


def _revert(run: Run, retry: int, again: bool, failed: int) -> None:
    cover = _cover(run, retry)
    if cover is None:
        begin_region(run, retry, again)
        return
    if cover == retry and run.active[retry] and not again:
        run.active[retry] = False
        run.intention[retry] = states.REVERT
        reconsider(run, retry)
    reconsider(run, failed)


def _cover(run: Run, retry: int) -> int | None:
    """The active region that a retry's own lies in, None if there is none."""
    if ALL in run.active:
        return ALL
    while retry != ALL:
        if retry in run.active:
            return retry
        retry = run.plan.retry_of[retry]
    return None


def begin_region(run: Run, retry: int, again: bool) -> None:
    """Begin to revert a region, to try it again afterwards or not."""
    region = run.plan.region(retry)
    if not run.undo:
        run.undo = [0] * len(run.plan)
    for inner in [r for r in run.active if r in region]:
        del run.active[inner]
    run.active[retry] = again
    run.moved += (region,)
    successors, is_atom = run.plan.successors, run.plan.is_atom
    for node in region:
        run.undo[node] = len(successors[node])
        if is_atom(node):
            run.intention[node] = states.REVERT
    if again:
        run.intention[retry] = states.RETRY
    last = region[-1]
    run.undo[last] = 0
    _clear(run, [last])


def _step_back(run: Run, node: int) -> list[int]:
    cleared = []
    for before in run.plan.predecessors[node]:
        run.undo[before] -= 1
        if not run.undo[before]:
            cleared.append(before)
    return cleared


def _clear(run: Run, cleared: list[int]) -> None:
    """Revert, or pass, the nodes whose successors are all reverted."""
    while cleared:
        node = cleared.pop()
        if run.plan.is_atom(node):
            state = run.state[node]
            if state in (states.SUCCESS, states.FAILURE):
                if run.active.get(node):
                    run.call(node, events.Turn.RETRY)
                else:
                    run.offer_revert(node)
                continue
            if state not in _UNTOUCHED:
                continue
            if node in run.active:
                del run.active[node]
                continue
        cleared.extend(_step_back(run, node))


#: What has nothing to revert. What RUNS is reconsidered when it ends.
_UNTOUCHED = frozenset((states.PENDING, states.IGNORE, states.REVERTED))
