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


"""TaskFlow's way to have a worker and an engine, without a configuration."""

from __future__ import annotations

import threading
import uuid

import fixtures
from oslotest import base

from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service.engines.worker_based import worker
from taskflow_service.executors import hub
from taskflow_service.messaging import defaults
from taskflow_service.messaging import transport
from tests import remote


class WorkerBasedTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.notes = remote.new_notes()
        home = self.useFixture(fixtures.TempDir()).path
        self.useFixture(fixtures.EnvironmentVariable('HOME', home))
        self.exchange = f'tfs-{uuid.uuid4().hex[:12]}'
        conf = defaults.shared_conf(self.exchange)
        self.addCleanup(transport.forget, conf)
        self.addCleanup(hub.forget, conf)

    def test_a_worker_in_a_thread_runs_the_engines_tasks(self) -> None:
        lines: list[str] = []
        serving = worker.Worker(
            self.exchange,
            'topic1',
            ['tests.remote:Add'],
            transport='memory',
            threads_count=2,
        )
        thread = threading.Thread(
            target=serving.run, args=(True, lines.append)
        )
        thread.start()
        serving.wait()
        results = engines.run(
            remote.Add(3),
            engine='worker-based',
            exchange=self.exchange,
            topics=['topic1'],
            transport='memory',
            transition_timeout=60,
            store={'number': 4},
        )
        serving.stop()
        thread.join(remote.LONG)
        self.assertFalse(thread.is_alive())
        self.assertEqual(7, results['total'])
        self.assertIn('  Topic => topic1', lines)

    def test_a_transport_of_kombu_that_is_not_served_is_named(self) -> None:
        error = self.assertRaises(
            exceptions.ConfigurationError,
            worker.Worker,
            self.exchange,
            'topic1',
            ['tests.remote:Add'],
            transport='filesystem',
        )
        self.assertIn('filesystem', str(error))
