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

"""What runs in the pool of threads, and what only waits for it."""

from __future__ import annotations

import threading

import fixtures
from oslotest import base

from taskflow_service import engines
from taskflow_service import task
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow

#: Seconds that nothing here needs: what bounds a wait.
LONG = 30


class Short(task.Task):
    """Does nothing."""

    def execute(self):
        pass


class Gated(task.Task):
    """Waits until it is let through."""

    def __init__(self, name, entered, gate):
        super().__init__(name)
        self._entered = entered
        self._gate = gate

    def execute(self):
        self._entered.release()
        self._gate.wait(LONG)


class ThreadsTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.entered = threading.Semaphore(0)
        self.gate = threading.Event()
        self.addCleanup(self.gate.set)

    def _gated(self, count):
        return [
            Gated(f'gated {n}', self.entered, self.gate) for n in range(count)
        ]

    def _states_while_held(self, flow, threads):
        """Run a flow; give its states while ``threads`` tasks are held."""
        engine = engines.load(
            flow, engine='parallel', executor='threads', max_workers=threads
        )
        runner = threading.Thread(target=engine.run, daemon=True)
        runner.start()
        for _ in range(threads):
            self.assertTrue(self.entered.acquire(timeout=LONG))
        states = [
            engine.storage.get_atom_state(name)
            for name in engine.storage.record.index
        ]
        self.gate.set()
        runner.join(LONG)
        self.assertEqual('SUCCESS', engine.storage.get_flow_state())
        return states

    def test_what_is_running_has_a_thread_though_short_tasks_came_before(self):
        flow = linear_flow.Flow('f')
        flow.add(*(Short(f'short {n}') for n in range(100)))
        flow.add(unordered_flow.Flow('held').add(*self._gated(40)))
        states = self._states_while_held(flow, 3)
        self.assertEqual(3, states.count('RUNNING'))

    def test_a_task_with_a_time_limit_waits_before_its_time_runs(self):
        limited = self._gated(40)
        for each in limited:
            each.run_timeout = 60.0
        flow = linear_flow.Flow('f').add(
            unordered_flow.Flow('short').add(
                *(Short(f'short {n}') for n in range(2000))
            ),
            unordered_flow.Flow('held').add(*limited),
        )
        states = self._states_while_held(flow, 3)
        self.assertEqual(3, states.count('RUNNING'))

    def test_where_no_thread_can_be_started_tasks_fail(self):
        start = threading.Thread.start
        deny = threading.Event()

        def refuse(thread):
            if deny.is_set() and thread.name.startswith('taskflow_'):
                raise RuntimeError('no more threads')
            start(thread)

        self.useFixture(fixtures.MonkeyPatch('threading.Thread.start', refuse))
        flow = unordered_flow.Flow('f').add(*(Short(f'{n}') for n in range(9)))
        with engines.Loop() as loop:
            deny.set()
            refused = loop.submit(engines.load(flow, engine='parallel'))
            error = refused.exception(LONG)
            self.assertIn('no more threads', str(error))
            # What stood in line has not taken the room of what comes next.
            deny.clear()
            loop.submit(engines.load(flow, engine='parallel')).result(LONG)

    def test_a_free_thread_takes_what_comes_while_others_are_held(self):
        flow = unordered_flow.Flow('f')
        flow.add(*self._gated(2))
        flow.add(
            linear_flow.Flow('more').add(
                *(Short(f'short {n}') for n in range(5)),
                Gated('last', self.entered, self.gate),
            )
        )
        states = self._states_while_held(flow, 3)
        self.assertEqual(5, states.count('SUCCESS'))
