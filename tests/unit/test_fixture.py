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

"""A consumer's test needs the fixture and nothing else."""

from __future__ import annotations

import os
import pathlib
import threading

from oslo_config import cfg
from oslotest import base

from taskflow_service import exceptions
from taskflow_service import fixture
from taskflow_service import retry
from taskflow_service import states
from taskflow_service import task
from taskflow_service.patterns import linear_flow


class Add(task.Task):
    default_provides = 'sum'

    def execute(self, a, b):
        return a + b


class Unreliable(task.Task):
    tries = 0

    def execute(self):
        type(self).tries += 1
        if self.tries < 3:
            raise OSError('not yet')


class FixtureTest(base.BaseTestCase):
    def test_a_flow_runs_on_a_worker(self):
        tools = self.useFixture(fixture.TaskflowFixture())
        self.assertEqual(
            3, tools.run(Add('add'), store={'a': 1, 'b': 2})['sum']
        )

    def test_a_flow_runs_on_any_engine(self):
        for engine in ('serial', 'parallel'):
            tools = self.useFixture(fixture.TaskflowFixture(engine))
            result = tools.run(Add('add'), store={'a': 1, 'b': 2})
            self.assertEqual(3, result['sum'])

    def test_the_logbook_can_be_looked_at(self):
        tools = self.useFixture(fixture.TaskflowFixture('serial'))
        engine = tools.load(Add('add'), store={'a': 1, 'b': 2})
        engine.run()
        connection = tools.backend.get_connection()
        (book,) = connection.get_logbooks()
        (detail,) = book
        self.assertEqual(states.SUCCESS, detail.state)

    def test_an_hour_passes_at_once(self):
        tools = self.useFixture(fixture.TaskflowFixture('serial'))
        again = retry.Times(3, backoff=retry.Backoff(delay=3600))
        flow = linear_flow.Flow('patient', retry=again).add(
            Unreliable('unreliable')
        )
        Unreliable.tries = 0
        future = tools.loop().submit(tools.load(flow))
        began = tools.clock.monotonic()
        while not future.done():
            tools.clock.wait_for_waiters()
            tools.clock.advance(600)
        future.result()
        self.assertEqual(3, Unreliable.tries)
        self.assertGreaterEqual(tools.clock.monotonic() - began, 2 * 3600)

    def test_nothing_is_left(self):
        before = set(threading.enumerate())
        tools = fixture.TaskflowFixture()
        tools.setUp()
        path = tools.conf.state_path
        tools.run(Add('add'), store={'a': 1, 'b': 2})
        tools.cleanUp()
        self.assertFalse(pathlib.Path(path).exists())
        left = set(threading.enumerate()) - before
        # A server in memory takes a second to end, and nobody waits for it.
        for each in left:
            each.join(30)
        self.assertEqual([], [each.name for each in left if each.is_alive()])
        self.assertNotIn(path, str(os.listdir('/proc/self/fd')))

    def test_a_configuration_of_the_test_is_used_and_restored(self):
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[], default_config_dirs=[])
        tools = fixture.TaskflowFixture('serial', conf)
        tools.setUp()
        tools.config('worker', slots=7)
        self.assertEqual(7, conf.worker.slots)
        tools.cleanUp()
        self.assertEqual(4, conf.worker.slots)

    def test_what_cannot_travel_is_seen(self):
        tools = self.useFixture(fixture.TaskflowFixture())
        self.assertRaises(
            exceptions.TaskFlowException,
            tools.run,
            Add('add'),
            store={'a': object(), 'b': object()},
        )
