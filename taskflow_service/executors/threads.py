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

"""Run tasks in a pool of threads."""

from __future__ import annotations

import collections
from concurrent import futures
import logging
import os
import threading
import typing

from taskflow_service import clock
from taskflow_service import exceptions
from taskflow_service.executors import attempt as attempt_mod
from taskflow_service.executors import base
from taskflow_service.executors import waiting
from taskflow_service.types import failure as ft

LOG = logging.getLogger(__name__)

#: The most requests that wait in the pool's own queue.
MAX_BACKLOG = 1000

#: Seconds of work that may wait there: what is suspended or cancelled ends
#: no later than that. Longer than a busy database takes for a commit, or the
#: pool waits for it, and the pace that it then has lets less wait still.
HORIZON = 0.1


def default_workers() -> int:
    """One thread more than there are processors."""
    return (os.cpu_count() or 1) + 1


class ThreadsExecutor(base.Executor):
    """Runs requests in threads: its own, or those of a pool it is given.

    No more is placed than the pool has threads, so that a task that is
    RUNNING runs, and what is suspended has not begun. Only where the pool
    runs dry while a turn is committed does a backlog grow in its queue, and
    never beyond what ended within the last ``HORIZON``: tasks shorter than a
    commit share one, longer ones do not queue. Of a pool that does not say
    how many threads it has everything ready is given to it.

    ``per_flow`` bounds how many tasks of one flow run at once. A pool that
    was given is not shut down.
    """

    def __init__(
        self,
        executor: futures.Executor | None = None,
        max_workers: int | None = None,
        per_flow: int | None = None,
    ) -> None:
        if isinstance(executor, futures.ProcessPoolExecutor):
            raise TypeError(
                "A ProcessPoolExecutor cannot run tasks: give "
                "executor='processes' for tasks in processes"
            )
        self._given = executor
        self._pool = executor
        self._max_workers = max_workers or default_workers()
        self._width: int | None = self._max_workers
        if executor is not None:
            self._width = getattr(executor, '_max_workers', None)
        self._per_flow = per_flow
        #: Guards what the threads of the pool change.
        self._lock = threading.Lock()
        self._open = 0
        #: What the threads of the own pool are to run, and how many do.
        self._todo: collections.deque[base.Request] = collections.deque()
        self._busy = 0
        self._waiting = waiting.Queue()
        self._running: dict[str, int] = {}
        self._backlog = 0
        #: Whether a flow found no room, and the pool ran dry after that.
        self._short = False
        self._too_small = False
        #: When the pool's pace was last looked at, and what ended since.
        self._looked = clock.SYSTEM.monotonic()
        self._ended = 0
        #: Whether there was a moment at which the pool had nothing to do.
        self._dry = True

    def open(self) -> None:
        """Make the pool."""
        if self._pool is None:
            self._pool = futures.ThreadPoolExecutor(
                self._max_workers, thread_name_prefix='taskflow'
            )

    def place(self, offer: base.Offer) -> list[base.Request]:
        """Take as many as there is room for."""
        room = self._room()
        if self._per_flow is not None:
            free = self._per_flow - self._running.get(offer.run.flow_uuid, 0)
            room = free if room is None else min(room, free)
        placed: list[base.Request] = []
        timed = False
        try:
            while room is None or len(placed) < room:
                request = offer.take()
                timed = self._has_to_wait(request, len(placed))
                if timed:
                    offer.put_back(request)
                    break
                placed.append(request)
        except IndexError:
            pass
        if placed:
            with self._lock:
                self._open += len(placed)
                if self._per_flow is not None:
                    uuid = placed[0].run.flow_uuid
                    running = self._running.get(uuid, 0)
                    self._running[uuid] = running + len(placed)
        if timed or (self._is_full() and len(offer)):
            self._short = self._short or not timed
            self._waiting.add(offer.run)
        return placed

    def _has_to_wait(self, request: base.Request, placed: int) -> bool:
        """Whether it is not to be placed without a thread that is free.

        Its time would run while it waits.
        """
        if self._width is None or self._open + placed < self._width:
            return False
        task = request.task
        return bool(task.run_timeout or task.heartbeat_timeout)

    def _room(self) -> int | None:
        if self._width is None:
            return None
        if self._too_small:
            self._too_small = False
            self._backlog = min(
                max(2 * self._backlog, self._width), MAX_BACKLOG
            )
        return max(0, self._width + self._backlog - self._open)

    def _is_full(self) -> bool:
        return (
            self._width is not None
            and self._open >= self._width + self._backlog
        )

    def idle(self) -> None:
        """Let the backlog shrink to the pool's pace.

        Room that a flow was told of and did not take goes to the next one.
        """
        now = clock.SYSTEM.monotonic()
        elapsed = now - self._looked
        if elapsed >= HORIZON:
            if not self._dry:
                pace = int(self._ended * HORIZON / elapsed)
                self._backlog = min(self._backlog, pace)
            self._looked, self._ended, self._dry = now, 0, False
        # Where no thread is free, who waits is called when one is.
        if self._waiting and self._open < (self._width or 0):
            self._waiting.call()

    def start(self, requests: list[base.Request]) -> None:
        """Hand them to the pool."""
        for request in requests:
            request.private = attempt_mod.attempt_of(request, self.deliver)
        if self._given is None:
            self._run_in_own(requests)
            return
        for request in requests:
            try:
                self._given.submit(self._perform, request)
            except Exception as error:
                LOG.warning('The pool refused %r', request, exc_info=True)
                self._end(request, base.End.FAILED, _refused(error, request))

    def _run_in_own(self, requests: list[base.Request]) -> None:
        """Have the pool's threads run what waits, one after the other.

        A future for each request would cost more than a short task does.
        """
        pool = typing.cast(futures.Executor, self._pool)
        with self._lock:
            self._todo.extend(requests)
            wanted = min(len(self._todo), self._max_workers - self._busy)
        for _ in range(wanted):
            with self._lock:
                self._busy += 1
            try:
                pool.submit(self._run_all)
            except Exception as error:
                LOG.warning('No thread can be started', exc_info=True)
                self._strand(error)
                return

    def _strand(self, error: Exception) -> None:
        """Fail what waits, if there is no thread that will come to it."""
        stranded: list[base.Request] = []
        with self._lock:
            self._busy -= 1
            if not self._busy:
                stranded.extend(self._todo)
                self._todo.clear()
        for request in stranded:
            self._end(request, base.End.FAILED, _refused(error, request))

    def _run_all(self) -> None:
        while True:
            with self._lock:
                if not self._todo:
                    # Not below: a pool that could not start a thread for it
                    # keeps what it was given all the same.
                    self._busy = max(0, self._busy - 1)
                    return
                request = self._todo.popleft()
            self._perform(request)

    def _perform(self, request: base.Request) -> None:
        try:
            end, value = attempt_mod.perform(request, request.private)
        except BaseException as error:
            # A pool swallows it, and the flow would wait for ever.
            end, value = base.End.FAILED, _exited(error, request)
        self._end(request, end, value)

    def _end(
        self, request: base.Request, end: base.End, value: typing.Any
    ) -> None:
        self._leave([request])
        # Before its own flow, which else would take the room again.
        self._waiting.call()
        self.deliver(base.Outcome(request, end, value))

    def _leave(self, requests: list[base.Request]) -> None:
        with self._lock:
            self._open -= len(requests)
            self._ended += len(requests)
            if not self._open:
                self._dry = True
                self._too_small = self._too_small or self._short
                self._short = False
            if self._per_flow is not None:
                for request in requests:
                    self._count_down(request.run.flow_uuid)

    def _count_down(self, flow_uuid: str) -> None:
        left = self._running.get(flow_uuid, 0) - 1
        if left > 0:
            self._running[flow_uuid] = left
        else:
            self._running.pop(flow_uuid, None)

    def release(self, requests: list[base.Request]) -> None:
        """Give their room back."""
        self._leave(requests)

    def cancel(self, request: base.Request, reason: str) -> None:
        """Set the token of a task."""
        if request.private is not None:
            request.private.cancellation.cancel(reason)

    def close(self) -> None:
        """Wait for the threads to end, unless they are somebody else's."""
        if self._pool is not None and self._given is None:
            self._pool.shutdown()
            self._pool = None


def _exited(error: BaseException, request: base.Request) -> ft.Failure:
    failure = exceptions.ExecutionFailure(
        f'{request.action.capitalize()} of task {request.task.name!r} of flow '
        f'{request.run.flow_uuid} tried to end its thread: {error!r}',
        error,
    )
    return ft.Failure.from_exception(failure)


def _refused(error: Exception, request: base.Request) -> ft.Failure:
    failure = exceptions.ExecutionFailure(
        f'The pool of threads refused {request.action} of task '
        f'{request.task.name!r} of flow {request.run.flow_uuid}: {error}',
        error,
    )
    return ft.Failure.from_exception(failure)
