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


"""The workers engine with its workers over a bus inside this process."""

from __future__ import annotations

from oslotest import base

from taskflow_service import demo
from taskflow_service import engines
from taskflow_service.engines import embedded
from tests import remote
from tests.conformance import remote_flows


class FakeFlowTest(remote_flows.RemoteFlowSuite, base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.bus = self.useFixture(remote.Bus())


class EmbeddedTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.notes = remote.new_notes()
        self.bus = self.useFixture(remote.Bus())

    def _run(self, flow: object, **store: object) -> dict[str, object]:
        return engines.run(
            flow, engine='workers', conf=self.bus.conf, store=store
        )

    def test_an_engine_alone_brings_its_worker(self) -> None:
        results = self._run(demo.hello_goodbye())
        self.assertEqual({'hi_happened', 'goodbye_happened'}, set(results))

    def test_it_serves_what_later_flows_hold(self) -> None:
        self._run(demo.hello_goodbye())
        self.assertEqual(8, self._run(remote.Add(7), number=1)['total'])

    def test_a_worker_of_the_program_is_enough(self) -> None:
        self.bus.worker(remote.Add)
        self.assertIsNone(embedded.ensure(self.bus.conf))

    def test_a_broker_gets_none(self) -> None:
        bus = self.useFixture(remote.Bus('rabbit://127.0.0.1:9/'))
        self.assertIsNone(embedded.ensure(bus.conf))
