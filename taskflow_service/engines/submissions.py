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

"""Engines on their way into a shared loop: their flows are claimed first.

What waits to be claimed is claimed together, in one transaction for all. A
flow that another process owns is then claimed by itself, in one of a few
threads, where it may have to wait for its owner.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent import futures
import logging
import queue
import threading
import typing

from taskflow_service import exceptions
from taskflow_service import storage as storage_mod
from taskflow_service.engines import turn as turn_mod
from taskflow_service.executors import base as executors_base
from taskflow_service.persistence import base as persistence_base
from taskflow_service.persistence import leases
from taskflow_service.persistence import unit

LOG = logging.getLogger(__name__)

#: Most flows that one transaction claims.
MAX_TOGETHER = 1000

#: Threads in which flows are claimed that may not be free.
THREADS = 8


class Loadable(typing.Protocol):
    """What a loop asks of an engine."""

    @property
    def logbook(self) -> persistence_base.Backend | None: ...

    @property
    def storage(self) -> storage_mod.Storage: ...

    @property
    def owner(self) -> leases.Driver: ...

    def make_ready(self) -> None: ...

    def executor_key(self) -> typing.Any: ...

    def make_executor(
        self, shared: bool = False
    ) -> executors_base.Executor: ...

    def own(self, claim: unit.Claim | None = None) -> None: ...

    def disown(self) -> None: ...

    def make_drive(
        self, executor: executors_base.Executor, loop: typing.Any
    ) -> turn_mod.Drive: ...

    def finish(self, drive: turn_mod.Drive) -> None: ...


class Submission(typing.NamedTuple):
    """An engine whose flow is owned, or is to be; or why it is not."""

    engine: Loadable
    future: futures.Future[typing.Any]
    error: BaseException | None = None


class Claims:
    """Has flows claimed, and hands them on to ``deliver``. Thread-safe.

    One whose claim failed is handed on with its error.
    """

    def __init__(self, deliver: Callable[[Submission], object]) -> None:
        self._deliver = deliver
        self._queue: queue.SimpleQueue[Submission | None] = queue.SimpleQueue()
        self._pool = futures.ThreadPoolExecutor(
            THREADS, thread_name_prefix='taskflow-claim'
        )
        #: Started by the first flow that is to be claimed.
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def submit(self, submission: Submission) -> None:
        """Have a flow claimed; does not block."""
        self._queue.put(submission)
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._main, name='taskflow-claims', daemon=True
                )
                self._thread.start()

    def close(self) -> None:
        """End when all that was submitted is handed on; blocks until then."""
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()
        self._pool.shutdown()

    def _main(self) -> None:
        closed = False
        while not closed:
            batch = [self._queue.get()]
            while len(batch) < MAX_TOGETHER and not self._queue.empty():
                batch.append(self._queue.get())
            waiting = [each for each in batch if each is not None]
            closed = len(waiting) < len(batch)
            self._claim(waiting)

    def _claim(self, batch: Sequence[Submission]) -> None:
        logbooks: dict[int, list[Submission]] = {}
        for submission in batch:
            key = id(submission.engine.logbook)
            logbooks.setdefault(key, []).append(submission)
        for waiting in logbooks.values():
            first: dict[str, Submission] = {}
            for submission in waiting:
                uuid = submission.engine.storage.flow_uuid
                first.setdefault(uuid, submission)
            claims = self._claim_free([each.engine for each in first.values()])
            for submission in waiting:
                uuid = submission.engine.storage.flow_uuid
                # Of two that are to run one flow, one alone is its owner.
                if uuid in claims and first[uuid] is submission:
                    self._own(submission, claims[uuid])
                else:
                    self._pool.submit(self._own, submission)

    @staticmethod
    def _claim_free(
        engines: Sequence[Loadable],
    ) -> Mapping[str, unit.Claim]:
        logbook = typing.cast(persistence_base.Backend, engines[0].logbook)
        try:
            return logbook.claim_free(
                {each.storage.flow_uuid: each.owner for each in engines}
            )
        except exceptions.StorageFailure as error:
            LOG.debug('Claiming one by one, which waits: %s', error)
        except Exception:
            LOG.exception('Flows cannot be claimed together')
        return {}

    def _own(
        self, submission: Submission, claim: unit.Claim | None = None
    ) -> None:
        try:
            submission.engine.own(claim)
        except BaseException as error:
            submission = submission._replace(error=error)
        self._deliver(submission)
