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


"""One request from its start to its outcome.

Where a request stands, and when it has had enough time, is known to the
control alone. What runs it, a thread or a process, decodes, calls the
task, encodes what came of it, and posts that.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
import contextlib
import queue
import threading
import typing

from oslo_log import log as logging

from taskflow_service import cancellation
from taskflow_service import clock as clock_mod
from taskflow_service import context
from taskflow_service import exceptions
from taskflow_service.protocol import messages
from taskflow_service.types import failure
from taskflow_service.worker import body

LOG = logging.getLogger(__name__)


class Owner(typing.Protocol):
    """Who a runner works for; called in turns of the control only."""

    def finished(self, outcome: messages.Outcome, freed: bool) -> None:
        """Take a request's outcome; not ``freed`` if its slot is not."""

    def freed(self, request_uuid: str) -> None:
        """Take back the slot of a request that had ended before."""

    def progressed(self, request_uuid: str, progress: str) -> None:
        """Take the newest progress of a request, encoded."""


class Job:
    """A request that runs."""

    __slots__ = (
        'request',
        'cancellation',
        'started',
        'run_by',
        'beat_by',
        'give_up',
        'verdict',
        'ended',
        'runs_in',
    )

    def __init__(
        self, request: messages.Request, wall: float, now: float
    ) -> None:
        self.request = request
        self.cancellation = cancellation.Cancellation()
        self.started = wall
        limit = request.run_timeout
        self.run_by = None if limit is None else now + limit
        limit = request.heartbeat_timeout
        self.beat_by = None if limit is None else now + limit
        #: When to stop waiting for a task that was told to stop.
        self.give_up: float | None = None
        #: Why it was told to stop.
        self.verdict: exceptions.ExecutionFailure | None = None
        #: Its outcome is out; only its slot is still taken.
        self.ended = False
        #: What runs it, where that is not any thread.
        self.runs_in: typing.Any = None


