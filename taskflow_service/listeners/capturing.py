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

"""Keep what happened to a flow, for tests and curious people."""

from __future__ import annotations

from collections.abc import Iterable
import typing

from taskflow_service.engines import base as engines_base
from taskflow_service.listeners import base


class CaptureListener(base.Listener):
    """Appends what it hears to ``values``.

    A value is ``(kind, state, details)``, with a kind of ``'flow'``,
    ``'task'`` or ``'retry'``; who derives from it may override
    ``_format_capture`` to have others. Atoms and flows can be skipped by
    their names, and kinds not be captured at all.
    """

    FLOW = 'flow'
    TASK = 'task'
    RETRY = 'retry'

    def __init__(
        self,
        engine: engines_base.Engine,
        task_listen_for: Iterable[str] = base.DEFAULT_LISTEN_FOR,
        flow_listen_for: Iterable[str] = base.DEFAULT_LISTEN_FOR,
        retry_listen_for: Iterable[str] = base.DEFAULT_LISTEN_FOR,
        capture_flow: bool = True,
        capture_task: bool = True,
        capture_retry: bool = True,
        skip_tasks: Iterable[str] | None = None,
        skip_retries: Iterable[str] | None = None,
        skip_flows: Iterable[str] | None = None,
        values: list[typing.Any] | None = None,
    ) -> None:
        super().__init__(
            engine, task_listen_for, flow_listen_for, retry_listen_for
        )
        self._capture = {
            self.FLOW: capture_flow,
            self.TASK: capture_task,
            self.RETRY: capture_retry,
        }
        self._skip = {
            self.FLOW: frozenset(skip_flows or ()),
            self.TASK: frozenset(skip_tasks or ()),
            self.RETRY: frozenset(skip_retries or ()),
        }
        self.values = [] if values is None else values

    @staticmethod
    def _format_capture(
        kind: str, state: str, details: base.Details
    ) -> typing.Any:
        """Make the value that is kept of an event."""
        return kind, state, details

    def _receive(self, kind: str, state: str, details: base.Details) -> None:
        if (
            self._capture[kind]
            and details[f'{kind}_name'] not in self._skip[kind]
        ):
            self.values.append(self._format_capture(kind, state, details))

    def _task_receiver(self, state: str, details: base.Details) -> None:
        self._receive(self.TASK, state, details)

    def _retry_receiver(self, state: str, details: base.Details) -> None:
        self._receive(self.RETRY, state, details)

    def _flow_receiver(self, state: str, details: base.Details) -> None:
        self._receive(self.FLOW, state, details)
