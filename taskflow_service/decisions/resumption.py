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

"""Begin a run from whatever states the logbook holds."""

from __future__ import annotations

from collections.abc import Container

from taskflow_service import states
from taskflow_service.decisions import events
from taskflow_service.decisions import resolution
from taskflow_service.decisions import run as run_mod
from taskflow_service.plan import plan as plan_mod

Run = run_mod.Run


def begin(
    run: Run, fresh: bool = False, delayed: Container[int] = ()
) -> list[int]:
    """Make ready what comes first, or next where the run had stopped.

    ``fresh`` says that every atom is PENDING; ``delayed`` are atoms whose
    failed revert is to be tried again later, by the caller. Returns the atoms
    that were RUNNING or REVERTING: they are queued for a new request of the
    same attempt, unless the caller attaches to the one that they have.
    """
    if fresh:
        run.enter([run.plan.root])
        return []
    interrupted = [
        node
        for node in run.plan.atoms()
        if run.state[node] in (states.RUNNING, states.REVERTING)
    ]
    run.again.update(interrupted)
    _restart_retries(run)
    run.enter([run.plan.root])
    _resume_reverting(run)
    for node in interrupted:
        _requeue(run, node)
    for node in list(run.plan.atoms()):
        if run.state[node] == states.FAILURE:
            _resolve_again(run, node)
        elif run.state[node] == states.REVERT_FAILURE and node not in delayed:
            run.again.add(node)
            run.offer_revert(node)
    return interrupted


def _restart_retries(run: Run) -> None:
    for node in list(run.plan.atoms()):
        if run.state[node] == states.RETRYING:
            run.intention[node] = states.RETRY
            run.call(node, events.Turn.RETRY)


def _resume_reverting(run: Run) -> None:
    """Find the regions that were reverting, the widest ones only."""
    regions: set[int] = set()
    for node in run.plan.atoms():
        if run.intention[node] not in (states.REVERT, states.RETRY):
            continue
        root = resolution.ALL
        at = (
            node
            if run.plan.kinds[node] is plan_mod.Kind.RETRY
            else run.plan.retry_of[node]
        )
        while at != resolution.ALL:
            if run.intention[at] in (states.REVERT, states.RETRY):
                root = at
            at = run.plan.retry_of[at]
        # What is RETRYING has reverted, and only wants to be reset.
        if root == resolution.ALL or run.state[root] != states.RETRYING:
            regions.add(root)
    if resolution.ALL in regions or all(
        run.intention[node] == states.REVERT for node in run.plan.atoms()
    ):
        regions = {resolution.ALL}
    for retry in sorted(regions):
        again = retry >= 0 and run.intention[retry] == states.RETRY
        resolution.begin_region(run, retry, again)


def _requeue(run: Run, node: int) -> None:
    if run.state[node] == states.RUNNING:
        run.offer_execute(node)
    else:
        run.offer_revert(node)


def _resolve_again(run: Run, node: int) -> None:
    if resolution.ignorable(run, node):
        return
    if run.never_resolve:
        run.aborted = True
    else:
        resolution.resolve(run, node)