class Runner(abc.ABC):
    """Runs requests; all methods are for the control's turns.

    :param post: has something called in a turn of the control
    :param grace: seconds that a cancelled task may take, where its request
        does not say
    """

    def __init__(
        self,
        caller: body.Body,
        owner: Owner,
        post: Callable[..., None],
        grace: float,
        clock: clock_mod.Clock = clock_mod.SYSTEM,
    ) -> None:
        self._body = caller
        self._owner = owner
        self._post = post
        self._grace = grace
        self._clock = clock
        self._jobs: dict[str, Job] = {}

    def start(self, request: messages.Request) -> None:
        """Begin to run a request."""
        job = Job(request, self._clock.now(), self._clock.monotonic())
        self._jobs[request.request_uuid] = job
        self._launch(job)

    def cancel(self, request_uuid: str, reason: str) -> None:
        """Tell a running task to stop."""
        job = self._jobs.get(request_uuid)
        if job is not None and job.verdict is None and not job.ended:
            self._stop(
                job,
                exceptions.Cancelled(
                    f'Cancelled: {reason}' if reason else 'Cancelled',
                    reason=reason,
                ),
            )

    def tick(self) -> None:
        """Judge the timeouts; call it at least once a second."""
        now = self._clock.monotonic()
        for job in list(self._jobs.values()):
            if job.ended:
                continue
            if job.give_up is not None:
                if now >= job.give_up:
                    self._abandon(job)
            elif job.run_by is not None and now >= job.run_by:
                limit = job.request.run_timeout
                self._stop(
                    job,
                    exceptions.RunTimeout(
                        f'Task {job.request.atom!r} ran longer than its '
                        f'run_timeout of {limit:g} s'
                    ),
                )
            elif job.beat_by is not None and now >= job.beat_by:
                limit = job.request.heartbeat_timeout
                self._stop(
                    job,
                    exceptions.HeartbeatTimeout(
                        f'Task {job.request.atom!r} gave no sign of life '
                        f'within its heartbeat_timeout of {limit:g} s'
                    ),
                )

    def running(self) -> list[tuple[messages.Request, float]]:
        """List what runs, and since when (wall clock); from any thread."""
        jobs = list(self._jobs.values())
        return [(job.request, job.started) for job in jobs]

    def about(
        self, request: messages.Request
    ) -> contextlib.AbstractContextManager[None]:
        """Have log lines carry a request's oslo.context; from any thread."""
        return context.using(self._body.context(request))

    def open(self) -> None:
        """Get ready to run.

        :raises ConfigurationError: a ``[worker] setup`` callable failed
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of what is idle; what runs is not waited for."""

    def kill(self) -> None:
        """End what runs by force, where that can be done."""

    def serve(self, paths: list[str]) -> None:
        """Serve more task classes, by their paths."""

    # What a subclass does

    @abc.abstractmethod
    def _launch(self, job: Job) -> None:
        """Have a job run."""

    def _tell(self, job: Job) -> None:
        """Tell a job's task of its verdict."""
        reason = getattr(job.verdict, 'reason', None) or str(job.verdict)
        job.cancellation.cancel(reason)

    @abc.abstractmethod
    def _abandon(self, job: Job) -> None:
        """Do with a job that did not stop in time what can be done."""

    # What it uses, in a turn of the control

    def _stop(self, job: Job, verdict: exceptions.ExecutionFailure) -> None:
        grace = job.request.cancel_grace
        job.verdict = verdict
        job.give_up = self._clock.monotonic() + (
            self._grace if grace is None else grace
        )
        self._tell(job)

    def _end_by_verdict(self, job: Job, freed: bool) -> None:
        verdict = typing.cast(exceptions.ExecutionFailure, job.verdict)
        end, text = self._body.stopped(
            failure.Failure.from_exception(verdict), verdict
        )
        self._owner.finished(self._outcome(job, end, text), freed)

    def _ended(self, job: Job, end: messages.End, text: str | None) -> None:
        del self._jobs[job.request.request_uuid]
        if job.ended:
            self._owner.freed(job.request.request_uuid)
        else:
            self._owner.finished(self._outcome(job, end, text), True)

    def _beat(self, job: Job, text: str) -> None:
        limit = job.request.heartbeat_timeout
        if limit is not None:
            job.beat_by = self._clock.monotonic() + limit
        if not job.ended:
            self._owner.progressed(job.request.request_uuid, text)

    def _outcome(
        self, job: Job, end: messages.End, text: str | None
    ) -> messages.Outcome:
        return messages.Outcome(
            job.request.request_uuid,
            end,
            text,
            job.started,
            self._clock.now(),
        )


class ThreadRunner(Runner):
    """Runs requests in threads of this process.

    A thread cannot be killed: one whose task does not heed its cancellation
    ends its request after the grace time, but not its slot, which is free
    when the task returns.
    """

    def __init__(self, *args: typing.Any) -> None:
        super().__init__(*args)
        self._work: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._busy = 0

    def close(self) -> None:
        """End the idle threads; one that runs a task ends after it."""
        for _ in self._threads:
            self._work.put(None)

    def _launch(self, job: Job) -> None:
        self._busy += 1
        if self._busy > len(self._threads):
            thread = threading.Thread(
                target=self._run,
                name=f'tfs-task-{len(self._threads)}',
                daemon=True,
            )
            self._threads.append(thread)
            thread.start()
        self._work.put(job)

    def _abandon(self, job: Job) -> None:
        job.ended = True
        with self.about(job.request):
            LOG.warning(
                'Task %s of flow %s does not stop (request %s): its thread '
                'cannot be killed, its slot stays taken until it returns',
                job.request.atom,
                job.request.flow_uuid,
                job.request.request_uuid,
            )
        self._end_by_verdict(job, False)

    def _ended(self, job: Job, end: messages.End, text: str | None) -> None:
        self._busy -= 1
        super()._ended(job, end, text)

    # In a task thread

    def _run(self) -> None:
        while True:
            job = self._work.get()
            if job is None:
                return
            self._perform(job)
            # An idle thread keeps nothing of what it ran.
            del job

    def _perform(self, job: Job) -> None:
        end, text = self._body.run(
            job.request,
            job.cancellation,
            lambda text: self._post(self._beat, job, text),
            lambda: job.verdict,
        )
        self._post(self._ended, job, end, text)
