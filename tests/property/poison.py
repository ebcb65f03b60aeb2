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

"""The random runs of ``lockstep`` with a logbook that refuses some values.

The model knows nothing of it: to it, what is refused has failed. So a flow
that is taken back to its last commit must end up where it had been, had the
task raised.
"""

from __future__ import annotations

from taskflow_service import exceptions
from taskflow_service.executors import base as executors_base
from taskflow_service.persistence import base as persistence_base
from taskflow_service.persistence import models
from taskflow_service.persistence import rows
from taskflow_service.persistence import unit
from taskflow_service.persistence.backends import impl_memory
from tests.property import lockstep
from tests.property import random_flows

POISON = 'poison'

_VALUES = ('results', 'failure', 'revert_results', 'revert_failure')


class _Writer(persistence_base.Writer):
    """Takes everything but poison, and says so as a database would."""

    def __init__(self, writer, refused):
        self._writer = writer
        self._refused = refused

    def commit(self, changes):
        """Refuse the flows that have any poison, write the others."""
        poison = {
            change.flow_uuid: found
            for change in changes
            if (found := self._found(change))
        }
        good = [each for each in changes if each.flow_uuid not in poison]
        committed = self._writer.commit(good)
        if not poison:
            return committed
        self._refused()
        return unit.Committed(
            committed.lost,
            {uuid: exceptions.StorageFailure('refused') for uuid in poison},
            poison,
        )

    @staticmethod
    def _found(change):
        found = {}
        for row in change.atoms:
            values = [rows.atom_field(row, name) for name in _VALUES]
            if any(
                isinstance(value, tuple) and POISON in value
                for value in values
            ):
                name = rows.atom_field(row, 'name')
                found[name] = exceptions.ValueNotStorable('no', reason='no')
        return found

    def close(self):
        """Do nothing."""


class Backend(impl_memory.MemoryBackend):
    """Calls something whenever it refuses a flow."""

    def __init__(self, refused):
        super().__init__()
        self._on_refusal = refused

    def open_writer(self):
        """Make a writer that refuses poison."""
        return _Writer(super().open_writer(), self._on_refusal)


class Harness(lockstep.Harness):
    """One flow, some of whose values are refused."""

    errors = (*lockstep.Harness.errors, exceptions.ValueNotStorable)

    def _begin(self, flow):
        self.backend = Backend(self._forget_calls)
        self.poisons = self.rng.choice((0.05, 0.2, 0.5))
        book = models.LogBook('book')
        detail = models.FlowDetail(flow.name)
        book.add(detail)
        self.uuid = detail.uuid
        connection = self.backend.get_connection()
        connection.save_logbook(book)
        self._load(flow, connection.get_flow_details(self.uuid))

    def _engine_options(self):
        return {**self.options, 'backend': self.backend}

    def _stored(self):
        return self.backend.get_connection().get_flow_details(self.uuid)

    def _forget_calls(self):
        # What controllers said in a turn that is taken back.
        self._count('taken back')
        self.told.clear()

    def _is_stored(self, request):
        """Whether the value of a request gets into the logbook.

        What a revert returns does not where a retry resets its task at once.
        """
        return request.action is executors_base.Action.EXECUTE or not any(
            isinstance(atom, random_flows.Retry) for atom in self.spec.atoms()
        )

    def _deliver(self, request, end, value):
        ok = end is executors_base.End.OK and self._is_stored(request)
        if ok and self.rng.random() < self.poisons:
            self._count(f'{request.action} poisoned')
            value = (POISON, request.task.name)
            ok = False
        else:
            ok = end is executors_base.End.OK
        self.executor.deliver(executors_base.Outcome(request, end, value))
        return ok, value
