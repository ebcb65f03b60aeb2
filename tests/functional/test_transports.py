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


"""The transport suite over a real broker."""

from __future__ import annotations

import threading
import time
import typing

from oslotest import base

from taskflow_service import engines
from tests import instances
from tests import remote
from tests import servers
from tests.conformance import transports


class RabbitTransportTest(transports.TransportSuite, base.BaseTestCase):
    query = ''

    def setUp(self) -> None:
        broker = servers.RabbitMQ()
        broker.setUp()
        # First in, last out: the virtual host goes after its clients.
        self.addCleanup(broker.cleanUp)
        self.url = broker.url + self.query
        self.namespace = broker.namespace
        super().setUp()


class QuorumTransportTest(RabbitTransportTest):
    """What brokers from version 4.3 on ask for."""

    query = '?rabbit_quorum_queue=true&rabbit_transient_quorum_queue=true'


class QueuesTest(base.BaseTestCase):
    """Restarts leave no more queues than one run does."""

    def setUp(self) -> None:
        super().setUp()
        self.broker = self.useFixture(servers.RabbitMQ(private=True))
        self.notes = remote.new_notes()

    def _run_once(self) -> None:
        url = f'{self.broker.url}?rabbit_transient_queues_ttl=1'
        bus = remote.Bus(url, self.broker.namespace)
        with bus:
            bus.worker(remote.Add, name='blue')
            engines.run(
                remote.Add(),
                engine='workers',
                conf=bus.conf,
                store={'number': 1},
            )

    def _queues(self) -> set[str]:
        server = typing.cast(instances.RabbitMQ, self.broker.server)
        return set(server.queues())

    def test_restarts_leave_no_more_queues_than_one_of_each(self) -> None:
        self._run_once()
        for _ in range(8):
            self._run_once()
        roles = {'worker': set(), 'engine': set()}  # type: dict[str, set[str]]
        deadline = time.monotonic() + remote.LONG
        while True:
            queues = self._queues()
            if not any('fanout' in name for name in queues):
                break
            self.assertLess(time.monotonic(), deadline, queues)
            threading.Event().wait(0.5)
        for name in queues:
            role = name.split('.')[1]
            roles[role].add(name)
        # Of each the shared one, and that of the name.
        self.assertEqual(2, len(roles['worker']), queues)
        self.assertEqual(2, len(roles['engine']), queues)
