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

"""Listeners that keep times."""

from __future__ import annotations

import contextlib
import itertools
import typing

from oslotest import base as test_base

from taskflow_service import engines
from taskflow_service import task
from taskflow_service.listeners import timing
from taskflow_service.patterns import linear_flow
from taskflow_service.persistence import backends


class Say(task.Task):
    def execute(self) -> str:
        return 'said'


class TestTiming(test_base.BaseTestCase):
    def _metas(self, engine: typing.Any, backend: typing.Any) -> typing.Any:
        with contextlib.closing(backend.get_connection()) as connection:
            detail = connection.get_flow_details(engine.storage.flow_uuid)
        return detail.meta, {atom.name: atom.meta for atom in detail}

    def test_times_are_stored_with_flow_and_atoms(self):
        backend = self._backend()
        engine = engines.load(
            linear_flow.Flow('f').add(Say('a')), backend=backend
        )
        ticks = itertools.count(100)
        with timing.EventTimeListener(engine, clock=lambda: next(ticks)):
            engine.run()
        flow, atoms = self._metas(engine, backend)
        self.assertEqual(
            {'RUNNING-timestamp': 100, 'SUCCESS-timestamp': 103}, flow
        )
        self.assertEqual(101, atoms['a']['RUNNING-timestamp'])
        self.assertEqual(102, atoms['a']['SUCCESS-timestamp'])

    def test_durations_are_stored_with_flow_and_atoms(self):
        backend = self._backend()
        engine = engines.load(
            linear_flow.Flow('f').add(Say('a'), Say('b')), backend=backend
        )
        with timing.DurationListener(engine):
            engine.run()
        flow, atoms = self._metas(engine, backend)
        self.assertGreaterEqual(flow['duration'], 0)
        self.assertGreaterEqual(atoms['a']['duration'], 0)
        self.assertGreaterEqual(atoms['b']['duration'], 0)

    def _backend(self) -> typing.Any:
        backend = backends.fetch({'connection': 'memory'})
        self.addCleanup(backend.close)
        return backend
