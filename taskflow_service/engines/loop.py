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

"""The loop: outcomes in, one commit, requests out; for many flows at once.

``engine.run()`` drives a private loop in its caller's thread. A shared loop
has a thread of its own and any number of flows; where a flow calls user code
(listeners, deciders, retry controllers) that part of its turn runs in a
small pool, in order per flow, so that what is slow holds up only its own.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures
import logging
import threading
import typing
import weakref

from taskflow_service import clock as clock_mod
from taskflow_service import exceptions
from taskflow_service.engines import commits as commits_mod
from taskflow_service.engines import committer as committer_mod
from taskflow_service.engines import inbox as inbox_mod
from taskflow_service.engines import submissions
from taskflow_service.engines import timers as timers_mod
from taskflow_service.engines import turn as turn_mod
from taskflow_service.executors import base as executors_base
from taskflow_service.persistence import unit

if typing.TYPE_CHECKING:
    from oslo_config import cfg


LOG = logging.getLogger(__name__)

Drive = turn_mod.Drive
Loadable = submissions.Loadable
Submission = submissions.Submission
_Moved = dict[Drive, list[executors_base.Outcome]]
Request = executors_base.Request

#: Threads of a shared loop in which user code of its flows runs.
CALLBACK_THREADS = 4

#: How many flows of which something ended take a turn together, while others
#: wait for the next. What a turn makes is then gone again before the garbage
#: collector takes it for something that stays.
MOST_FLOWS = 200

#: Seconds after which user code that is not back is named in the log.
SLOW = 5.0


class Turns:
    """What private and shared loops have in common: the turn itself."""

    def __init__(self, clock: clock_mod.Clock | None = None) -> None:
        self.clock = clock or clock_mod.SystemClock()
        self.inbox = inbox_mod.Inbox(self.clock)
        self.drives: dict[str, Drive] = {}
        self.executors: dict[int, executors_base.Executor] = {}
        self.alarms = timers_mod.Timers()
        self.commits = commits_mod.Commits(self.clock, self._outage)
        #: The thread that commits turns.
        self.thread = threading.get_ident()

    @property
    def away(self) -> float:
        """For how many seconds, all in all, a logbook was away."""
        return self.commits.away

    def _outage(self, away: bool) -> None:
        """Have what comes meanwhile bear its time, and deadlines wait."""
        self.inbox.dated = away
        # Told by the thread that commits, while others may be added.
        for executor in list(self.executors.values()):
            executor.outage(away)

    def adopt(self, drive: Drive) -> None:
        """Take a flow in; its executor delivers to the inbox."""
        self.drives[drive.flow_uuid] = drive
        executor = drive.executor
        if id(executor) not in self.executors:
            self.executors[id(executor)] = executor
            if self.inbox.dated:
                executor.outage(True)

    def poke(self, drive: Drive) -> None:
        """Have a flow take its turn though nothing of it ended."""
        self.inbox.put(drive)

    def alarm(self, drive: Drive, due: clock_mod.Monotonic) -> None:
        """Have a flow take its turn at a time."""
        # A flow that has ended does not stay in memory until its deadline.
        known = weakref.ref(drive)
        self.alarms.at(due, lambda: self._alarmed(known))

    def _alarmed(self, known: weakref.ref[Drive]) -> None:
        drive = known()
        if drive is not None:
            self.inbox.put(drive)

    def wait(self) -> None:
        """Block until something happened, or some timer is due."""
        if self.inbox:
            return
        deadline = self.alarms.due
        for executor in self.executors.values():
            executor.idle()
            due = executor.next_deadline()
            if due is not None and (deadline is None or due < deadline):
                deadline = clock_mod.Monotonic(due)
        self.inbox.wait(deadline)

    def collect(self) -> tuple[_Moved, list[typing.Any]]:
        """Take what happened, by flow, in the order in which it did.

        The second value is what concerns no flow yet. What is left is for
        the next turn.
        """
        if self.alarms:
            self.alarms.ring(self.clock.monotonic())
        moved: _Moved = {}
        others = []
        for _ in range(len(self.inbox)):
            if len(moved) == MOST_FLOWS:
                break
            item = self.inbox.pop()
            if type(item) is executors_base.Outcome:
                drive = typing.cast(Drive, item.request.run)
                if item.end is not None:
                    drive.executor.taken(item.request)
                if not drive.finished:
                    moved.setdefault(drive, []).append(item)
            elif type(item) is not Drive:
                others.append(item)
            elif not item.finished:
                moved.setdefault(item, [])
        return moved, others

    def commit(self, placed: dict[Drive, list[Request]]) -> None:
        """Commit what flows have staged, start what they placed; blocks."""
        self.settle(placed, self.commits.write(self.commits.collect(placed)))

    def settle(
        self,
        placed: dict[Drive, list[Request]],
        written: commits_mod.Written,
    ) -> None:
        """Start what was placed by flows whose unit is committed."""
        for drive, requests in placed.items():
            # Not to be released any more, whatever becomes of the others.
            placed[drive] = []
            error = written.failed.get(drive) or drive.error
            if error is None:
                self._go_on(drive, requests)
            elif not self._back(drive, requests, written.poison.get(drive)):
                # Nothing of its turn was written: what ended elsewhere is
                # not acknowledged, so that the next owner can ask for it.
                self._let_go(drive, requests, error)
            if drive.finished:
                self.drives.pop(drive.flow_uuid, None)

    def _back(
        self,
        drive: Drive,
        placed: list[Request],
        poison: unit.Poison | None,
    ) -> bool:
        """Have a flow take its turn again without values that are refused.

        False if it cannot.
        """
        if not poison or drive.error is not None:
            return False
        try:
            again = drive.rollback.answer(
                poison, placed, lambda: self.commits.read(drive)
            )
        except Exception as error:
            LOG.exception('Flow %s cannot go back', drive.flow_uuid)
            drive.drop(error)
            return False
        if again is None:
            return False
        for outcome in again:
            self.inbox.put(outcome)
        self.poke(drive)
        return True

    @staticmethod
    def _let_go(
        drive: Drive, placed: list[Request], error: BaseException
    ) -> None:
        try:
            drive.executor.release(placed)
            drive.drop(error)
        except Exception:
            LOG.exception('Flow %s is not let go of well', drive.flow_uuid)
            drive.error, drive.finished = drive.error or error, True

    @staticmethod
    def _go_on(drive: Drive, requests: list[Request]) -> None:
        """Do what had to wait for the commit; a failure is its flow's."""
        try:
            drive.landed = drive.finished
            drive.rollback.committed()
            drive.wishes.committed()
            if drive.recorded:
                drive.executor.recorded(drive.recorded)
                drive.recorded = []
            if requests:
                drive.executor.start(requests)
        except Exception as error:
            LOG.exception('Flow %s cannot go on', drive.flow_uuid)
            drive.drop(error)


