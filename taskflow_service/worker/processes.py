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


"""Run requests in task processes, which can be killed.

Each slot is a process with a thread here that starts it, reads from it and
starts the next one when it has gone. So a time limit means what it says, and
the request of a task that does not stop ends only when its process has: a
second run never overlaps the first.
"""

from __future__ import annotations

from collections.abc import Callable
import json
import multiprocessing
from multiprocessing import connection
import os
import threading
import typing

from oslo_config import cfg
from oslo_log import log as logging

from taskflow_service import exceptions
from taskflow_service import registry
from taskflow_service.executors import settings
from taskflow_service.protocol import messages
from taskflow_service.worker import runner
from taskflow_service.worker import task_process

LOG = logging.getLogger(__name__)

#: Seconds between SIGTERM and SIGKILL.
_TERM_TIME = 2.0
#: Seconds in which a task process must have come up.
_START_TIME = 60.0


class _Slot:
    """One task process after the other, and the thread that sees to them."""

    def __init__(self, owner: ProcessRunner, number: int) -> None:
        self._owner = owner
        self._process: typing.Any = None
        self._pipe: connection.Connection | None = None
        self._sending = threading.Lock()
        self._closing = False
        #: Set once the first process is up, or could not come up.
        self.up = threading.Event()
        self.trouble: str | None = None
        #: For the control's turns: what runs here, and when to kill for good.
        self.job: runner.Job | None = None
        self.kill_at: float | None = None
        self._thread = threading.Thread(
            target=self._run, name=f'tfs-slot-{number}', daemon=True
        )
        self._thread.start()

    def say(self, *words: typing.Any) -> None:
        """Tell the process something; one that is gone hears nothing."""
        try:
            with self._sending:
                if self._pipe is not None:
                    self._pipe.send_bytes(json.dumps(words).encode())
        except OSError as ex:
            LOG.debug('A task process did not hear: %s', ex)

    def terminate(self) -> None:
        """Ask the process to end."""
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """Have the process end, and no other one follow."""
        self._closing = True
        self.say(task_process.STOP)

    def _run(self) -> None:
        pause = threading.Event()
        while not self._closing:
            try:
                came_up = self._one_process()
            except OSError as ex:
                LOG.error('Cannot start a task process: %s', ex)
                came_up = False
            self.up.set()
            if not came_up and not self._closing:
                # Not as fast as the machine can.
                pause.wait(1.0)

    def _one_process(self) -> bool:
        mine, process = self._owner.spawn()
        with self._sending:
            self._pipe, self._process = mine, process
        if self._closing:
            self.say(task_process.STOP)
        came_up = False
        try:
            while True:
                word, *rest = json.loads(mine.recv_bytes())
                if word == task_process.READY:
                    came_up = True
                    self._owner.ready(self)
                    self.up.set()
                elif word == task_process.BROKEN:
                    self.trouble = rest[0]
                else:
                    self._owner.said(self, word, rest)
        except (EOFError, OSError):
            pass
        with self._sending:
            self._pipe = None
        mine.close()
        process.join()
        self._owner.gone(self, process.exitcode)
        return came_up


