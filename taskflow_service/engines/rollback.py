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

"""Take a flow back to its last commit, because a value is refused.

The server took what all other flows of the turn had to store, and of this
one it refuses what certain atoms have. So the flow goes on from what the
logbook holds, as whoever took it over would, with two differences: what runs
goes on, and the outcomes of the turn are taken once more, those of these
atoms as failures.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
import logging
import typing

from taskflow_service import exceptions
from taskflow_service import states
from taskflow_service.decisions import resumption
from taskflow_service.decisions import run as run_mod
from taskflow_service.engines import limits as limits_mod
from taskflow_service.engines import losses as losses_mod
from taskflow_service.engines import stage as stage_mod
from taskflow_service.engines import teller as teller_mod
from taskflow_service.executors import base as executors_base
from taskflow_service.persistence import models
from taskflow_service.persistence import unit
from taskflow_service.storage import ledger as ledger_mod
from taskflow_service.storage import record as record_mod
from taskflow_service.types import failure as ft

LOG = logging.getLogger(__name__)

Action = executors_base.Action
End = executors_base.End
Outcome = executors_base.Outcome
Request = executors_base.Request


_NOBODY: typing.Final[frozenset[str]] = frozenset()


class Driven(executors_base.Run, typing.Protocol):
    """The flow that is taken back."""

    run: run_mod.Run
    record: record_mod.Record
    ledger: ledger_mod.Ledger
    stage: stage_mod.Stage
    teller: teller_mod.Teller
    limits: limits_mod.Limits
    losses: losses_mod.Losses
    executor: executors_base.Executor
    requests: dict[int, Request]
    recorded: list[Request]
    held: int
    finished: bool
    handed_over: bool

    def stop(self) -> None: ...


class Rollback:
    """What one flow's turn has done that its commit makes final.

    :ivar taken: the outcomes that were taken since the last commit
    :ivar suspends: somebody wanted the flow suspended when it ended
    :ivar undecided: the core asks of what is stored, before it is told more
    """

    __slots__ = (
        '_blamed',
        '_discarded',
        '_drive',
        '_fatal',
        'suspends',
        'taken',
        'undecided',
    )

    def __init__(self, drive: Driven) -> None:
        self._drive = drive
        self.taken: list[Outcome] = []
        self.suspends = False
        self.undecided = False
        self._fatal = 0
        self._discarded = 0
        #: Who was blamed since the last commit.
        self._blamed = _NOBODY

    def committed(self) -> None:
        """Take note that there is no way back behind this point."""
        stage = self._drive.stage
        self.taken.clear()
        self._fatal = len(stage.fatal)
        self._discarded = stage.discarded
        if self._blamed:
            self._blamed = _NOBODY
            stage.refused.clear()

    def answer(
        self,
        poison: unit.Poison,
        placed: Sequence[Request],
        read: Callable[[], models.FlowDetail],
    ) -> list[Outcome] | None:
        """Go back; return the outcomes to take once more.

        None, with nothing touched, if there is nothing to replace: the
        failure of what was refused is refused as well, or it is no outcome.

        :param placed: what was to be started after the commit
        :param read: reads what the logbook holds; blocks
        """
        fresh = {
            name: error
            for name, error in poison.items()
            if name not in self._blamed
        }
        again, blamed = self._replaced(fresh)
        refused = self._of_retries(fresh)
        if len(again) == len(self.taken) and not (blamed or refused):
            return None
        detail = read()
        self._blamed |= blamed
        self._blamed |= set(map(self._name, refused))
        self._let_go(placed)
        self._restore(detail)
        self._drive.stage.refused.update(refused)
        self.taken.clear()
        return again

    # What is refused, and as what

    def _name(self, node: int) -> str:
        name: str = self._drive.record.atoms[node].name
        return name

    def _replaced(self, poison: unit.Poison) -> tuple[list[Outcome], set[str]]:
        """The outcomes with failures for those refused, and whose they are.

        Progress is left out. It may be all that is refused of a task, so
        that what came with it is taken once more as it is.
        """
        told = {
            self._name(outcome.request.node)
            for outcome in self.taken
            if outcome.end is None
        }
        outcomes: list[Outcome] = []
        blamed: set[str] = set()
        for outcome in self.taken:
            name = self._name(outcome.request.node)
            error = poison.get(name)
            if error is None:
                outcomes.append(outcome)
            elif outcome.end is None:
                LOG.warning(
                    'Progress of flow %s is not kept: %s',
                    self._drive.record.flow_uuid,
                    _named(error, name, 'progress', outcome.value),
                )
            elif name in told:
                outcomes.append(outcome)
            else:
                named = _named(error, name, _key(outcome), outcome.value)
                failure = ft.Failure.from_exception(named)
                outcomes.append(
                    outcome._replace(end=End.FAILED, value=failure)
                )
                blamed.add(name)
        return outcomes, blamed

    def _of_retries(self, poison: unit.Poison) -> dict[int, ft.Failure]:
        """The failures of retry controllers whose values are refused."""
        record = self._drive.record
        refused = {}
        for name, error in poison.items():
            node = record.index.get(name)
            if node is not None and record.is_retry(node):
                named = _named(error, name, 'result', None)
                refused[node] = ft.Failure.from_exception(named)
        return refused

    # Back

    def _let_go(self, placed: Sequence[Request]) -> None:
        """Give back what was placed; await again what had ended."""
        drive = self._drive
        drive.executor.release(list(placed))
        # Who takes their place is to know what they knew.
        for request in drive.executor.withdraw(drive):
            drive.losses.replace(request)
        drive.held = 0
        for request in placed:
            drive.requests.pop(request.node, None)
            drive.losses.replace(request)
        for outcome in self.taken:
            if outcome.end is not None:
                drive.requests[outcome.request.node] = outcome.request
        drive.recorded.clear()

    def _restore(self, detail: models.FlowDetail) -> None:
        drive, run = self._drive, self._drive.run
        record, stage = drive.record, drive.stage
        suspends = self.suspends or record.state == states.SUSPENDING
        drive.ledger.roll_back(detail)
        record.state = states.SUSPENDING if suspends else states.RUNNING
        record.changed = True
        drive.teller.staged.clear()
        del stage.fatal[self._fatal :]
        stage.discarded = self._discarded
        run.restart()
        resumption.begin(run, record.untouched, drive.limits.delayed())
        # What runs goes on.
        run.again.difference_update(drive.requests)
        run.aborted = run.aborted or bool(stage.fatal)
        drive.stop()
        self.undecided = True
        if drive.finished:
            drive.finished = drive.handed_over = False
            drive.limits.flow()


def _key(outcome: Outcome) -> str:
    """Say which of a task's values an outcome brings."""
    what = 'result' if outcome.end is End.OK else 'failure'
    return (
        f'revert {what}' if outcome.request.action is Action.REVERT else what
    )


def _named(
    error: exceptions.ValueNotStorable,
    name: str,
    key: str,
    value: typing.Any,
) -> exceptions.ValueNotStorable:
    """Say whose value it is, and of what type and size."""
    if error.task is not None:
        return error
    error = exceptions.ValueNotStorable(
        f'the database refuses a value of type {type(value).__name__} '
        f'({error.size} bytes as it is stored): {error.reason}',
        reason=error.reason,
        type_name=type(value).__name__,
        size=error.size,
    )
    return error.of(name, key)
