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

"""Outcomes that nobody waits for: kept as evidence before they are forgotten.

A worker keeps an outcome until somebody says that it is recorded. One whose
request is not its atom's current one any more is stored beside its flow; one
whose request is current belongs to the flow's owner, and stays where it is.
All of it happens in one thread apart, because a logbook may be slow or away
while the hub must go on.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures
import contextlib
import logging
import threading
import typing

from taskflow_service import exceptions
from taskflow_service.executors import base
from taskflow_service.persistence import queries
from taskflow_service.protocol import messages
from taskflow_service.protocol.engine import records

LOG = logging.getLogger(__name__)

#: How many flows of this process are remembered with their logbooks.
REMEMBERED = 10_000

Recorded = Callable[[list[str]], None]
Fetch = Callable[[str, int, messages.Peer], None]


class Evidence:
    """The logbooks that a hub's requests belong to. Thread-safe.

    :param recorded: told which outcomes the workers may forget
    :param fetch: asks a worker for an outcome, with the epoch of its flow
    """

    def __init__(self, recorded: Recorded, fetch: Fetch) -> None:
        self._recorded = recorded
        self._fetch = fetch
        self._lock = threading.Lock()
        self._flows: dict[str, base.Logbook | None] = {}
        self._logbooks: dict[int, base.Logbook] = {}
        self._pool: futures.ThreadPoolExecutor | None = None
        #: How many outcomes were refused.
        self.refused = 0

    def know(self, flow_uuid: str, logbook: base.Logbook | None) -> None:
        """Take note of where a flow is kept; None for memory alone."""
        with self._lock:
            self._flows[flow_uuid] = logbook
            if len(self._flows) > REMEMBERED:
                del self._flows[next(iter(self._flows))]
            if logbook is not None:
                self._logbooks[id(logbook)] = logbook

    def may_speak(self) -> bool:
        """Whether this process is sure to own the flows that it drives."""
        return all(
            logbook.may_speak() for logbook in list(self._logbooks.values())
        )

    def _submit(self, call: Callable[..., None], event: typing.Any) -> None:
        with self._lock:
            if self._pool is None:
                self._pool = futures.ThreadPoolExecutor(
                    1, thread_name_prefix='taskflow-evidence'
                )
        try:
            self._pool.submit(self._guarded, call, event)
        except RuntimeError:
            # The process ends: the worker keeps it for who comes next.
            LOG.debug('Left to another process: %s', event)

    def _guarded(self, call: Callable[..., None], event: typing.Any) -> None:
        try:
            call(event)
        except exceptions.StorageFailure as error:
            # It is sent again until it is answered.
            LOG.info('An outcome that came late waits: %s', error)
        except Exception:
            LOG.exception('An outcome that came late could not be kept')

    def late(self, event: records.Late) -> None:
        """Keep an outcome whose request is not open here."""
        self._submit(self._late, event)

    def _late(self, event: records.Late) -> None:
        outcome = event.outcome
        flow_uuid = outcome.flow_uuid or ''
        if flow_uuid in self._flows and self._flows[flow_uuid] is None:
            self._refuse(event)
            return
        for logbook in self._candidates(flow_uuid):
            with contextlib.closing(logbook.get_connection()) as connection:
                kept = connection.store_late(
                    queries.LateOutcome(
                        flow_uuid,
                        outcome.request_uuid,
                        None,
                        event.worker.name,
                        event.worker.incarnation,
                        {'end': str(outcome.end), 'value': outcome.value},
                    )
                )
            if kept is queries.Late.STORED:
                self._refuse(event)
            if kept is not queries.Late.UNKNOWN:
                return

    def _candidates(self, flow_uuid: str) -> list[base.Logbook]:
        known = self._flows.get(flow_uuid)
        return [known] if known else list(self._logbooks.values())

    def _refuse(self, event: records.Late) -> None:
        self.refused += 1
        LOG.warning(
            'Refused a late outcome (%s) of request %s of flow %s from worker '
            '%s (%s): it is not the current request of its task any more',
            event.outcome.end,
            event.outcome.request_uuid,
            event.outcome.flow_uuid,
            event.worker.name,
            event.worker.incarnation,
        )
        self._recorded([event.outcome.request_uuid])

    def orphaned(self, event: records.Orphaned) -> None:
        """Fetch the outcome of an engine that is gone, if it is late."""
        self._submit(self._orphaned, event)

    def _orphaned(self, event: records.Orphaned) -> None:
        orphan = event.orphan
        for logbook in self._candidates(orphan.flow_uuid):
            try:
                with contextlib.closing(logbook.get_connection()) as conn:
                    detail = conn.get_flow_details(orphan.flow_uuid)
            except exceptions.NotFound:
                continue
            if all(
                atom.request_uuid != orphan.request_uuid for atom in detail
            ):
                self._fetch(orphan.request_uuid, detail.epoch, event.worker)
            return

    def close(self) -> None:
        """Let the thread end."""
        if self._pool is not None:
            self._pool.shutdown(wait=False)
