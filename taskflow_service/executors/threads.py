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
from collections.abc import Iterator
from concurrent import futures
import contextlib
import logging
import os
import threading
import typing

from taskflow_service import clock
from taskflow_service import exceptions
from taskflow_service import task as task_mod
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

#: How many tasks shorter than a commit a flow may place one after the other
#: while others wait: the end of one is then committed with the next.
SHARE = 10


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

    Flows that wait for room get it in turn, each for one task, or for
    ``SHARE`` where there is a backlog. ``per_flow`` bounds how many tasks of
    one flow run at once. A pool that was given is not shut down.
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
        #: What is placed, until the loop has its outcome.
        self._open: set[base.Request] = set()
        #: Guards what the threads of the pool change.
        self._lock = threading.Lock()
        #: How many requests the pool has.
        self._in_pool = 0
        #: What the threads of the own pool are to run, and how many do.
        self._todo: collections.deque[base.Request] = collections.deque()
        self._busy = 0
        self._waiting = waiting.Queue()
        self._running: dict[str, int] = {}
        self._backlog = 0
        #: Whether flows wait that found no room, and the pool ran dry.
        self._short = False
        self._too_small = False
        #: When the pool's pace was last looked at, and what ended since.
        self._looked = clock.SYSTEM.monotonic()
        self._ended = 0
        #: Whether there was a moment at which the pool had nothing to do.
        self._dry = True

    def bind(self, deliver: base.Deliver) -> None:
        """Say where outcomes go; those of an earlier loop are nobody's."""
        super().bind(deliver)
        self._open.clear()
        self._running.clear()
        self._waiting.clear()
        self._short = False

    def open(self) -> None:
        """Make the pool."""
        if self._pool is None:
            self._pool = futures.ThreadPoolExecutor(
                self._max_workers, thread_name_prefix='taskflow'
            )

    def place(self, offer: base.Offer) -> list[base.Request]:
        """Take as many as there is room for."""
        room = self._room()
        if room is not None:
            room = self._waiting.most(offer.run, room, self._share)
        most = room
        if self._per_flow is not None:
            free = self._per_flow - self._running.get(offer.run.flow_uuid, 0)
            most = free if room is None else min(room, free)
        placed, timed = self._take(offer, most)
        if placed:
            self._waiting.took(offer.run, len(placed))
            self._open.update(placed)
            if self._per_flow is not None:
                uuid = placed[0].run.flow_uuid
                with self._lock:
                    running = self._running.get(uuid, 0)
                    self._running[uuid] = running + len(placed)
        if timed or (len(placed) == room and len(offer)):
            self._short = self._short or not timed
            self._waiting.add(offer.run)
        else:
            self._waiting.leave(offer.run)
            self._short = self._short and bool(self._waiting)
        return placed

    def _take(
        self, offer: base.Offer, most: int | None
    ) -> tuple[list[base.Request], bool]:
        """Take what is offered; say whether the next has to wait."""
        placed: list[base.Request] = []
        with contextlib.suppress(IndexError):
            while most is None or len(placed) < most:
                request = offer.take()
                if self._has_to_wait(request, len(placed)):
                    offer.put_back(request)
                    return placed, True
                placed.append(request)
        return placed, False

    def _has_to_wait(self, request: base.Request, placed: int) -> bool:
        """Whether it is not to be placed without a thread that is free.

        Its time would run while it waits.
        """
        if self._width is None or len(self._open) + placed < self._width:
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
        return max(0, self._width + self._backlog - len(self._open))

    @property
    def _share(self) -> int:
        return SHARE if self._backlog else 1

    def called(self) -> Iterator[base.Run]:
        """Take out flows that waited for the room there is, one by one."""
        if not self._waiting:
            return iter(())
        return self._waiting.call(lambda: self._room() or 0, self._share)

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
        if self._waiting and len(self._open) < (self._width or 0):
            for run in self._waiting.call(lambda: 1, self._share):
                run.poke()

    def start(self, requests: list[base.Request]) -> None:
        """Hand them to the pool."""
        with self._lock:
            self._in_pool += len(requests)
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

    def _attempt(self, request: base.Request) -> task_mod.Attempt:
        """Return a request's attempt; made when it runs, or is cancelled."""
        with self._lock:
            if request.private is None:
                request.private = attempt_mod.attempt_of(request, self.deliver)
            return typing.cast(task_mod.Attempt, request.private)

    def _perform(self, request: base.Request) -> None:
        try:
            end, value = attempt_mod.perform(request, self._attempt(request))
        except BaseException as error:
            # A pool swallows it, and the flow would wait for ever.
            end, value = base.End.FAILED, _exited(error, request)
        self._end(request, end, value)

    def _end(
        self, request: base.Request, end: base.End, value: typing.Any
    ) -> None:
        with self._lock:
            self._ended += 1
            self._in_pool -= 1
            if not self._in_pool:
                self._dry = True
                self._too_small = self._too_small or self._short
        self.deliver(base.Outcome(request, end, value))

    def taken(self, request: base.Request) -> None:
        """Give its room back."""
        if request not in self._open:
            return
        self._open.remove(request)
        if self._per_flow is not None:
            uuid = request.run.flow_uuid
            # What cannot start is released by a thread for user code.
            with self._lock:
                self._running[uuid] -= 1
                if not self._running[uuid]:
                    del self._running[uuid]

    def release(self, requests: list[base.Request]) -> None:
        """Give their room back."""
        for request in requests:
            self.taken(request)

    def cancel(self, request: base.Request, reason: str) -> None:
        """Set the token of a task."""
        self._attempt(request).cancellation.cancel(reason)

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
