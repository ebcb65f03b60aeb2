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

"""One flow on its way through a loop: what a turn does to it.

A turn has three parts. ``take`` stages what ended, tells the listeners and
decides; ``place`` asks the executor which of the ready atoms it has room
for; ``announce`` stages and tells that they are RUNNING and binds their
arguments. Then the loop commits and starts them. ``take`` and ``announce``
call user code, ``place`` and the rest do not; between two parts nothing else
touches the flow.
"""

from __future__ import annotations

from collections.abc import Iterable
import logging
import threading
import typing

from taskflow_service import clock as clock_mod
from taskflow_service import exceptions
from taskflow_service import masking
from taskflow_service import states
from taskflow_service import task as task_mod
from taskflow_service.decisions import completion
from taskflow_service.decisions import events
from taskflow_service.decisions import resolution
from taskflow_service.decisions import resumption
from taskflow_service.decisions import run as run_mod
from taskflow_service.engines import base
from taskflow_service.engines import callbacks
from taskflow_service.engines import limits as limits_mod
from taskflow_service.engines import losses as losses_mod
from taskflow_service.engines import offer as offer_mod
from taskflow_service.engines import rollback as rollback_mod
from taskflow_service.engines import stage as stage_mod
from taskflow_service.engines import teller as teller_mod
from taskflow_service.engines import timers as timers_mod
from taskflow_service.engines import wishes as wishes_mod
from taskflow_service.executors import base as executors_base
from taskflow_service.types import failure as ft

LOG = logging.getLogger(__name__)

Action = executors_base.Action
End = executors_base.End
Request = executors_base.Request

_EXECUTE = Action.EXECUTE
_OK = End.OK
_FAILED = (End.FAILED, End.CANCELLED)


class Keeper(typing.Protocol):
    """The loop, as a flow sees it."""

    clock: clock_mod.Clock
    #: The thread that commits turns.
    thread: int

    @property
    def away(self) -> float:
        """For how many seconds, all in all, the logbook was away."""

    def poke(self, drive: Drive) -> None:
        """Have a flow take its turn though nothing of it ended."""

    def alarm(self, drive: Drive, due: clock_mod.Monotonic) -> None:
        """Have a flow take its turn at a time."""


def _core(engine: base.Engine) -> run_mod.Run:
    record, options = engine.storage.record, engine.options
    return run_mod.Run(
        engine.plan,
        record.states,
        record.intentions,
        defer_reverts=bool(options.get('defer_reverts')),
        never_resolve=bool(options.get('never_resolve')),
    )


