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

import queue
import threading

import fixtures
from oslotest import base

from taskflow_service import engines
from taskflow_service import task
from taskflow_service.executors import base as executors_base
from taskflow_service.executors import threads
from taskflow_service.executors import waiting
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


class Noted(task.Task):
    """Says that it ran; may have to wait."""

    def __init__(self, name, ran, gate=None):
        super().__init__(name)
        self._ran = ran
        self._gate = gate

    def execute(self):
        if self._gate is not None:
            self._gate.wait(LONG)
        self._ran.append(self.name)


class Flow:
    """A flow that wants room."""

    flow_uuid = flow_name = 'f'
    epoch = 0
    context = None
    share = 0


class QueueTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.queue = waiting.Queue()
        self.one, self.two = Flow(), Flow()

    def test_who_is_alone_takes_all_the_room_and_has_a_share_left(self):
        self.assertEqual(7, self.queue.most(self.one, 7, 10))
        self.queue.took(self.one, 3)
        self.queue.add(self.two)
        self.assertEqual(7, self.queue.most(self.one, 20, 10))

    def test_who_waits_itself_is_alone(self):
        self.queue.add(self.one)
        self.assertEqual(7, self.queue.most(self.one, 7, 1))

    def test_without_a_share_others_are_first(self):
        self.queue.add(self.two)
        self.assertEqual(0, self.queue.most(self.one, 7, 10))
        self.queue.add(self.one)
        self.assertEqual([self.two], list(self.queue.call(lambda: 1, 10)))
        self.queue.add(self.two)
        self.assertEqual(7, self.queue.most(self.two, 7, 10))
        self.queue.took(self.two, 10)
        self.assertEqual(0, self.queue.most(self.two, 7, 10))

    def test_who_leaves_is_not_called(self):
        self.queue.add(self.one)
        self.queue.add(self.two)
        self.queue.leave(self.one)
        self.assertEqual([self.two], list(self.queue.call(lambda: 9, 1)))

    def test_who_finds_no_room_left_keeps_the_place(self):
        flows = [Flow() for _ in range(5)]
        for each in flows:
            self.queue.add(each)
        # Before the first look, and before each of those that are called.
        rooms = iter((4, 4, 2, 0))
        called = list(self.queue.call(lambda: next(rooms), 10))
        self.assertEqual(flows[:2], called)
        self.assertEqual(flows[2:], list(self.queue.call(lambda: 9, 10)))

    def test_who_comes_back_is_not_called_twice(self):
        self.queue.add(self.one)
        called = []
        for each in self.queue.call(lambda: 9, 1):
            called.append(each)
            self.queue.add(each)
        self.assertEqual([self.one], called)


class Offer:
    """Some requests of a flow."""

    def __init__(self, *requests):
        self.run = requests[0].run
        self.left = list(requests)

    def __len__(self):
        return len(self.left)

    def take(self):
        return self.left.pop(0)

    def put_back(self, request):
        self.left.insert(0, request)


class RoomTest(base.BaseTestCase):
    """An executor, one turn after the other."""

    def setUp(self):
        super().setUp()
        self.outcomes = queue.SimpleQueue()
        self.executor = threads.ThreadsExecutor(max_workers=1)
        self.executor.bind(self.outcomes.put)
        self.executor.open()
        self.addCleanup(self.executor.close)

    def _request(self):
        return executors_base.Request(
            Flow(), 0, Short('short'), executors_base.Action.EXECUTE, 1
        )

    def test_room_is_free_once_the_loop_has_the_outcome(self):
        first, second = self._request(), self._request()
        self.assertEqual([first], self.executor.place(Offer(first)))
        self.executor.start([first])
        self.assertIs(first, self.outcomes.get(timeout=LONG).request)
        # It ended before the second one asked: who asks is called for all
        # that, when the loop has seen the end.
        self.assertEqual([], self.executor.place(Offer(second)))
        self.assertEqual([], list(self.executor.called()))
        self.executor.taken(first)
        self.assertEqual([second.run], list(self.executor.called()))
        self.assertEqual([second], self.executor.place(Offer(second)))

    def test_an_executor_that_is_given_again_has_all_its_room(self):
        first, second, third = (self._request() for _ in range(3))
        self.executor.place(Offer(first))
        self.assertEqual([], self.executor.place(Offer(second)))
        self.executor.bind(self.outcomes.put)
        self.assertEqual([third], self.executor.place(Offer(third)))

    def test_an_outcome_that_is_taken_twice_frees_room_once(self):
        first, second, third = (self._request() for _ in range(3))
        self.executor.place(Offer(first))
        self.executor.taken(first)
        self.assertEqual([second], self.executor.place(Offer(second)))
        self.executor.taken(first)
        self.assertEqual([], self.executor.place(Offer(third)))

    def test_a_request_that_is_cancelled_before_it_runs_knows_it(self):
        class Asks(task.Task):
            def execute(self):
                return task.current().cancellation.reason

        request = self._request()
        request.task = Asks('asks')
        self.executor.place(Offer(request))
        self.executor.cancel(request, 'not wanted')
        self.executor.start([request])
        self.assertEqual('not wanted', self.outcomes.get(timeout=LONG).value)


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

    def test_a_flow_that_waits_is_not_passed_over(self):
        ran = []
        long = linear_flow.Flow('long').add(
            Noted('first', ran, self.gate),
            *(Noted(f'{n}', ran) for n in range(50)),
        )
        short = linear_flow.Flow('short').add(Noted('short', ran))
        with engines.Loop() as loop:
            ends = [
                loop.submit(
                    engines.load(flow, engine='parallel', max_workers=1)
                )
                for flow in (long, short)
            ]
            # It has begun when another one, submitted after it, has ended.
            other = linear_flow.Flow('other').add(Short('other'))
            loop.submit(engines.load(other)).result(LONG)
            self.gate.set()
            for end in ends:
                end.result(LONG)
        self.assertEqual('first', ran[0])
        self.assertIn('short', ran[1:3])

    def test_many_flows_end_though_there_is_room_for_few(self):
        with engines.Loop() as loop:
            ends = [
                loop.submit(
                    engines.load(
                        linear_flow.Flow('f').add(
                            *(Short(f'{n}') for n in range(3))
                        ),
                        engine='parallel',
                        max_workers=2,
                    )
                )
                for _ in range(500)
            ]
            for end in ends:
                end.result(LONG)

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
