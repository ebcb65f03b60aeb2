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


from __future__ import annotations

import threading
import time

import fixtures
from oslotest import base

from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import identity
from taskflow_service import task
from taskflow_service import worker as worker_mod
from taskflow_service.messaging import control
from taskflow_service.messaging import transport
from taskflow_service.patterns import unordered_flow
from tests import remote


class WorkerTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.bus = self.useFixture(remote.Bus())
        self.conf = self.bus.conf

    def test_it_runs_in_a_thread_until_it_is_stopped(self) -> None:
        worker = worker_mod.Worker(self.conf, tasks=[remote.Add])
        thread = threading.Thread(target=worker.run)
        thread.start()
        self.assertFalse(worker.wait(0))
        worker.stop()
        thread.join(remote.LONG)
        self.assertFalse(thread.is_alive())
        self.assertTrue(worker.wait(0))

    def test_several_in_one_process_have_names_of_their_own(self) -> None:
        one = self.bus.worker(remote.Add)
        other = self.bus.worker(remote.Add)
        named = self.bus.worker(remote.Add, name='blue')
        self.assertNotEqual(one.name, other.name)
        self.assertEqual('blue.1', named.name)

    def test_a_drained_worker_ends_clean(self) -> None:
        worker = self.bus.worker(remote.Add, name='blue')
        worker.stop()
        directory = identity.state_path(self.conf) / 'names'
        again = identity.take(directory, 'blue')
        self.addCleanup(again.close)
        self.assertEqual('blue.1', again.name)
        self.assertEqual(identity.End.CLEAN, again.predecessors[-1].end)

    def test_refused_messages_are_counted_by_their_reason(self) -> None:
        self.conf.set_override('signing_keys', ['k' * 32], 'security')
        worker = self.bus.worker(remote.Add, name='blue')
        heard = threading.Event()
        client = transport.shared(self.conf).client(
            transport.Address(transport.Role.WORKER, 'blue.1'), 0
        )
        for text in ('unsigned', 'hmac:1:2:forged', 'unsigned'):
            client.cast({}, transport.METHOD, message=text)
        deadline = time.monotonic() + remote.LONG
        while worker.counts().get('refused: not signed') != 2:
            self.assertLess(time.monotonic(), deadline, worker.counts())
            heard.wait(0.02)
        reason = 'refused: signed with no key of ours, or altered'
        self.assertEqual(1, worker.counts()[reason])

    def test_stopping_twice_or_before_the_start_is_nothing(self) -> None:
        worker = worker_mod.Worker(self.conf, tasks=[remote.Add])
        worker.stop()
        worker.stop()
        self.assertTrue(worker.wait(0))

    def test_it_starts_only_once(self) -> None:
        worker = self.bus.worker(remote.Add)
        self.assertRaises(exceptions.InvalidState, worker.start)

    def test_a_task_that_no_plugin_provides_stops_the_start(self) -> None:
        self.conf.set_override('tasks', ['demo.hullo'], 'worker')
        error = self.assertRaises(
            exceptions.NotFound, worker_mod.Worker, self.conf
        )
        self.assertIn('demo.hullo', str(error))

    def test_no_topic_stops_the_start(self) -> None:
        error = self.assertRaises(
            exceptions.ConfigurationError,
            worker_mod.Worker,
            self.conf,
            [remote.Add],
            [],
        )
        self.assertIn('[worker] topics', str(error))


class Large(task.Task):
    default_provides = 'large'

    def execute(self, text: str = 'a') -> str:
        return 15_000 * text[0]


class ManyPiecesTest(base.BaseTestCase):
    """What one message does not hold follows it at once."""

    def setUp(self) -> None:
        super().setUp()
        # Else it would go when the control thread looks around by itself.
        self.useFixture(
            fixtures.MonkeyPatch(f'{control.__name__}.TICK', 2 * remote.LONG)
        )
        self.bus = self.useFixture(remote.Bus())
        self.bus.conf.set_override('max_message_size', 66_000, 'remote')
        self.bus.conf.set_override('slots', 24, 'worker')
        self.bus.worker(Large)

    def run_flow(self, store: dict[str, str]) -> None:
        flow = unordered_flow.Flow('f').add(
            *[
                Large(str(number), provides=f'large-{number}')
                for number in range(24)
            ]
        )
        engine = engines.load(
            flow, conf=self.bus.conf, engine='workers', store=store
        )
        thread = threading.Thread(target=engine.run, daemon=True)
        thread.start()
        thread.join(remote.LONG)
        self.assertEqual('SUCCESS', engine.storage.get_flow_state())

    def test_results(self) -> None:
        self.run_flow({})

    def test_arguments(self) -> None:
        self.run_flow({'text': 15_000 * 'b'})


class NoBrokerTest(base.BaseTestCase):
    def test_it_tries_for_as_long_as_it_may_and_says_why(self) -> None:
        log = self.useFixture(fixtures.FakeLogger())
        bus = self.useFixture(remote.Bus('rabbit://guest:s3cret@127.0.0.1:9/'))
        bus.conf.set_override('startup_timeout', 3.0, 'worker')
        worker = worker_mod.Worker(bus.conf, tasks=[remote.Add])
        began = time.monotonic()
        error = self.assertRaises(exceptions.ConfigurationError, worker.start)
        self.assertGreaterEqual(time.monotonic() - began, 3.0)
        self.assertIn('transport_url', str(error))
        self.assertIn('refused', str(error))
        self.assertNotIn('s3cret', str(error) + log.output)
        self.assertTrue(worker.wait(0))