class Drive:
    """Takes one flow from its first turn to its last.

    It is the ``Run`` that executors know a flow by. ``requests`` are those
    that are placed or run, by node: an outcome counts only for the current
    request of its atom.
    """

    #: Another process is to go on with the flow.
    handing_over = False
    #: The flow's run is over here, and not for good.
    handed_over = False
    #: Its end is committed.
    landed = False
    #: See ``executors.base.Run``.
    share = 0
    #: Whether a flow that is cancelled reverts what was done.
    _reverts = True

    def __init__(
        self,
        engine: base.Engine,
        executor: executors_base.Executor,
        loop: Keeper,
    ) -> None:
        self.engine = engine
        self._loop = loop
        self.storage = engine.storage
        self.record = engine.storage.record
        self.binding = engine.storage.binding
        self.ledger = engine.storage.ledger
        self.executor = executor
        self.clock = loop.clock
        self.plan = engine.plan
        self.flow_uuid = self.record.flow_uuid
        self.flow_name = self.record.flow_name
        self.epoch = self.ledger.epoch
        self.context: dict[str, typing.Any] | None = engine.context
        self.run = _core(engine)
        self.teller = teller_mod.Teller(engine, self.record)
        self.timers = timers_mod.Timers(self)
        self.has_user_code = self.plan.has_user_code
        self.limits = limits_mod.Limits(self)
        self.controllers = callbacks.Controllers(
            self.record, self.binding, loop.clock
        )
        self.stage = stage_mod.Stage(
            engine.storage,
            self.run,
            self.teller,
            self.controllers,
            self.limits,
        )
        self.losses = losses_mod.Losses(
            engine, self.record, self.run, self.stage
        )
        self.requests: dict[int, Request] = {}
        #: Requests whose outcomes the next commit records; told to who is
        #: elsewhere and keeps them until then.
        self.recorded: list[Request] = []
        #: How many requests the executor took and has not placed yet.
        self.held = 0
        #: Why it was cancelled; raised in place of anything else.
        self.cancelled: ft.Failure | None = None
        self.finished = False
        #: Why the flow cannot go on here: nothing of it is written any more.
        self.error: BaseException | None = None
        self.rollback = rollback_mod.Rollback(self)
        self.wishes = wishes_mod.Wishes(self)

    @property
    def calls_user_code(self) -> bool:
        """Whether a turn may call anything but tasks."""
        return self.has_user_code or self.teller.heard

    @property
    def away(self) -> float:
        """For how many seconds, all in all, the logbook was away."""
        return self._loop.away

    def alarm(self, due: clock_mod.Monotonic) -> None:
        """Have the loop give this flow a turn at a time."""
        self._loop.alarm(self, due)

    def poke(self) -> None:
        """Have the loop give this flow a turn. Thread-safe."""
        self._loop.poke(self)

    # First

    def begin(self) -> None:
        """Make ready what the flow starts, or goes on, with."""
        self.storage.turn_thread = threading.get_ident()
        self.teller.listen()
        self.teller.flow_state(states.RUNNING)
        fresh = self.record.untouched
        interrupted = resumption.begin(self.run, fresh, self.limits.delayed())
        self.executor.know(self, self.engine.logbook)
        self._go_on(interrupted)
        self.limits.flow()
        self._decide()

    def _go_on(self, interrupted: Iterable[int]) -> None:
        """Ask after the requests that an earlier owner of the flow left.

        What ran in its own process has died with it, and starts once more.
        """
        for node in interrupted:
            request = None
            if self.executor.remote:
                request = self._stored_request(node)
            if request is None:
                self.record.count_attempt(node)
            else:
                self.run.again.discard(node)
                self.requests[node] = request
                self.limits.start(request)
                self.executor.attach(request)

    def _stored_request(self, node: int) -> Request | None:
        stored = self.record.requests.get(node)
        if stored is None:
            return None
        direction, request_uuid, worker, incarnation = stored[:4]
        if (
            request_uuid is None
            or worker is None
            or self.record.is_retry(node)
        ):
            return None
        request = Request(
            self,
            node,
            typing.cast(task_mod.Task, self.plan.items[node]),
            Action(direction),
            self.record.attempts[node],
            self.controllers.try_number(self.plan.retry_of[node]),
        )
        request.request_uuid = request_uuid
        request.worker, request.incarnation = worker, incarnation
        if request.action is Action.PROBE:
            self.losses.probing[node] = None
        return request

    # Taking outcomes

    def take(self, outcomes: Iterable[executors_base.Outcome]) -> None:
        """Stage what ended, tell the listeners, decide what follows."""
        self.storage.turn_thread = threading.get_ident()
        self.teller.listen()
        self.wishes.grant()
        if self.rollback.undecided:
            self.rollback.undecided = False
            self._decide()
        tracks = self.record.tracks
        for outcome in outcomes:
            request, end, value, _started, _finished, received = outcome
            if received is not None:
                # What was due before it came is judged before it is taken.
                self.timers.ring(received)
            node = request.node
            if self.requests.get(node) is not request:
                if end is None and value[0] == executors_base.COUNTED:
                    self._taken(outcome)
                    self.losses.counted(node)
                continue
            if tracks:
                self.rollback.taken.append(outcome)
            if end is None:
                self._progressed(request, *value)
                continue
            del self.requests[node]
            if self.executor.remote:
                self.recorded.append(request)
            if request.timed_out is not None and end is End.CANCELLED:
                value = request.timed_out
            self._ended(request, end, value)
        if self.timers:
            self.timers.ring(self.clock.monotonic())
        self._decide()

    def _taken(self, outcome: executors_base.Outcome) -> None:
        if self.record.tracks:
            self.rollback.taken.append(outcome)

    def _ended(self, request: Request, end: End, value: typing.Any) -> None:
        if request.action is Action.PROBE:
            self.losses.probed(request, end, value)
        elif end is _OK:
            if request.action is _EXECUTE:
                self.stage.succeeded(request.node, value)
            else:
                self.stage.reverted(request.node, value)
        elif end in _FAILED:
            self._failed(request, value)
        else:
            self.losses.ended(request, end, value)

    def _failed(self, request: Request, failure: ft.Failure) -> None:
        if request.action is Action.REVERT:
            self.stage.revert_failed(request.node, failure)
        else:
            self.stage.failed(request.node, failure)

    def _progressed(
        self, request: Request, event: str, details: typing.Any
    ) -> None:
        self.limits.alive(request)
        if self.executor.remote and request.task.heard:
            # Elsewhere a copy of the task runs, to which nobody listens.
            request.task.notifier.notify(event, details)
        more = dict(details)
        progress = more.pop('progress', None)
        if event == task_mod.EVENT_UPDATE_PROGRESS and progress is not None:
            self._keep_progress(request, progress, more)

    def _keep_progress(
        self,
        request: Request,
        progress: typing.Any,
        more: dict[str, typing.Any],
    ) -> None:
        task = request.task.name
        if self.record.tracks:
            try:
                self.storage.pack([progress, more])
            except exceptions.ValueNotStorable as error:
                LOG.warning(
                    'Progress of flow %s is not kept: %s',
                    self.flow_uuid,
                    error.of(task, 'progress'),
                )
                return
        self.storage.set_task_progress(task, progress, details=more)

    # Deciding

    @property
    def suspending(self) -> bool:
        """Nothing more is to be started until somebody resumes."""
        return self.record.state == states.SUSPENDING

    def _decide(self) -> None:
        """Answer the core's questions and let the retries act."""
        run = self.run
        while not run.aborted:
            question = run.take_question()
            if question is not None:
                self._ask(question)
            elif not run.controllers or self.suspending:
                break
            else:
                found = run.take_controller()
                if found is not None:
                    self._act(*found)
        if run.moved:
            self._touch_moved()

    def _touch_moved(self) -> None:
        if self.record.tracks:
            for region in self.run.moved:
                self.record.dirty.update(filter(self.plan.is_atom, region))
        self.run.moved = ()

    def _ask(self, question: events.Question) -> None:
        """Ask user code; what it raises ends the run."""
        try:
            self._answer(question)
        except Exception:
            failure = ft.Failure()
            who = (
                f'retry {self.plan.name_of(question.retry)!r}'
                if isinstance(question, events.Resolve)
                else f'a decider of {self.plan.name_of(question.node)!r}'
            )
            LOG.error(
                'Flow %r (%s) cannot go on, because %s failed: %s',
                self.flow_name,
                self.flow_uuid,
                who,
                masking.Masked(failure.pformat(traceback=True)),
            )
            self.stage.fatal.append(failure)
            self.run.aborted = True

    def _answer(self, question: events.Question) -> None:
        if isinstance(question, events.Resolve):
            decision = self.controllers.resolve(
                question.retry, question.told, question.failed
            )
            resolution.resolved(self.run, question, decision)
            return
        depth = callbacks.decide(self.plan, self.record, question)
        for node in completion.decided(self.run, question, depth):
            self.teller.atom_state(node, states.IGNORE, old=states.PENDING)

    def _act(self, node: int, turn: events.Turn) -> None:
        if turn is events.Turn.REVERT:
            self.stage.revert_retry(node)
            return
        if turn is events.Turn.RETRY:
            due = self.controllers.not_before(node)
            if due is not None and due > self.clock.monotonic():
                self.limits.wait(
                    node,
                    due,
                    lambda: self.run.call(node, turn),
                )
                return
            self.stage.reset(node)
        self.stage.execute_retry(node)

    # Placing and announcing

    def place(self) -> list[Request]:
        """Ask the executor which of the ready tasks it takes; no user code.

        With nothing placed, nothing running and nothing to wait for, the
        flow is at its end: ``ended`` says so.
        """
        # A listener may have asked in this very turn: it is honoured before
        # anything else is started.
        self.wishes.grant()
        if self.finished:
            return []
        run = self.run
        stopping = self._stopping
        if self.held and (stopping or self.stage.reconsider):
            offer = offer_mod.Offer(self)
            for request in self.executor.withdraw(self):
                offer.put_back(request)
                self.losses.replace(request)
        self.stage.reconsider = False
        if stopping or not (run.ready or run.undoable or self.held):
            return []
        placed = self.executor.place(offer_mod.Offer(self))
        self.held -= len(placed)
        for request in placed:
            self.requests[request.node] = request
        return placed

    def announce(self, placed: list[Request]) -> list[Request]:
        """Stage and tell that tasks are RUNNING; bind their arguments.

        Returns those to start; one whose arguments are not there has failed
        and is taken care of.
        """
        ready = []
        for request in placed:
            reverting = request.action is Action.REVERT
            self.stage.start(request.node, reverting)
            if self.executor.remote:
                self.record.keep_request(request)
            try:
                request.arguments = (
                    self._revert_arguments(request)
                    if reverting
                    else self.binding.arguments(request.node)
                )
            except exceptions.NotFound:
                del self.requests[request.node]
                self._failed(request, ft.Failure())
            else:
                self.limits.start(request)
                ready.append(request)
        if len(ready) < len(placed):
            self.executor.release(
                [each for each in placed if each not in ready]
            )
            self._decide()
            self.poke()
        return ready

    def _revert_arguments(self, request: Request) -> dict[str, typing.Any]:
        arguments = self.binding.revert_arguments(request.node)
        accepted = request.task.revert_accepts
        if task_mod.REVERT_RESULT in accepted:
            arguments[task_mod.REVERT_RESULT] = self.record.outcome(
                request.node
            )
        if task_mod.REVERT_FLOW_FAILURES in accepted:
            arguments[task_mod.REVERT_FLOW_FAILURES] = (
                self.storage.get_execute_failures()
            )
        return arguments

    # Last

    def conclude(self, placed: list[Request]) -> list[Request]:
        """Announce what was placed; end the flow if that was all.

        Returns the requests to start after the commit.
        """
        self.storage.turn_thread = threading.get_ident()
        started = self.announce(placed) if placed else []
        if self.idle:
            self._end()
        self.storage.turn_thread = None
        return started

    @property
    def idle(self) -> bool:
        """Nothing runs, and nothing can start or waits for its time."""
        if self.requests or self.held:
            return False
        if self._stopping:
            return True
        return not (self.run.has_work() or self.limits.waits)

    @property
    def _stopping(self) -> bool:
        """Nothing more is to be started here."""
        return self.run.aborted or self.suspending or self.handing_over

    def _end(self) -> None:
        """Give the flow the state in which it ends, and tell of it."""
        run = self.run
        self.rollback.suspends = self.suspending
        waits = run.has_work() or self.limits.waits
        if (
            self.handing_over
            and waits
            and not (run.aborted or self.suspending)
        ):
            self.handed_over = True
        if self.suspending:
            # What still runs elsewhere is found again by who resumes it.
            waits = waits or self.handed_over
            self.handed_over = False
        if not self.handed_over:
            if run.aborted:
                state = states.FAILURE
            elif self.suspending and waits:
                state = states.SUSPENDED
            else:
                state = states.SUCCESS if run.complete else states.REVERTED
            self.teller.flow_state(state)
        self.timers.clear()
        self.finished = True

    def drop(self, error: BaseException) -> None:
        """Let go of a flow that this process is not to write any more.

        The first reason counts.
        """
        self.recorded.clear()
        self.timers.clear()
        if self.error is not None:
            return
        self.error = error
        self.executor.abandon(list(self.requests.values()))
        for waiting in self.executor.withdraw(self):
            waiting.reason = str(error)
        self.requests.clear()
        self.finished = True

    # Control

    def in_loop(self) -> bool:
        """Whether the calling thread is the one that commits turns."""
        return self._loop.thread == threading.get_ident()

    def flush(self) -> None:
        """Have what is staged committed by the loop; blocks."""
        self.wishes.flush()

    def hand_over(self) -> None:
        """Stop here, so that another process goes on; what runs here ends.

        What runs elsewhere is left to who goes on. A flow that nobody else
        could read is not stopped.
        """
        logbook = self.engine.logbook
        if self.handing_over or logbook is None or not logbook.durable:
            return
        self.handing_over = True
        elsewhere = [r for r in self.requests.values() if r.worker is not None]
        self.executor.abandon(elsewhere)
        for request in elsewhere:
            del self.requests[request.node]
        self.handed_over = bool(elsewhere)

    def cancel(self, error: Exception, revert: bool) -> None:
        """Stop what runs; then revert what was done, or leave it."""
        if self.cancelled is not None:
            return
        self.cancelled = ft.Failure.from_exception(error)
        self._reverts = revert
        self.stage.reconsider = True
        self.limits.cancel_all(str(error))
        self.stop()
        self._touch_moved()

    def stop(self) -> None:
        """Have nothing more started than what reverts a cancelled flow."""
        if self.cancelled is None:
            return
        if self._reverts:
            resolution.cancel(self.run)
        else:
            self.run.aborted = True

    def give_up(self, request: Request, failure: ft.Failure) -> None:
        """End a request whose task does not stop; its outcome is late."""
        if self.requests.get(request.node) is request:
            self._taken(executors_base.Outcome(request, End.FAILED, failure))
            del self.requests[request.node]
            self._failed(request, failure)
