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
"""Publish what a commit has made durable, for other programs."""

from __future__ import annotations

from collections.abc import Iterator
import socket
import typing

from oslo_config import cfg

from taskflow_service import exceptions
from taskflow_service import registry
from taskflow_service import states
from taskflow_service.engines import base as engines_base
from taskflow_service.listeners import base
from taskflow_service.notifications import events
from taskflow_service.notifications import publisher
from taskflow_service.persistence import rows
from taskflow_service.storage import columns
from taskflow_service.types import failure as ft

_FLOW_PHASES = {
    states.RUNNING: events.Phase.START,
    states.SUCCESS: events.Phase.END,
    states.SUSPENDED: events.Phase.END,
    states.REVERTED: events.Phase.ERROR,
    states.FAILURE: events.Phase.ERROR,
}
_TASK_PHASES = {
    states.RUNNING: events.Phase.START,
    states.REVERTING: events.Phase.START,
    states.SUCCESS: events.Phase.END,
    states.REVERTED: events.Phase.END,
    states.FAILURE: events.Phase.ERROR,
    states.REVERT_FAILURE: events.Phase.ERROR,
}
_REVERTS = frozenset(
    (states.REVERTING, states.REVERTED, states.REVERT_FAILURE)
)


class NotificationListener(base.Listener):
    """Publishes the start, the end and the errors of a flow and its tasks.

    ``engines.load(conf=...)`` attaches it where ``[notifications] enabled``
    says so.

    :param conf: instead of the one that the engine was loaded from
    :raises ConfigurationError: what is configured can carry no events
    """

    def __init__(
        self, engine: engines_base.Engine, conf: cfg.ConfigOpts | None = None
    ) -> None:
        super().__init__(engine)
        conf = conf or engine.conf
        found = None if conf is None else publisher.shared(conf)
        if found is None:
            raise exceptions.ConfigurationError(
                '[notifications] enabled is not set: events can be published '
                'only by a configuration in which it is true',
                option='[notifications] enabled',
            )
        self._publisher = found
        self._whose = events.whose(engine.context)
        self._from = f'taskflow-engine.{socket.gethostname()}'

    def on_committed(self, transitions: list[engines_base.Transition]) -> None:
        """Queue an event of each transition that others may wait for."""
        at = self._engine.clock.now()
        for each in transitions:
            event = None
            if each.kind == 'flow' and each.state in _FLOW_PHASES:
                event = self._of_flow(each, at)
            elif each.kind == 'task' and each.state in _TASK_PHASES:
                event = self._of_task(each, at)
            if event is not None:
                self._publisher.publish(event)

    def _of_flow(
        self, moved: engines_base.Transition, at: float
    ) -> events.Event:
        phase = _FLOW_PHASES[moved.state]
        failures: list[events.Payload] = []
        if phase is events.Phase.ERROR:
            failures = events.first_failures(self._failures())
        return events.make(
            events.Subject.FLOW,
            phase,
            self._from,
            at,
            flow_uuid=moved.uuid,
            flow_name=moved.name,
            state=moved.state,
            old_state=moved.old_state,
            epoch=self._engine.storage.ledger.epoch,
            failures=failures,
            **self._whose,
        )

    def _of_task(
        self, moved: engines_base.Transition, at: float
    ) -> events.Event:
        phase = _TASK_PHASES[moved.state]
        record = self._record
        node = record.index[moved.name]
        if phase is events.Phase.START:
            request = record.requests.get(node, columns.NO_REQUEST)
            worker = request[columns.WORKER]
        else:
            worker = record.workers.get(node)
        failure = moved.failure
        task = typing.cast(typing.Any, record.atoms[node])
        return events.make(
            events.Subject.TASK,
            phase,
            self._from,
            at,
            flow_uuid=record.flow_uuid,
            flow_name=record.flow_name,
            task_uuid=moved.uuid,
            task_name=moved.name,
            task_type=registry.wire_name(type(task)),
            task_version=rows.version_text(task.version) or '',
            action='revert' if moved.state in _REVERTS else 'execute',
            state=moved.state,
            old_state=moved.old_state,
            attempt=moved.attempt,
            worker=worker,
            epoch=self._engine.storage.ledger.epoch,
            failure=failure and events.failed(moved.name, failure),
            **self._whose,
        )

    @property
    def _record(self) -> typing.Any:
        return self._engine.storage.record

    def _failures(self) -> Iterator[tuple[str | None, ft.Failure]]:
        drive = typing.cast(typing.Any, self._engine.storage).driver
        if drive is not None and drive.cancelled is not None:
            yield None, drive.cancelled
        record = self._record
        for failures in (record.failures, record.revert_failures):
            for node, failure in failures.items():
                yield record.atoms[node].name, failure
