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


"""The workers engine with its workers over RabbitMQ."""

from __future__ import annotations

from oslotest import base

from taskflow_service import engines
from taskflow_service import exceptions
from tests import remote
from tests import servers
from tests.conformance import remote_flows


class RabbitFlowTest(remote_flows.RemoteFlowSuite, base.BaseTestCase):
    query = ''
    broker: servers.RabbitMQ

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        # A virtual host takes a second or two: name spaces are enough to
        # keep these apart.
        cls.broker = servers.RabbitMQ()
        cls.broker.setUp()
        cls.addClassCleanup(cls.broker.cleanUp)

    def setUp(self) -> None:
        super().setUp()
        self.bus = self.useFixture(remote.Bus(self.broker.url + self.query))


class QuorumFlowTest(RabbitFlowTest):
    """What brokers from version 4.3 on ask for."""

    query = '?rabbit_quorum_queue=true&rabbit_transient_quorum_queue=true'


class RefusedTest(base.BaseTestCase):
    """A broker that is there, and does not want us."""

    def test_a_run_ends_and_says_what_the_broker_said(self) -> None:
        url = self.useFixture(servers.RabbitMQ()).url
        where = url.rpartition('@')[2]
        bus = self.useFixture(remote.Bus(f'rabbit://nobody:secret@{where}'))
        lonely = remote.Add(name='lonely')
        lonely.start_timeout = 3.0
        engine = engines.load(
            lonely, engine='workers', conf=bus.conf, store={'number': 1}
        )
        error = self.assertRaises(exceptions.StartTimeout, engine.run)
        for word in ('lonely', 'the message broker is away', 'refused'):
            self.assertIn(word, str(error))
        self.assertNotIn('secret', str(error))
