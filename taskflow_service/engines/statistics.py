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

"""What a run did and how long it took."""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
import typing

from taskflow_service import clock as clock_mod
from taskflow_service import states
from taskflow_service.storage import record as record_mod

_PHASES = ('analyzing', 'resuming', 'scheduling', 'waiting')
_INCOMPLETE = frozenset((states.RUNNING, states.REVERTING))


class Statistics:
    """Numbers of the last run, as TaskFlow's engines give them."""

    def __init__(self, clock: clock_mod.Clock) -> None:
        self._clock = clock
        self._began: float | None = None
        self._before = 0
        self._active_for = 0.0
        self.discarded = 0
        self._seconds = dict.fromkeys(_PHASES, 0.0)
        self._phase = _PHASES[0]
        self._since = 0.0

    @contextlib.contextmanager
    def gather(self, record: record_mod.Record) -> Iterator[None]:
        """Measure a run."""
        self._before = record.completed
        self._seconds = dict.fromkeys(_PHASES, 0.0)
        self._phase = 'resuming'
        self._began = self._since = self._clock.monotonic()
        try:
            yield
        finally:
            self.enter(self._phase)
            self._active_for = self._since - self._began

    def enter(self, phase: str) -> None:
        """Take note of what the loop does from now on."""
        now = self._clock.monotonic()
        self._seconds[self._phase] += now - self._since
        self._phase, self._since = phase, now

    def as_dict(self, record: record_mod.Record) -> dict[str, typing.Any]:
        """The numbers; empty before the first run."""
        if self._began is None:
            return {}
        states_now = [record.states[node] for node in record.index.values()]
        over = record.state in states.FINISHED_FLOW_STATES
        return {
            'seconds_per_state': dict(self._seconds),
            'discarded_failures': self.discarded,
            'awaiting': 0 if over else states_now.count(states.PENDING),
            'completed': record.completed - self._before,
            'incomplete': sum(state in _INCOMPLETE for state in states_now),
            'active_for': self._active_for,
        }
