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


"""What users of TaskFlow's worker engine saw, and see no more.

The letters are those of the list of its weaknesses. Others of them are held
elsewhere: late outcomes and lost workers by ``tests/crash``, races by
``tests/property``, the rest of the protocol by its simulation.
"""

from __future__ import annotations

from concurrent import futures
import typing

from oslotest import base

from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import states
from taskflow_service import task
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow
from tests import remote


class Named(task.Task):
    """Served and wanted in versions of its own."""

    version = (1, 3)

    def execute(self) -> str:
        return 'ran'


class FaultsTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.notes = remote.new_notes()
        self.bus = self.useFixture(remote.Bus())

    def _load(self, flow: typing.Any, **store: typing.Any) -> typing.Any:
        return engines.load(
            flow, engine='workers', conf=self.bus.conf, store=store
        )

    def test_w2_a_task_that_was_given_up_does_not_run_later(self) -> None:
        # A worker that serves something else: none is brought by the engine.
        self.bus.worker(remote.Quick)
        late = remote.Add(name='late')
        late.start_timeout = 0.5
        engine = self._load(late, number=1)
        self.assertRaises(exceptions.StartTimeout, engine.run)
        self.bus.worker(remote.Add)
        self._load(remote.Add(name='next'), number=1).run()
        self.assertEqual([('execute', 'next')], self.notes.lines)

    def test_w7_a_worker_whose_slots_are_all_taken_is_found(self) -> None:
        self.bus.conf.set_override('slots', 1, 'worker')
        worker = self.bus.worker(remote.Wait, remote.Add)
        with futures.ThreadPoolExecutor(2) as pool:
            busy = pool.submit(self._load(remote.Wait()).run)
            self.assertTrue(self.notes.running.acquire(timeout=remote.LONG))
            engine = self._load(remote.Add(), number=1)
            waiting = pool.submit(engine.run)
            self.notes.go_on.set()
            busy.result(remote.LONG)
            waiting.result(remote.LONG)
        self.assertEqual(2, engine.storage.fetch('total'))
        self.assertEqual(2, worker.counts()['ok'])

    def test_w10_a_task_keeps_what_its_constructor_was_given(self) -> None:
        self.bus.worker(remote.Add)
        engine = self._load(remote.Add(7), number=1)
        engine.run()
        self.assertEqual(8, engine.storage.fetch('total'))

    def test_w11_another_major_version_is_not_taken_for_the_same(
        self,
    ) -> None:
        self.bus.worker(Named)
        wanted = Named()
        wanted.version = (2, 0)
        wanted.start_timeout = 0.5
        error = self.assertRaises(
            exceptions.StartTimeout, self._load(wanted).run
        )
        self.assertIn('version 2.0', str(error))
        self.assertIn('1.3', str(error))
        older = Named()
        older.version = (1, 1)
        engine = self._load(older)
        engine.run()
        self.assertEqual(states.SUCCESS, engine.storage.get_flow_state())

    def test_w13_two_engines_do_not_take_each_others_answers(self) -> None:
        self.bus.worker(remote.Add)
        flows = [self._load(remote.Add(n), number=n) for n in range(10)]
        with futures.ThreadPoolExecutor(5) as pool:
            list(pool.map(lambda engine: engine.run(), flows))
        self.assertEqual(
            [2 * n for n in range(10)],
            [engine.storage.fetch('total') for engine in flows],
        )

    def test_w20_light_tasks_run_in_the_engine_where_they_say_so(self) -> None:
        worker = self.bus.worker(remote.Add)
        here = task.FunctorTask(lambda: 3, name='three', provides='number')
        here.runs_in = 'engine'
        engine = self._load(linear_flow.Flow('both').add(here, remote.Add(4)))
        engine.run()
        self.assertEqual(7, engine.storage.fetch('total'))
        self.assertEqual(1, worker.counts()['ok'])

    def test_w22_workers_of_one_topic_are_told_apart(self) -> None:
        for _ in range(2):
            self.bus.worker(remote.Wait, topics=['t'])
        flow = unordered_flow.Flow('two')
        for number in range(2):
            flow.add(remote.Wait(name=f'wait {number}', provides=f'{number}'))
        engine = engines.load(
            flow,
            engine='workers',
            conf=self.bus.conf,
            workers_info={'t': [remote.Wait]},
        )
        with futures.ThreadPoolExecutor(1) as pool:
            run = pool.submit(engine.run)
            for _ in range(2):
                self.assertTrue(
                    self.notes.running.acquire(timeout=remote.LONG)
                )
            self.notes.go_on.set()
            run.result(remote.LONG)
        workers = {
            engine.storage.get_atom_state(f'wait {number}')
            for number in range(2)
        }
        self.assertEqual({states.SUCCESS}, workers)


class NoBrokerTest(base.BaseTestCase):
    def test_w5_without_a_broker_a_run_ends(self) -> None:
        bus = self.useFixture(remote.Bus('rabbit://127.0.0.1:9/'))
        bus.conf.set_override('lease', 5.0, 'remote')
        lonely = remote.Add(name='lonely')
        lonely.start_timeout = 2.0
        engine = engines.load(
            lonely, engine='workers', conf=bus.conf, store={'number': 1}
        )
        error = self.assertRaises(exceptions.StartTimeout, engine.run)
        self.assertIn('lonely', str(error))
        self.assertIn('the message broker is away', str(error))
        self.assertIn('refused', str(error))
        # Its undo would need a worker as well.
        self.assertEqual(states.FAILURE, engine.storage.get_flow_state())
