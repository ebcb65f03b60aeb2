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

import collections
from concurrent import futures
import os
import threading
import time
import typing

import fixtures
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
    """Restarts leave no more queues than one run does.

    Ten engines and ten workers, with names of their own, each of which comes
    and goes ten times. ``TFS_RESTARTS`` may say ``1x100``: one of each, a
    hundred times, which takes some minutes.
    """

    def setUp(self) -> None:
        super().setUp()
        names, runs = os.environ.get('TFS_RESTARTS', '10x10').split('x')
        self.names, self.runs = int(names), int(runs)
        self.broker = self.useFixture(servers.RabbitMQ(private=True))
        self.notes = remote.new_notes()

    def _host(self, number: int) -> int:
        """Be a host whose processes come and go; return the runs."""
        url = f'{self.broker.url}?rabbit_transient_queues_ttl=1'
        host = f'host-{number}'
        total = 0
        with fixtures.TempDir() as folder:
            for _ in range(self.runs):
                with remote.Bus(url, f'{self.broker.namespace}.{host}') as bus:
                    bus.conf.set_override('state_path', folder.path)
                    bus.conf.set_override('name', host, 'worker')
                    bus.worker(remote.Add)
                    total = engines.run(
                        remote.Add(),
                        engine='workers',
                        conf=bus.conf,
                        store={'number': total},
                    )['total']
        return total

    def _queues(self) -> set[str]:
        server = typing.cast(instances.RabbitMQ, self.broker.server)
        return set(server.queues())

    def test_restarts_leave_no_more_queues_than_one_of_each(self) -> None:
        with futures.ThreadPoolExecutor(self.names) as pool:
            runs = list(pool.map(self._host, range(self.names)))
        self.assertEqual([self.runs] * self.names, runs)
        deadline = time.monotonic() + remote.LONG
        while True:
            queues = self._queues()
            if not any('fanout' in name for name in queues):
                break
            self.assertLess(time.monotonic(), deadline, queues)
            threading.Event().wait(0.5)
        # For each of the hosts and either role the shared one, and that of
        # the name.
        self.assertLessEqual(len(queues), 4 * self.names, queues)
        roles = collections.Counter(name.split('.')[2] for name in queues)
        self.assertEqual({'worker', 'engine'}, set(roles), queues)
