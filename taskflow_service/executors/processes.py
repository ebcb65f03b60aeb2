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

"""Run tasks in processes of this program, which can be killed.

Each process has a thread here that gives it one request after the other and
starts the next process when it has gone. A task that takes its process with
it has failed; one that does not stop when it is told to is ended by SIGTERM,
then SIGKILL, and its request ends only when the process has: no second run
ever overlaps the first.

Tasks, arguments and results travel by pickle, between processes of one
program that trust each other; nothing of it is stored or leaves the machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
import contextlib
import logging
import multiprocessing
from multiprocessing import connection
import os
import pickle
import queue
import threading
import typing

from oslo_config import cfg

from taskflow_service import exceptions
from taskflow_service import task as task_mod
from taskflow_service.executors import base
from taskflow_service.executors import child
from taskflow_service.executors import settings
from taskflow_service.executors import waiting
from taskflow_service.types import failure as ft

LOG = logging.getLogger(__name__)

#: Started afresh, not forked: a fork takes the locks of other threads along.
#: Said outright, because Python's own default changes with 3.14.
START_METHOD = 'spawn'

#: Seconds that a task is given to stop by itself, then after SIGTERM.
CANCEL_GRACE = 5.0
TERM_TIME = 2.0


class ProcessesExecutor(base.Executor):
    """Runs as many requests at once as it has processes.

    :param max_workers: processes; one for each processor by default
    :param start_method: ``spawn``, ``forkserver`` or ``fork``
    :param cancel_grace: seconds that a task is given to stop by itself
    :param conf: whose ``[worker] setup`` is run in each process before it
        runs a task
    """

    enforces = True

    def __init__(
        self,
        max_workers: int | None = None,
        start_method: str = START_METHOD,
        cancel_grace: float = CANCEL_GRACE,
        conf: cfg.ConfigOpts | None = None,
    ) -> None:
        self._width = max_workers or os.cpu_count() or 1
        self.context: typing.Any = multiprocessing.get_context(start_method)
        self.cancel_grace = cancel_grace
        self.prepare = None if conf is None else settings.preparation(conf)
        self.queue: queue.SimpleQueue[base.Request | None] = (
            queue.SimpleQueue()
        )
        self._slots: list[_Slot] = []
        self._waiting = waiting.Queue()
        #: What is placed, until the loop has its outcome.
        self._open: set[base.Request] = set()

    def bind(self, deliver: base.Deliver) -> None:
        """Say where outcomes go; those of an earlier loop are nobody's."""
        super().bind(deliver)
        self._open.clear()
        self._waiting.clear()

    def check(self, tasks: Iterable[task_mod.Task]) -> None:
        """Refuse tasks that cannot travel to another process."""
        for task in tasks:
            try:
                pickle.dumps(task)
            except Exception as error:
                raise exceptions.TaskNotRemotable(
                    f'Task {task.name!r} ({type(task).__name__}) cannot run '
                    f'in a process of its own, because it cannot be pickled: '
                    f'{error}',
                    error,
                ) from error

    def place(self, offer: base.Offer) -> list[base.Request]:
        """Take as many as there are idle processes."""
        room = self._waiting.most(offer.run, self._room, 1)
        placed: list[base.Request] = []
        with contextlib.suppress(IndexError):
            while len(placed) < room:
                placed.append(offer.take())
        self._waiting.took(offer.run, len(placed))
        self._open.update(placed)
        if len(offer):
            self._waiting.add(offer.run)
        else:
            self._waiting.leave(offer.run)
        return placed

    @property
    def _room(self) -> int:
        return max(0, self._width - len(self._open))

    def called(self) -> Iterator[base.Run]:
        """Take out flows that waited for the room there is, one by one."""
        return self._waiting.call(lambda: self._room, 1)

    def idle(self) -> None:
        """Give room that a flow did not take to the next one."""
        for run in self._waiting.call(lambda: min(1, self._room), 1):
            run.poke()

    def start(self, requests: list[base.Request]) -> None:
        """Hand them to the processes, which are started when needed."""
        for request in requests:
            try:
                request.private = _Job(request)
            except Exception as error:
                failure = _untravelled(request, error)
                self.end(request, base.End.FAILED, failure)
                continue
            self.queue.put(request)
            if len(self._slots) < min(len(self._open), self._width):
                self._slots.append(_Slot(self, len(self._slots)))

    def end(
        self, request: base.Request, end: base.End, value: typing.Any
    ) -> None:
        """Deliver an outcome; from any thread."""
        self.deliver(base.Outcome(request, end, value))

    def release(self, requests: list[base.Request]) -> None:
        """Give their room back."""
        self._open.difference_update(requests)

    def taken(self, request: base.Request) -> None:
        """Give its room back."""
        self._open.discard(request)

    def cancel(self, request: base.Request, reason: str) -> None:
        """Tell a task to stop, and see to it that it does."""
        job: _Job | None = request.private
        if job is not None:
            job.cancel(reason, self.cancel_grace)

    def close(self) -> None:
        """Wait for what runs, and let the processes end."""
        for _slot in self._slots:
            self.queue.put(None)
        for slot in self._slots:
            slot.join()
        self._slots.clear()