class ProcessRunner(runner.Runner):
    """Runs requests in task processes.

    :param served: what the processes serve
    :param slots: how many there are; one more may be needed for a revert
    :param duplicate: gives a descriptor that holds the worker's name
    """

    def __init__(
        self,
        *args: typing.Any,
        conf: cfg.ConfigOpts,
        served: Callable[[], list[registry.TaskType]],
        slots: int,
        duplicate: Callable[[], int],
    ) -> None:
        super().__init__(*args)
        self._conf = conf
        self._served = served
        self._duplicate = duplicate
        self._context: typing.Any = multiprocessing.get_context(
            conf.worker.start_method
        )
        self._starting = threading.Lock()
        self._count = slots
        self._slots: list[_Slot] = []
        self._idle: list[_Slot] = []
        self._waiting: list[runner.Job] = []

    def open(self) -> None:
        """Start the processes; blocks until they are up."""
        for number in range(self._count):
            self._slots.append(_Slot(self, number))
        for slot in self._slots:
            if not slot.up.wait(_START_TIME) or slot.trouble:
                self.close()
                raise exceptions.ConfigurationError(
                    slot.trouble
                    or f'no task process came up within {_START_TIME:g} s'
                )

    def close(self) -> None:
        """Let the processes end; what still runs in one ends with it."""
        for slot in self._slots:
            slot.close()

    def kill(self) -> None:
        """Kill what runs."""
        for slot in self._slots:
            if slot.job is not None:
                slot.kill()

    def tick(self) -> None:
        """Judge the timeouts, and kill what does not end."""
        super().tick()
        now = self._clock.monotonic()
        for slot in self._slots:
            if slot.kill_at is not None and now >= slot.kill_at:
                slot.kill()
                slot.kill_at = None

    def serve(self, paths: list[str]) -> None:
        """Have the processes serve more; new ones do so anyway."""
        for slot in self._slots:
            slot.say(task_process.SERVE, paths)

    def _launch(self, job: runner.Job) -> None:
        if not self._idle:
            self._waiting.append(job)
            if len(self._slots) - len(self._idle) <= self._count:
                # The protocol lets one revert or probe in beside the slots.
                self._slots.append(_Slot(self, len(self._slots)))
            return
        slot = self._idle.pop()
        slot.job = job
        job.runs_in = slot
        slot.say(task_process.RUN, task_process.write_request(job.request))

    def _tell(self, job: runner.Job) -> None:
        verdict = typing.cast(exceptions.ExecutionFailure, job.verdict)
        if job.runs_in is None:
            self._waiting.remove(job)
            del self._jobs[job.request.request_uuid]
            self._end_by_verdict(job, True)
            return
        job.runs_in.say(
            task_process.CANCEL,
            job.request.request_uuid,
            type(verdict).__name__,
            Exception.__str__(verdict),
            getattr(verdict, 'reason', ''),
        )

    def _abandon(self, job: runner.Job) -> None:
        slot: _Slot = job.runs_in
        if slot.kill_at is None:
            with self.about(job.request):
                LOG.warning(
                    'Task %s of flow %s does not stop (request %s): its '
                    'process is killed',
                    job.request.atom,
                    job.request.flow_uuid,
                    job.request.request_uuid,
                )
            slot.terminate()
            slot.kill_at = self._clock.monotonic() + _TERM_TIME
            job.give_up = None
            job.run_by = job.beat_by = None

    # From the threads of the slots

    def spawn(self) -> tuple[typing.Any, typing.Any]:
        """Start a process; return one's own end of its pipe, and it."""
        mine, theirs = self._context.Pipe()
        with self._starting:
            descriptor = self._duplicate()
            try:
                process = self._context.Process(
                    target=task_process.main,
                    args=(
                        theirs,
                        settings.of(self._conf),
                        self._served(),
                        task_process.Lock(descriptor),
                    ),
                    daemon=False,
                )
                process.start()
            finally:
                os.close(descriptor)
                theirs.close()
        return mine, process

    def ready(self, slot: _Slot) -> None:
        """Take note that a process is up."""
        self._post(self._free, slot)

    def said(self, slot: _Slot, word: str, rest: list[typing.Any]) -> None:
        """Take what a process says of its request."""
        self._post(self._said, slot, word, rest)

    def gone(self, slot: _Slot, exit_code: int | None) -> None:
        """Take note that a process has ended."""
        self._post(self._gone, slot, exit_code)

    # In a turn of the control

    def _free(self, slot: _Slot) -> None:
        self._idle.append(slot)
        if self._waiting:
            self._launch(self._waiting.pop(0))

    def _said(self, slot: _Slot, word: str, rest: list[typing.Any]) -> None:
        job = slot.job
        if job is None:
            return
        if word == task_process.PROGRESS:
            self._beat(job, rest[0])
        elif word == task_process.ENDED:
            slot.job = slot.kill_at = None
            self._ended(job, messages.End(rest[0]), rest[1])
            self._free(slot)

    def _gone(self, slot: _Slot, exit_code: int | None) -> None:
        if slot in self._idle:
            self._idle.remove(slot)
        job, slot.job, slot.kill_at = slot.job, None, None
        if job is None:
            return
        if job.verdict is not None:
            del self._jobs[job.request.request_uuid]
            self._end_by_verdict(job, True)
            return
        with self.about(job.request):
            LOG.error(
                'The process of task %s of flow %s (request %s) ended with '
                '%s while the task ran',
                job.request.atom,
                job.request.flow_uuid,
                job.request.request_uuid,
                f'signal {-exit_code}'
                if exit_code is not None and exit_code < 0
                else f'exit code {exit_code}',
            )
        # As far as the task is concerned its worker is dead.
        self._ended(job, messages.End.FENCED, None)
