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

"""The engines: a flow, its storage, and the loop that it is run by."""

from __future__ import annotations

from collections.abc import Generator
from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import datetime
import threading
import typing

from taskflow_service import clock as clock_mod
from taskflow_service import exceptions
from taskflow_service import states
from taskflow_service import storage as storage_mod
from taskflow_service.engines import base
from taskflow_service.engines import loop as loop_mod
from taskflow_service.engines import statistics as statistics_mod
from taskflow_service.engines import teller as teller_mod
from taskflow_service.engines import turn as turn_mod
from taskflow_service.executors import base as executors_base
from taskflow_service.persistence import base as persistence_base
from taskflow_service.persistence import leases
from taskflow_service.persistence import models
from taskflow_service.persistence import unit
from taskflow_service.plan import compiler
from taskflow_service.plan import export
from taskflow_service.plan import plan as plan_mod
from taskflow_service.types import failure as ft

_EXECUTE = states.EXECUTE
_FAILED = (states.REVERTED, states.FAILURE)

#: Guards who runs an engine, of all: it is held only for a moment.
_LOCK = threading.Lock()


class Engine(base.Engine):
    """Runs one flow by turns of a loop.

    Options of every engine: ``defer_reverts`` (a retry that reverts has the
    one around it decide), ``never_resolve`` (a failure ends the flow where
    it is), ``inject_transient`` (what atoms are given is not stored; True),
    ``gather_statistics`` (True), ``deadline`` (seconds from the first run,
    or a datetime, at which the flow is cancelled and reverted),
    ``cancel_grace`` (seconds that a cancelled task in a thread has to end),
    ``clock`` (what tells the time; a ``clock.VirtualClock`` in tests).

    ``run()`` and ``run_iter()`` belong to one thread at a time; ``suspend()``
    and ``cancel()`` may be called from any.
    """

    #: States that end a run without raising.
    NO_RERAISING_STATES = frozenset((states.SUSPENDED, states.SUCCESS))

    def __init__(
        self,
        flow: typing.Any,
        flow_detail: models.FlowDetail,
        backend: persistence_base.Backend | None,
        options: Mapping[str, typing.Any] | None = None,
    ) -> None:
        super().__init__(flow, flow_detail, backend, options)
        self.conf = self._options.pop('conf', None)
        self.clock: clock_mod.Clock = self._options.pop(
            'clock', clock_mod.SYSTEM
        )
        #: What of an oslo.context travels with the flow's requests.
        self.context: dict[str, typing.Any] | None = flow_detail.meta.get(
            'context'
        )
        self._storage = storage_mod.Storage(flow_detail, backend)
        self._plan: plan_mod.Plan | None = None
        self._compilation: export.Compilation | None = None
        self._prepared = False
        #: Whoever loads such a flow wants to go on with it, not a new run.
        self._was_under_way = flow_detail.state in base.UNDER_WAY
        #: What was injected when the arguments were last found complete.
        self._validated: typing.Any = None
        self._running = False
        self._drive: turn_mod.Drive | None = None
        self._executor: executors_base.Executor | None = None
        self._claim: unit.Claim | None = None
        self._statistics = statistics_mod.Statistics(self.clock)

    @property
    def storage(self) -> storage_mod.Storage:
        """The values and states of the flow."""
        return self._storage

    @property
    def plan(self) -> plan_mod.Plan:
        """The compiled flow; InvalidState before ``compile()``."""
        if self._plan is None:
            raise exceptions.InvalidState(
                f'The engine of flow {self._flow.name!r} has not been compiled'
            )
        return self._plan

    @property
    def compilation(self) -> export.Compilation | None:
        """The compiled flow as a graph, None before ``compile()``."""
        if self._compilation is None and self._plan is not None:
            self._compilation = export.Compilation(self._plan)
        return self._compilation

    @property
    def statistics(self) -> dict[str, typing.Any]:
        """What the last run did and how long it took."""
        return self._statistics.as_dict(self.storage.record)

    @property
    def drive(self) -> turn_mod.Drive | None:
        """The run that is under way."""
        return self._drive

    # Executors

    def make_executor(self, shared: bool = False) -> executors_base.Executor:
        """Make what runs the tasks; ``shared`` for a loop of many flows."""
        raise NotImplementedError

    def executor_key(self) -> typing.Any:
        """What engines that may share an executor have in common."""
        raise NotImplementedError

    def make_drive(
        self,
        executor: executors_base.Executor,
        loop: loop_mod.Turns,
    ) -> turn_mod.Drive:
        """Make what takes the flow, which is owned, through a loop."""
        drive = turn_mod.Drive(self, executor, loop)
        loop.adopt(drive)
        self._drive = self.storage.driver = drive
        return drive

    # Before a run

    def compile(self) -> None:
        """Work out what depends on what; done once.

        Raises ``Duplicate``, ``CompilationFailure`` or ``ValueError``.
        """
        if self._plan is not None:
            return
        plan = self._plan = compiler.compile(self._flow)
        self.storage.binding.plan = plan
        try:
            self.executor.check(plan.tasks())
        except exceptions.TaskFlowException:
            self._plan = None
            raise

    @property
    def executor(self) -> executors_base.Executor:
        """What runs the tasks of a private loop."""
        if self._executor is None:
            self._executor = self.make_executor()
        return self._executor

    def prepare(self) -> None:
        """Make sure that all atoms are stored; done once.

        Raises ``InvalidState`` before ``compile()``.
        """
        self._stage_atoms()
        self.storage.ledger.save()

    def _stage_atoms(self) -> None:
        """Have the rows of all atoms written with what is next committed."""
        if self._plan is None:
            raise exceptions.InvalidState(
                'Can not prepare an engine which has not been compiled'
            )
        if not self._prepared:
            with self.storage.turn():
                self._change_state(states.RESUMING)
                self.storage.record.bind(self._plan)
                self._inject()
                self._set_deadline()
                self._change_state(states.SUSPENDED)
            self._prepared = True
        if self.storage.get_flow_state() == states.REVERTED:
            self.reset()

    @contextlib.contextmanager
    def _one_commit(self) -> Iterator[None]:
        with self.storage.turn():
            yield
        self.storage.ledger.save()

    def _change_state(self, state: str) -> bool:
        drive = self._drive
        teller = drive.teller if drive is not None else self._make_teller()
        return teller.flow_state(state)

    def _make_teller(self) -> teller_mod.Teller:
        return teller_mod.Teller(self, self.storage.record)

    def _inject(self) -> None:
        if self._options.get('inject_transient', True):
            return
        for node in self.plan.atoms():
            atom = typing.cast(typing.Any, self.plan.items[node])
            if atom.inject:
                self.storage.inject_atom_args(
                    atom.name, atom.inject, transient=False
                )

    def _set_deadline(self) -> None:
        ledger = self.storage.ledger
        deadline = self._options.get('deadline')
        if self._flow_detail.deadline is not None:
            ledger.deadline = self._flow_detail.deadline
        elif isinstance(deadline, datetime.datetime):
            ledger.deadline = deadline.timestamp()
        elif deadline is not None:
            ledger.deadline = self.clock.now() + float(deadline)

    def validate(self) -> None:
        """Make sure that every atom will find what it requires.

        Raises ``MissingDependencies`` naming the flow, every atom that
        misses something and all of what is missing.
        """
        if self._plan is None:
            raise exceptions.InvalidState(
                'Can not validate an engine which has not been compiled'
            )
        if not self._prepared:
            raise exceptions.InvalidState(
                'Can not validate an engine which has not had its storage '
                'populated'
            )
        given = self.storage.binding.given
        if self._validated == given:
            return
        missing: set[str] = set()
        cause: exceptions.MissingDependencies | None = None
        for node in self._plan.atoms():
            wanted = self._unsatisfied(node)
            if wanted:
                missing |= wanted
                cause = exceptions.MissingDependencies(
                    self._plan.items[node],
                    sorted(wanted),
                    cause=cause,
                    method='execute',
                )
        if missing:
            raise exceptions.MissingDependencies(
                self._flow, sorted(missing), cause=cause
            )
        self._validated = given

    def _unsatisfied(self, node: int) -> set[str]:
        plan = self.plan
        if not (plan.arguments[node] or plan.revert_arguments[node]):
            return set()
        injected: dict[str, typing.Any] = {}
        for source in self.storage.binding.injected(plan.name_of(node)):
            injected.update(source)
        return plan.unsatisfied(node, injected)

    def make_ready(self) -> None:
        """Compile, prepare and validate; what is new is not yet written.

        It is with the first commit of the run, which proves ownership.
        """
        self.compile()
        self._stage_atoms()
        self.validate()

    # Ownership

    @property
    def owner(self) -> leases.Driver:
        """Who is told what is asked of the flow, and of its loss."""
        return _Owner(self)

    def own(self, claim: unit.Claim | None = None) -> None:
        """Claim a durable flow; read it again if it went on elsewhere.

        :param claim: the claim, where it is made already
        """
        backend = self._backend
        if backend is None or not backend.durable:
            return
        storage = self.storage
        if claim is None:
            timeout = self._options.get('claim_timeout')
            if timeout is None and self.conf is not None:
                timeout = self.conf.engine.claim_timeout
            claim = backend.claim(storage.flow_uuid, timeout, self.owner)
        self._claim = claim
        try:
            if claim.turn != storage.ledger.turn:
                self._read_again(backend)
            self._was_under_way = False
            storage.ledger.stand(claim.epoch, claim.turn)
            if storage.get_flow_state() == states.REVERTED:
                self.reset()
        except BaseException:
            self.disown()
            raise

    def _read_again(self, backend: persistence_base.Backend) -> None:
        storage = self.storage
        with contextlib.closing(backend.get_connection()) as connection:
            detail = connection.get_flow_details(storage.flow_uuid)
        if self._has_ended(detail.state):
            raise exceptions.FlowEnded(
                f'Flow {detail.uuid} was taken to its end ({detail.state}) by '
                f'another process, before this one could go on with it',
                flow_uuid=detail.uuid,
            )
        storage.record.reload(detail)
        if storage.record.state in (states.RESUMING, states.SUSPENDING):
            # Whoever was about to, is gone.
            with storage.turn():
                self._change_state(states.SUSPENDED)

    def _has_ended(self, state: str | None) -> bool:
        """Whether there is nothing to go on with, but to begin anew."""
        if self.adopting:
            return state not in base.UNDER_WAY
        return self._was_under_way and state in _FAILED

    def disown(self) -> None:
        """Give back the claim on the flow, if there is one."""
        if self._claim is not None and self._backend is not None:
            claim, self._claim = self._claim, None
            self._backend.release(claim)

    # Running

    def run(self, timeout: float | None = None) -> None:
        """Run the flow to its end, in this thread; blocks.

        :param timeout: accepted for compatibility; nothing is polled

        Returns when the flow ended SUCCESS or SUSPENDED. Else raises the
        exception of the one atom that failed, or ``WrappedFailure`` with
        those of several; ``Cancelled``, ``DeadlineExceeded``, ``FlowOwned``,
        ``FlowOwnershipLost``, ``FlowEnded`` or ``StorageFailure``.
        """
        with self._alone(), self._private_loop() as (loop, drive):
            while not drive.finished:
                loop.turn(drive)

    def run_iter(
        self, timeout: float | None = None
    ) -> Generator[str, typing.Any, None]:
        """Run the flow, yielding the phase of the loop each time.

        Sending a true value suspends it; so does closing the generator,
        which then runs to that end. What is thrown in ends the flow with
        that failure.
        """
        with self._alone():
            self.make_ready()
            yield from self._iterate()

    def _iterate(self) -> Generator[str, typing.Any, None]:
        closed = False
        failure: ft.Failure | None = None
        phases = self._phases()
        for phase in phases:
            if closed:
                continue
            try:
                if (yield phase):
                    self.suspend()
            except GeneratorExit:
                closed = True
                self.suspend()
            except Exception:
                closed = True
                failure = ft.Failure()
                if self._drive is not None:
                    self._drive.stage.fatal.append(failure)
                    self._drive.run.aborted = True

    def _phases(self) -> Iterator[str]:
        yield states.RESUMING
        with self._private_loop() as (loop, drive):
            yield states.SCHEDULING
            if drive.finished:
                # As if there had been something to wait for.
                yield states.WAITING
                yield states.ANALYZING
            while not drive.finished:
                yield states.WAITING
                loop.wait()
                moved, _others = loop.collect()
                yield states.ANALYZING
                if not moved:
                    continue
                drive.take(moved[drive])
                if not drive.idle:
                    yield states.SCHEDULING
                loop.advance(drive)
            yield self.storage.get_flow_state()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with _LOCK:
            if self._running or self._drive is not None:
                raise exceptions.ExecutionFailure(
                    f'Engine of flow {self.storage.flow_uuid} is running '
                    f'already: it can run only once at a time'
                )
            self._running = True
        try:
            yield
        finally:
            self._running = False

    @contextlib.contextmanager
    def _private_loop(
        self,
    ) -> Iterator[tuple[loop_mod.PrivateLoop, turn_mod.Drive]]:
        self.make_ready()
        loop = loop_mod.PrivateLoop(self.clock, self._statistics.enter)
        executor = self.executor
        executor.bind(loop.inbox.put)
        owned = False
        try:
            executor.open()
            with self._statistics.gather(self.storage.record):
                self.own()
                owned = True
                drive = self.make_drive(executor, loop)
                try:
                    drive.begin()
                    loop.advance(drive)
                    yield loop, drive
                except BaseException as error:
                    # What runs is told to stop before it is waited for.
                    drive.drop(error)
                    raise
        finally:
            executor.close()
            loop.commits.close()
            self._executor = None
            if owned:
                # Else a loop may be running it.
                self._drive = self.storage.driver = None
                self.disown()
        self.finish(drive)

    def finish(self, drive: turn_mod.Drive) -> None:
        """Take note of how a run ended, and raise what it is to raise."""
        self._drive = self.storage.driver = None
        self._statistics.discarded = drive.stage.discarded
        self.storage.record.refresh()
        self.disown()
        if drive.error is not None:
            raise drive.error
        if drive.handed_over:
            raise persistence_base.handed_over(drive.flow_uuid)
        if drive.cancelled is not None:
            drive.cancelled.reraise()
        if drive.stage.fatal:
            ft.Failure.reraise_if_any(drive.stage.fatal)
        if self.storage.get_flow_state() not in self.NO_RERAISING_STATES:
            storage = self.storage
            ft.Failure.reraise_if_any(
                [
                    *storage.get_execute_failures().values(),
                    *storage.get_revert_failures().values(),
                ]
            )

    # Control

    def suspend(self) -> None:
        """Have the flow stop between tasks; returns at once. Thread-safe.

        What runs is let end. Ignored where the flow is not running.
        """
        if self._plan is None:
            raise exceptions.InvalidState(
                'Can not suspend an engine which has not been compiled'
            )
        if self._change_state(states.SUSPENDING):
            drive = self._drive
            if drive is not None:
                drive.poke()

    def cancel(self, revert: bool = True, reason: str = '') -> None:
        """Stop the run; returns at once. Thread-safe.

        :param revert: whether what was done is reverted (the flow ends
            REVERTED), or kept (FAILURE)
        :param reason: told to the running tasks, whose tokens are set

        ``run()`` raises ``Cancelled``. Ignored where the flow is not
        running.
        """
        drive = self._drive
        if drive is None:
            return
        error = exceptions.Cancelled(
            f'Flow {drive.flow_name!r} ({drive.flow_uuid}) was cancelled'
            + (f': {reason}' if reason else ''),
            reason=reason,
        )
        drive.wishes.ask(lambda: drive.cancel(error, revert))

    def skip(self, atom: str | typing.Any) -> None:
        """Take an atom whose revert failed as reverted.

        The next ``run()`` goes on with reverting what came before it. Raises
        ``NotFound`` for an unknown atom, ``InvalidState`` for one that is in
        another state.
        """
        name = atom if isinstance(atom, str) else atom.name
        if not self._prepared:
            self.compile()
            self.prepare()
        state = self.storage.get_atom_state(name)
        if state != states.REVERT_FAILURE:
            raise exceptions.InvalidState(
                f'Atom {name!r} of flow {self.storage.flow_uuid} is {state}: '
                f'only one in REVERT_FAILURE can be skipped'
            )
        self.storage.save(name, None, states.REVERTED)

    def reset(self) -> None:
        """Put every atom back to where it was before the first run.

        Raises ``InvalidState`` if the engine was not prepared.
        """
        if not self._prepared:
            raise exceptions.InvalidState(
                'Can not reset an engine which has not had its storage '
                'populated'
            )
        record = self.storage.record
        teller = self._make_teller()
        with self._one_commit():
            for node in self.plan.retries_last(range(len(self.plan))):
                if not self.plan.is_atom(node):
                    continue
                record.intentions[node] = _EXECUTE
                if record.states[node] != states.PENDING:
                    record.forget(node)
                    teller.atom_state(node, states.PENDING)
            self._change_state(states.PENDING)


class _Owner:
    """What the keeper of the owner lease tells the engine of a flow."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def asked(self, flow_uuid: str, what: str) -> None:
        """Somebody asked, through the logbook, to stop the flow."""
        drive = self._engine.drive
        if drive is None:
            return
        if what == 'suspend':
            # Listeners are not to hold up who keeps the leases.
            drive.wishes.ask(self._engine.suspend)
        else:
            self._engine.cancel(
                revert=what == 'cancel', reason='asked through the logbook'
            )

    def lost(self, flow_uuid: str) -> None:
        """Another process has taken the flow over."""
        drive = self._engine.drive
        if drive is not None:
            error = persistence_base.ownership_lost(flow_uuid)
            # Before this process may speak again, which its loop may be too
            # late for.
            drive.executor.hush(drive)
            drive.wishes.ask(lambda: drive.drop(error))
