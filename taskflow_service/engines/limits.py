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

"""How long things of one flow may take, and what happens then."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set
import functools
import typing

from taskflow_service import clock as clock_mod
from taskflow_service import exceptions
from taskflow_service import states
from taskflow_service import task as task_mod
from taskflow_service.decisions import run as run_mod
from taskflow_service.engines import base
from taskflow_service.engines import callbacks
from taskflow_service.engines import timers as timers_mod
from taskflow_service.executors import base as executors_base
from taskflow_service.plan import plan as plan_mod
from taskflow_service.storage import ledger as ledger_mod
from taskflow_service.storage import record as record_mod
from taskflow_service.types import failure as ft

Monotonic = clock_mod.Monotonic
Request = executors_base.Request

#: Seconds that a cancelled task in a thread is given to end by itself.
CANCEL_GRACE = 5.0


class Driven(typing.Protocol):
    """The flow that is limited, as far as its limits concern it."""

    flow_uuid: str
    flow_name: str
    clock: clock_mod.Clock
    timers: timers_mod.Timers
    ledger: ledger_mod.Ledger
    executor: executors_base.Executor
    requests: dict[int, Request]
    plan: plan_mod.Plan
    run: run_mod.Run
    record: record_mod.Record
    controllers: callbacks.Controllers

    @property
    def away(self) -> float: ...

    @property
    def engine(self) -> base.Engine: ...

    def cancel(self, error: Exception, revert: bool) -> None: ...

    def give_up(self, request: Request, failure: ft.Failure) -> None: ...


class Limits:
    """Deadlines, timeouts and delays of one flow, as its timers."""

    def __init__(self, drive: Driven) -> None:
        self.drive = drive
        #: When atoms go on by themselves, after a delay, if still wanted.
        self._waiting: dict[int, Monotonic] = {}
        #: Of reverts: how many have failed, the last attempt of those, and
        #: when the first one did.
        self._tries: dict[int, tuple[int, int, Monotonic]] = {}
        self._heard: dict[int, float] = {}

    @property
    def waits(self) -> bool:
        """Whether something goes on by itself after a delay."""
        return bool(self._waiting) and any(
            map(self.drive.run.goes_on_later, self._waiting)
        )

    @property
    def _now(self) -> Monotonic:
        return self.drive.clock.monotonic()

    @property
    def _awake(self) -> float:
        """The time by which silence is judged.

        It stands still while the logbook is away: what was said meanwhile
        could not be heard.
        """
        return self._now - self.drive.away

    def _at(self, seconds: float, call: Callable[[], object]) -> None:
        self.drive.timers.at(Monotonic(self._now + seconds), call)

    def wait(
        self, node: int, due: Monotonic, call: Callable[[], object]
    ) -> None:
        """Let an atom go on at a time, and not at one that was said before."""
        self._waiting[node] = due

        def go_on() -> None:
            if self._waiting.get(node) != due:
                return
            del self._waiting[node]
            if self.drive.run.goes_on_later(node):
                call()

        self.drive.timers.at(due, go_on)

    # The flow

    def flow(self) -> None:
        """Have the flow cancelled at its deadline."""
        deadline = self.drive.ledger.deadline
        if deadline is not None:
            left = deadline - self.drive.engine.clock.now()
            self._at(left, self._flow_overdue)

    def _flow_overdue(self) -> None:
        drive = self.drive
        drive.cancel(
            exceptions.DeadlineExceeded(
                f'Flow {drive.flow_name!r} ({drive.flow_uuid}) had not ended '
                f'at its deadline'
            ),
            revert=True,
        )

    # Tasks

    def start(self, request: Request) -> None:
        """Watch over a request that starts here.

        On a worker the worker does: it knows when the task has started, and
        hears its signs of life at once.
        """
        if request.worker is not None:
            return
        task = request.task
        if task.run_timeout is not None:
            error = exceptions.RunTimeout(
                f'{self._what(request)} ran for longer than its run timeout '
                f'of {task.run_timeout} s'
            )
            self._at(
                task.run_timeout,
                functools.partial(self._overrun, request, error),
            )
        if task.heartbeat_timeout is not None:
            self._heard[request.node] = self._awake
            self._at(
                task.heartbeat_timeout,
                functools.partial(self._listen, request),
            )

    def _what(self, request: Request) -> str:
        return (
            f'{request.action.capitalize()} of task {request.task.name!r} of '
            f'flow {self.drive.flow_uuid}'
        )

    def _current(self, request: Request) -> bool:
        return self.drive.requests.get(request.node) is request

    def alive(self, request: Request) -> None:
        """Take note of a sign of life."""
        if request.task.heartbeat_timeout is not None:
            self._heard[request.node] = self._awake

    def _listen(self, request: Request) -> None:
        if not self._current(request):
            return
        allowed = typing.cast(float, request.task.heartbeat_timeout)
        silent = self._awake - self._heard[request.node]
        if silent < allowed:
            self._at(
                allowed - silent, functools.partial(self._listen, request)
            )
            return
        error = exceptions.HeartbeatTimeout(
            f'{self._what(request)} gave no sign of life for its heartbeat '
            f'timeout of {allowed} s'
        )
        self._overrun(request, error)

    def _overrun(self, request: Request, error: Exception) -> None:
        if self._current(request):
            self._stop(request, ft.Failure.from_exception(error), str(error))

    def _stop(self, request: Request, why: ft.Failure, reason: str) -> None:
        if request.timed_out is None:
            request.timed_out = why
        self.drive.executor.cancel(request, reason)
        if not self.drive.executor.enforces:
            self._at(
                self.drive.engine.options.get('cancel_grace', CANCEL_GRACE),
                functools.partial(self.drive.give_up, request, why),
            )

    def cancel_all(self, reason: str) -> None:
        """Cancel every request that executes; reverts are let end."""
        for request in list(self.drive.requests.values()):
            if request.action is executors_base.Action.EXECUTE:
                why = ft.Failure.from_exception(
                    exceptions.Cancelled(
                        f'{self._what(request)} was cancelled: {reason}',
                        reason=reason,
                    )
                )
                self._stop(request, why, reason)

    def revert_again(self, node: int) -> bool:
        """Have a failed revert tried again later, if its task wants that."""
        task = typing.cast(task_mod.Task, self.drive.plan.items[node])
        backoff = getattr(task, 'revert_backoff', None)
        if backoff is None:
            return False
        attempt = self.drive.record.attempts[node]
        tries, counted, began = self._tries.get(node, (0, 0, self._now))
        if attempt != counted:
            # Else its failure is taken once more, after a way back.
            tries += 1
        self._tries[node] = tries, attempt, began
        delay = backoff.delay_for(tries, self.drive.controllers.rng)
        if not backoff.allows(self._now - began, delay):
            return False
        self.drive.record.wait_until(
            node, self.drive.engine.clock.now() + delay
        )
        self._revert_at(node, Monotonic(self._now + delay))
        return True

    def _revert_at(self, node: int, due: Monotonic) -> None:
        def again() -> None:
            self.drive.run.again.add(node)
            self.drive.run.offer_revert(node)

        self.wait(node, due, again)

    def delayed(self) -> Set[int]:
        """Wait for what is stored to be reverted again at a later time.

        Returns those atoms.
        """
        record, now = self.drive.record, self.drive.engine.clock.now()
        found = set()
        for node, when in record.not_before.items():
            if record.states[node] == states.REVERT_FAILURE and when > now:
                found.add(node)
                if node not in self._waiting:
                    self._revert_at(node, Monotonic(self._now + when - now))
        return found