class PrivateLoop(Turns):
    """Drives one flow in the thread that calls it.

    :param enter: told what it does from now on, as statistics name it
    """

    def __init__(
        self, clock: clock_mod.Clock, enter: Callable[[str], object]
    ) -> None:
        super().__init__(clock)
        self._enter = enter

    def wait(self) -> None:
        """Block until something happened, or some timer is due."""
        self._enter('waiting')
        super().wait()
        self._enter('analyzing')

    def advance(self, drive: Drive) -> None:
        """Start what is ready; end the flow if nothing is left."""
        self._enter('scheduling')
        started = drive.conclude(drive.place())
        self.commit({drive: started})
        if drive.teller.staged and drive.error is None:
            drive.teller.committed()

    def turn(self, drive: Drive) -> None:
        """Wait for something, then do what follows from it."""
        self.wait()
        moved, _others = self.collect()
        if moved:
            drive.take(moved[drive])
            self.advance(drive)


class Loop(Turns):
    """Drives any number of flows with a constant number of threads.

    ``submit`` an engine, get a future. Thread-safe; ``close`` it, or use it
    as a context manager. Engines of the same kind and options share one
    executor.
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts | None = None,
        clock: clock_mod.Clock | None = None,
    ) -> None:
        super().__init__(clock)
        self.conf = conf
        self._executors: dict[typing.Any, executors_base.Executor] = {}
        self._submissions: dict[Drive, Submission] = {}
        #: Submitted, not yet begun.
        self._new: set[futures.Future[typing.Any]] = set()
        #: Flows whose user code is running.
        self._busy: set[Drive] = set()
        #: What arrived for flows whose turn was not over: that they are to
        #: have another one, and with which outcomes.
        self._early: dict[Drive, list[executors_base.Outcome]] = {}
        #: What was placed in turns that nobody has begun to commit.
        self._staged: dict[Drive, list[Request]] = {}
        #: The same of those that are committed, until it is started.
        self._settling: dict[Drive, list[Request]] = {}
        self._committer = committer_mod.Committer(self.commits, self.inbox.put)
        self._pool = futures.ThreadPoolExecutor(
            CALLBACK_THREADS, thread_name_prefix='taskflow-callbacks'
        )
        self._claims = submissions.Claims(self.inbox.put)
        #: Nothing is submitted once the loop has been told to end.
        self._gate = threading.Lock()
        self._closing = False
        self._handing_over = False
        self._thread = threading.Thread(
            target=self._main, name='taskflow-loop', daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Loop:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def submit(self, engine: Loadable) -> futures.Future[typing.Any]:
        """Run an engine's flow; the future ends as its ``run()`` would.

        Compiles, prepares and validates in the calling thread, and raises
        what they raise.
        """
        future: futures.Future[typing.Any] = futures.Future()
        future.set_running_or_notify_cancel()
        engine.make_ready()
        submission = Submission(engine, future)
        with self._gate:
            if self._closing:
                raise exceptions.ExecutionFailure('This loop is closed')
            self._new.add(future)
        if engine.logbook is None:
            self.inbox.put(submission)
        else:
            self._claims.submit(submission)
        return future

    def _executor(self, engine: Loadable) -> executors_base.Executor:
        key = engine.executor_key()
        executor = self._executors.get(key)
        if executor is None:
            executor = self._executors[key] = engine.make_executor(shared=True)
            executor.bind(self.inbox.put)
            executor.open()
        return executor

    # The loop's own thread

    def _main(self) -> None:
        self.thread = threading.get_ident()
        while (
            not self._closing or self._new or self._submissions or self.inbox
        ):
            try:
                self.wait()
                self._turn()
            except Exception as error:
                LOG.exception('A turn of the loop failed')
                self._abandon(error)
        self._claims.close()
        self._committer.close()
        self._pool.shutdown()
        for executor in self._executors.values():
            executor.close()
        self.commits.close()

    def _turn(self) -> None:
        self.commits.wait_for_outage()
        moved, others = self.collect()
        for item in others:
            if isinstance(item, submissions.Submission):
                self._begin(item)
            elif isinstance(item, _Called):
                self._called(item)
            elif isinstance(item, committer_mod.Back):
                self._committer.take_back(item)
                self._settle(item.placed, item.written)
            elif item is _HAND_OVER:
                for drive in self.drives.values():
                    drive.wishes.ask(drive.hand_over)
        for drive, outcomes in moved.items():
            self._early.setdefault(drive, []).extend(outcomes)
            if drive in self._busy or self._is_staged(drive):
                continue
            outcomes = self._early.pop(drive)
            if drive.calls_user_code:
                self._call(drive, drive.take, outcomes)
            else:
                self._advance(drive, drive.take, outcomes)
        for executor in self.executors.values():
            for run in executor.called():
                self._fill(typing.cast(Drive, run))
        self._commit()

    def _fill(self, drive: Drive) -> None:
        """Have a flow that waited for room take it within this turn."""
        if drive.finished or drive.rollback.undecided:
            # It is at its end, or is to take its turn anew.
            return
        if drive in self._busy or self._is_staged(drive):
            # A flow takes one part at a time: a cancel may come between.
            self._early.setdefault(drive, [])
        elif drive.calls_user_code:
            self._call(drive, drive.conclude, self._place(drive))
        else:
            self._advance(drive)

    def _is_staged(self, drive: Drive) -> bool:
        """Whether what the flow's last part staged is still to be written."""
        return drive in self._staged or drive in self._committer.under_way

    def _commit(self) -> None:
        """Commit what is staged, or have it committed.

        Where there is nothing else to do it is done here, which is sooner.
        """
        if self.inbox or self._committer.under_way:
            self._hand_in()
        staged, self._staged = self._staged, {}
        self._settle(staged, self._committer.write(staged))

    def _hand_in(self) -> None:
        """Have what is staged committed, but where that takes no time."""
        durable = {
            drive: placed
            for drive, placed in self._staged.items()
            if drive.engine.logbook is not None
        }
        if durable:
            self._committer.hand_in(durable)
            for drive in durable:
                del self._staged[drive]

    def _settle(
        self, placed: dict[Drive, list[Request]], written: commits_mod.Written
    ) -> None:
        """Go on with flows whose turn is committed; end those at their end."""
        self._settling = placed
        self.settle(placed, written)
        for drive in placed:
            if drive in self._early:
                self.poke(drive)
            if drive.teller.staged and drive.error is None:
                self._call(drive, drive.teller.committed)
            elif drive.finished:
                self._finish(drive)

    def _begin(self, submission: Submission) -> None:
        engine, future, error = submission
        self._new.discard(future)
        try:
            if error is not None:
                raise error
            self._refuse_twice(engine)
            drive = engine.make_drive(self._executor(engine), self)
        except BaseException as raised:
            if error is None:
                engine.disown()
            future.set_exception(raised)
            return
        self._submissions[drive] = submission
        if self._handing_over:
            # After it has asked for what an earlier owner left elsewhere.
            drive.wishes.ask(drive.hand_over)
        if drive.calls_user_code:
            self._call(drive, drive.begin)
        else:
            self._advance(drive, drive.begin)

    def _refuse_twice(self, engine: Loadable) -> None:
        uuid = engine.storage.flow_uuid
        if uuid in self.drives:
            raise exceptions.ExecutionFailure(
                f'Flow {uuid} is running already: it can run only once at a '
                f'time'
            )

    def _advance(
        self, drive: Drive, part: typing.Any = None, *args: typing.Any
    ) -> None:
        """Have a flow take its turn here; what fails is its own alone."""
        placed: list[Request] = []
        try:
            if part is not None:
                part(*args)
            placed = drive.place()
            placed = drive.conclude(placed)
        except Exception as error:
            LOG.exception('Flow %s cannot go on', drive.flow_uuid)
            drive.drop(error)
        self._staged[drive] = placed

    def _call(self, drive: Drive, part: typing.Any, *args: typing.Any) -> None:
        """Run a part of a turn that calls user code in the pool."""
        self._busy.add(drive)
        self._pool.submit(self._in_pool, drive, part, args)

    def _in_pool(
        self, drive: Drive, part: typing.Any, args: tuple[typing.Any, ...]
    ) -> None:
        began = self.clock.monotonic()
        result: typing.Any = None
        try:
            result = part(*args)
        except BaseException as error:
            LOG.exception('Flow %s cannot go on', drive.flow_uuid)
            drive.drop(error)
        took = self.clock.monotonic() - began
        if took > SLOW:
            LOG.warning(
                'Listeners, deciders or retries of flow %s (%s) took %.1f s',
                drive.flow_name,
                drive.flow_uuid,
                took,
            )
        self.inbox.put(_Called(drive, part, args, result))

    def _called(self, called: _Called) -> None:
        drive = called.drive
        self._busy.discard(drive)
        if drive.error is not None:
            # Placed, and never started.
            placed = called.part == drive.conclude
            self._staged[drive] = called.args[0] if placed else []
        elif called.part == drive.conclude:
            self._staged[drive] = called.result
        elif drive.finished:
            self._finish(drive)
        elif drive in self._early:
            # What arrived meanwhile is taken first: it may change what is
            # to be started.
            self._call(drive, drive.take, self._early.pop(drive))
        elif called.part != drive.teller.committed:
            self._call(drive, drive.conclude, self._place(drive))

    @staticmethod
    def _place(drive: Drive) -> list[Request]:
        try:
            return drive.place()
        except Exception as error:
            LOG.exception('Flow %s cannot go on', drive.flow_uuid)
            drive.drop(error)
            return []

    def _finish(self, drive: Drive) -> None:
        self._early.pop(drive, None)
        engine, future, _error = self._submissions.pop(drive)
        try:
            engine.finish(drive)
        except Exception as raised:
            future.set_exception(raised)
        else:
            future.set_result(None)

    def _abandon(self, error: Exception) -> None:
        """Let go of all flows; of those that are elsewhere, once back."""
        for drive, placed in (*self._staged.items(), *self._settling.items()):
            drive.executor.release(placed)
        self._staged, self._settling = {}, {}
        for drive in list(self._submissions):
            if not drive.landed:
                drive.drop(error)
            if not (drive in self._busy or self._is_staged(drive)):
                self.drives.pop(drive.flow_uuid, None)
                self._finish(drive)

    def close(self, wait: bool = True, hand_over: bool = False) -> None:
        """End when all flows have ended; ``wait`` blocks until then.

        :param hand_over: do not wait for flows to end that another process
            can go on with: start nothing more of them, let end what runs in
            this process, and release them. What runs on workers runs on.
            Their futures raise ``FlowHandedOver``. A logbook that is away is
            not waited for: the futures of its flows raise ``StorageOutage``,
            and whoever comes next finds them as they stand there.
        """
        with self._gate:
            self._closing = True
            self._handing_over = self._handing_over or hand_over
        if hand_over:
            self.commits.stopping.set()
        self.inbox.put(_HAND_OVER if hand_over else None)
        if wait:
            self._thread.join()


#: Lets a loop hand its flows over.
_HAND_OVER = object()


class _Called(typing.NamedTuple):
    """User code of a flow is back."""

    drive: Drive
    part: typing.Any
    args: tuple[typing.Any, ...]
    result: typing.Any