class _Job:
    """A request on its way through a process. Thread-safe."""

    def __init__(self, request: base.Request) -> None:
        run = request.run
        order = child.Order(
            child.Flow(run.flow_uuid, run.flow_name, run.epoch, run.context),
            request.node,
            _bare(request.task),
            request.action,
            request.attempt,
            request.number,
            request.arguments or {},
        )
        self.text = pickle.dumps((child.RUN, order))
        self._lock = threading.Lock()
        self._reason: str | None = None
        self._slot: _Slot | None = None
        self._timer: threading.Timer | None = None

    @property
    def reason(self) -> str | None:
        """Why it was told to stop."""
        return self._reason

    def begin(self, slot: _Slot) -> bool:
        """Take note of where it runs; False if it was cancelled before."""
        with self._lock:
            self._slot = slot
            return self._reason is None

    def done(self) -> None:
        """Let nobody be killed for it any more."""
        with self._lock:
            self._slot = None
            if self._timer is not None:
                self._timer.cancel()

    def cancel(self, reason: str, grace: float) -> None:
        """Tell it to stop; kill what runs it if it does not."""
        with self._lock:
            if self._reason is not None:
                return
            self._reason = reason
            if self._slot is not None:
                self._slot.say(child.CANCEL, reason)
                self._later(grace, self._terminate)

    def _later(self, seconds: float, call: typing.Any) -> None:
        self._timer = threading.Timer(seconds, call)
        self._timer.daemon = True
        self._timer.start()

    def _terminate(self) -> None:
        with self._lock:
            if self._slot is not None:
                self._slot.terminate()
                self._later(TERM_TIME, self._kill)

    def _kill(self) -> None:
        with self._lock:
            if self._slot is not None:
                self._slot.kill()


class _Slot:
    """One process after the other, and the thread that sees to them."""

    def __init__(self, owner: ProcessesExecutor, number: int) -> None:
        self._owner = owner
        self._process: typing.Any = None
        self._pipe: connection.Connection | None = None
        self._sending = threading.Lock()
        self._thread = threading.Thread(
            target=self._main, name=f'taskflow-process-{number}', daemon=True
        )
        self._thread.start()

    def join(self) -> None:
        """Wait until the process has ended."""
        self._thread.join()

    def say(self, word: str, rest: typing.Any = None) -> None:
        """Tell the process something; one that is gone hears nothing."""
        self._send(pickle.dumps((word, rest)))

    def _send(self, text: bytes) -> None:
        try:
            with self._sending:
                if self._pipe is not None:
                    self._pipe.send_bytes(text)
        except OSError as error:
            LOG.debug('A task process did not hear: %s', error)

    def terminate(self) -> None:
        """Ask the process to end."""
        self._process.terminate()

    def kill(self) -> None:
        """End the process."""
        self._process.kill()

    def _main(self) -> None:
        while True:
            request = self._owner.queue.get()
            if request is None:
                break
            try:
                end, value = self._run(request)
            except Exception as error:
                LOG.exception('%r could not be run', request)
                end = base.End.FAILED
                value = ft.Failure.from_exception(error)
            request.private.done()
            self._owner.end(request, end, value)
        if self._pipe is not None:
            self.say(child.STOP)
            self._part()

    def _run(self, request: base.Request) -> tuple[base.End, typing.Any]:
        job: _Job = request.private
        pipe = self._living() or self._spawn()
        if not job.begin(self):
            return base.End.CANCELLED, _stopped(request, job)
        self._send(job.text)
        try:
            while True:
                word, rest = pickle.loads(pipe.recv_bytes())  # noqa: S301
                if word == child.PROGRESS:
                    self._owner.deliver(base.Outcome(request, None, rest))
                elif word == child.ENDED:
                    return typing.cast(tuple[base.End, typing.Any], rest)
        except (EOFError, OSError):
            exit_code = self._part()
        if job.reason is not None:
            return base.End.CANCELLED, _stopped(request, job)
        return base.End.FAILED, _killed(request, exit_code)

    def _living(self) -> connection.Connection | None:
        # One that was killed while it had nothing to do took no task along.
        if self._pipe is not None and not self._process.is_alive():
            exit_code = self._part()
            LOG.warning(
                'An idle task process has died (exit code %s); another one '
                'is started',
                exit_code,
            )
        return self._pipe

    def _spawn(self) -> connection.Connection:
        mine, theirs = self._owner.context.Pipe()
        process = self._owner.context.Process(
            target=child.main,
            args=(theirs, self._owner.prepare),
            daemon=True,
        )
        process.start()
        theirs.close()
        self._process, self._pipe = process, mine
        return typing.cast(connection.Connection, mine)

    def _part(self) -> int | None:
        """Let go of the process and its pipe; return its exit code."""
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            # Only now: closed before, the process would take it for the end
            # of the engine.
            self._process.join()
            pipe.close()
        return typing.cast('int | None', self._process.exitcode)


def _bare(task: task_mod.Task) -> task_mod.Task:
    """A task without listeners, who are in this process."""
    if task._notifier is None:
        return task
    twin = task.copy(retain_listeners=False)
    twin._notifier = None
    return twin


def _stopped(request: base.Request, job: _Job) -> ft.Failure:
    return ft.Failure.from_exception(
        exceptions.Cancelled(
            f'{request.action.capitalize()} of task {request.task.name!r} of '
            f'flow {request.run.flow_uuid} was cancelled: {job.reason}',
            reason=job.reason or '',
        )
    )


def _killed(request: base.Request, exit_code: int | None) -> ft.Failure:
    how = (
        f'signal {-exit_code}'
        if exit_code is not None and exit_code < 0
        else f'exit code {exit_code}'
    )
    return ft.Failure.from_exception(
        exceptions.ExecutionFailure(
            f'The process of task {request.task.name!r} of flow '
            f'{request.run.flow_uuid} ended with {how} while its '
            f'{request.action} ran'
        )
    )


def _untravelled(request: base.Request, error: Exception) -> ft.Failure:
    return ft.Failure.from_exception(
        exceptions.TaskNotRemotable(
            f'{request.action.capitalize()} of task {request.task.name!r} of '
            f'flow {request.run.flow_uuid} cannot travel to a process, '
            f'because what it is given cannot be pickled: {error}',
            error,
        )
    )
