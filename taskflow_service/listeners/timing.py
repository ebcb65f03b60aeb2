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

"""Note when things happened to a flow and its atoms, and how long they took.

What is noted becomes part of the turn that it happened in: it costs no
commit of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
import logging
import time
import typing

from oslo_utils import timeutils

from taskflow_service import exceptions
from taskflow_service import states
from taskflow_service.engines import base as engines_base
from taskflow_service.listeners import base

LOG = logging.getLogger(__name__)

#: States in which the clock begins to run,
STARTING_STATES = frozenset((states.RUNNING, states.REVERTING))
#: and those in which it is read.
FINISHED_STATES = frozenset(base.FINISH_STATES)
WATCH_STATES = frozenset((*STARTING_STATES, *FINISHED_STATES, states.PENDING))


class DurationListener(base.Listener):
    """Notes how long the flow and each task took, in seconds.

    It is kept as ``duration`` in their metadata; for what began more than
    once that of the last time.
    """

    def __init__(self, engine: engines_base.Engine) -> None:
        super().__init__(
            engine,
            task_listen_for=WATCH_STATES,
            flow_listen_for=WATCH_STATES,
        )
        self._timers: dict[str, dict[str, timeutils.StopWatch]] = {
            'task': {},
            'flow': {},
        }

    def deregister(self) -> None:
        """Listen no more; what has not ended is named in the log."""
        super().deregister()
        for kind, timers in self._timers.items():
            if timers:
                LOG.warning(
                    'Of the %ss listened to, %s did not end in any of %s',
                    kind,
                    sorted(timers),
                    sorted(FINISHED_STATES),
                )
            timers.clear()

    def _record_ending(
        self,
        timer: timeutils.StopWatch,
        item_type: str,
        item_name: str,
        state: str,
    ) -> None:
        """Keep the duration of what has ended."""
        storage = self._engine.storage
        update = {'duration': float(timer.elapsed())}
        try:
            if item_type == 'task':
                storage.update_atom_metadata(item_name, update)
            else:
                storage.update_flow_metadata(update)
        except exceptions.TaskFlowException:
            LOG.warning(
                'The duration of %s %r cannot be stored (%s)',
                item_type,
                item_name,
                update,
                exc_info=True,
            )

    def _task_receiver(self, state: str, details: base.Details) -> None:
        self._receiver('task', details['task_name'], state)

    def _flow_receiver(self, state: str, details: base.Details) -> None:
        self._receiver('flow', details['flow_name'], state)

    def _receiver(self, item_type: str, item_name: str, state: str) -> None:
        timers = self._timers[item_type]
        if state == states.PENDING:
            timers.pop(item_name, None)
        elif state in STARTING_STATES:
            timers[item_name] = timeutils.StopWatch().start()
        elif state in FINISHED_STATES:
            timer = timers.pop(item_name, None)
            if timer is not None:
                timer.stop()
                self._record_ending(timer, item_type, item_name, state)


class PrintingDurationListener(DurationListener):
    """Notes durations as its base does, and says so.

    :param printer: what is called with each line, ``print`` by default
    """

    def __init__(
        self,
        engine: engines_base.Engine,
        printer: Callable[[str], object] | None = None,
    ) -> None:
        super().__init__(engine)
        self._printer = printer or print

    def _record_ending(
        self,
        timer: timeutils.StopWatch,
        item_type: str,
        item_name: str,
        state: str,
    ) -> None:
        super()._record_ending(timer, item_type, item_name, state)
        self._printer(
            f"It took {item_type} '{item_name}' {timer.elapsed():0.2f} "
            f'seconds to finish.'
        )

    def _receiver(self, item_type: str, item_name: str, state: str) -> None:
        super()._receiver(item_type, item_name, state)
        if state in STARTING_STATES:
            self._printer(f"'{item_name}' {item_type} started.")


class EventTimeListener(base.Listener):
    """Notes when each state was entered, in seconds since the epoch.

    It is kept as ``<state>-timestamp`` in the metadata of flow and atoms.
    """

    def __init__(
        self,
        engine: engines_base.Engine,
        task_listen_for: Iterable[str] = base.DEFAULT_LISTEN_FOR,
        flow_listen_for: Iterable[str] = base.DEFAULT_LISTEN_FOR,
        retry_listen_for: Iterable[str] = base.DEFAULT_LISTEN_FOR,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(
            engine, task_listen_for, flow_listen_for, retry_listen_for
        )
        self._clock = clock

    def _stamp(self, state: str) -> dict[str, typing.Any]:
        return {f'{state}-timestamp': self._clock()}

    def _record_atom_event(self, state: str, atom_name: str) -> None:
        self._engine.storage.update_atom_metadata(
            atom_name, self._stamp(state)
        )

    def _flow_receiver(self, state: str, details: base.Details) -> None:
        self._engine.storage.update_flow_metadata(self._stamp(state))

    def _task_receiver(self, state: str, details: base.Details) -> None:
        self._record_atom_event(state, details['task_name'])

    def _retry_receiver(self, state: str, details: base.Details) -> None:
        self._record_atom_event(state, details['retry_name'])
