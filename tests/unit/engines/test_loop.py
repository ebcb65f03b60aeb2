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

"""A loop of many flows: threads, order, isolation, its end."""

from __future__ import annotations

import logging
import threading

import fixtures
from oslotest import base

from taskflow_service import clock as clock_mod
from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import retry
from taskflow_service import task
from taskflow_service.executors import base as executors_base
from taskflow_service.listeners import base as listeners
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow
from tests.unit.engines import hands

#: Seconds that nothing here needs: what bounds a wait.
LONG = 30


class Elsewhere(executors_base.Executor):
    """Holds tasks, without any thread, until they are let go.

    Thread-safe as far as a test needs it.
    """

    def __init__(self):
        self.running = []
        self.enough = threading.Event()
        self.expected = None

    def place(self, offer):
        """Take everything."""
        placed = []
        try:
            while True:
                placed.append(offer.take())
        except IndexError:
            return placed

    def start(self, requests):
        """Keep them."""
        self.running += requests
        if len(self.running) == self.expected:
            self.enough.set()

    def release(self, requests):
        """Forget them."""

    def close(self):
        """Do nothing."""

    def expect(self, count):
        """Say how many are to be started before ``wait`` returns."""
        self.enough.clear()
        self.expected = count

    def wait(self):
        """Block until all that are expected run."""
        return self.enough.wait(LONG)

    def let_go(self):
        """End all that run."""
        running, self.running = self.running, []
        for request in running:
            self.deliver(
                executors_base.Outcome(
                    request, executors_base.End.OK, request.task.name
                )
            )


def flow(name, *tasks):
    return linear_flow.Flow(name).add(*tasks)


class ManyFlowsTest(base.BaseTestCase):
    FLOWS = 2000

    def test_they_are_in_progress_at_once_with_few_threads(self):
        elsewhere = Elsewhere()
        before = threading.active_count()
        with engines.Loop() as loop:
            elsewhere.expect(self.FLOWS * 10)
            loaded, ended = [], []
            for number in range(self.FLOWS):
                made = unordered_flow.Flow(f'f{number}')
                made.add(*[hands.Say(f'{n}') for n in range(10)])
                engine = engines.load(
                    made, engine='parallel', executor=elsewhere
                )
                loaded.append(engine)
                ended.append(loop.submit(engine))
            self.assertTrue(elsewhere.wait())
            # The loop's own, and those for user code, of which there is none.
            self.assertLessEqual(threading.active_count(), before + 1)
            elsewhere.let_go()
            for future in ended:
                future.result(LONG)
        self.assertEqual(
            {'SUCCESS'},
            {engine.storage.get_flow_state() for engine in loaded},
        )

    def test_flows_that_find_no_process_free_get_one_later(self):
        with engines.Loop() as loop:
            ended = [
                loop.submit(
                    engines.load(
                        flow(f'{n}', hands.Say('a'), hands.Say('b')),
                        engine='parallel',
                        executor='processes',
                        max_workers=1,
                    )
                )
                for n in range(3)
            ]
            for future in ended:
                future.result(LONG)

    def test_a_pool_that_is_too_small_serves_all_of_them(self):
        with engines.Loop() as loop:
            ended = [
                loop.submit(
                    engines.load(
                        flow(f'{n}', *[hands.Say(f'{m}') for m in range(3)]),
                        engine=engine,
                        max_workers=1,
                    )
                )
                for n in range(50)
                for engine in ('parallel', 'serial')
            ]
            for future in ended:
                future.result(LONG)

    def test_serial_flows_run_one_task_at_a_time(self):
        running, most = [], []

        class Counts(task.Task):
            def execute(self):
                running.append(self.name)
                most.append(len(running))
                running.remove(self.name)

        made = unordered_flow.Flow('f')
        made.add(*[Counts(f'{n}') for n in range(30)])
        with engines.Loop() as loop:
            loop.submit(engines.load(made, engine='serial')).result(LONG)
        self.assertEqual({1}, set(most))


class UserCodeTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.loop = engines.Loop()
        self.addCleanup(self.loop.close)

    def test_a_listener_that_blocks_delays_only_its_own_flow(self):
        goes_on = threading.Event()
        self.addCleanup(goes_on.set)
        heard = engines.load(flow('heard', hands.Say('a')))
        heard.notifier.register(
            'RUNNING', lambda state, details: goes_on.wait(LONG)
        )
        slow = self.loop.submit(heard)
        others = [
            self.loop.submit(engines.load(flow(f'{n}', hands.Say('b'))))
            for n in range(20)
        ]
        for future in others:
            future.result(LONG)
        self.assertFalse(slow.done())
        goes_on.set()
        slow.result(LONG)

    def test_events_of_a_flow_come_in_order(self):
        engine = engines.load(
            flow('f', *[hands.Say(f'{n}') for n in range(20)])
        )
        heard = hands.listen(engine)
        self.loop.submit(engine).result(LONG)
        expected = ['PENDING -> RUNNING']
        for number in range(20):
            expected.append(f'{number}: PENDING -> RUNNING')
            expected.append(f'{number}: RUNNING -> SUCCESS')
        self.assertEqual([*expected, 'RUNNING -> SUCCESS'], heard)

    def test_a_cancellation_while_a_listener_runs_is_not_lost(self):
        elsewhere = Elsewhere()
        cancelled = threading.Event()
        elsewhere.cancel = lambda request, reason: cancelled.set()
        engine = engines.load(
            flow('f', hands.Say('a')), engine='parallel', executor=elsewhere
        )

        class Cancels(listeners.Listener):
            def on_committed(self, transitions):
                # The last thing of a turn; then only the task moves.
                other = threading.Thread(target=engine.cancel)
                other.start()
                other.join(LONG)
                # The loop has seen it, and that the flow is busy.
                seen = threading.Event()
                loop.inbox.put(None)
                while loop.inbox:
                    seen.wait(0.001)

        loop = self.loop
        elsewhere.expect(1)
        with Cancels(engine):
            future = self.loop.submit(engine)
            self.addCleanup(elsewhere.let_go)
            self.assertTrue(elsewhere.wait())
            self.assertTrue(cancelled.wait(LONG))
            elsewhere.expect(1)
            elsewhere.let_go()
            # The revert.
            self.assertTrue(elsewhere.wait())
            elsewhere.let_go()
            self.assertRaises(exceptions.Cancelled, future.result, LONG)

    def test_what_fails_is_raised_by_the_future(self):
        failed = self.loop.submit(engines.load(flow('f', hands.Fail('a'))))
        self.assertRaises(hands.Boom, failed.result, LONG)

    def test_a_flow_can_be_submitted_once_at_a_time(self):
        elsewhere = Elsewhere()
        elsewhere.expect(1)
        engine = engines.load(
            flow('f', hands.Say('a')), engine='parallel', executor=elsewhere
        )
        first = self.loop.submit(engine)
        self.assertTrue(elsewhere.wait())
        second = self.loop.submit(engine)
        error = self.assertRaises(
            exceptions.ExecutionFailure, second.result, LONG
        )
        self.assertIn(engine.storage.flow_uuid, str(error))
        elsewhere.let_go()
        first.result(LONG)

    def test_it_is_suspended_and_submitted_again(self):
        engine = engines.load(flow('f', hands.Say('a'), hands.Say('b')))
        engine.atom_notifier.register(
            'SUCCESS',
            lambda state, details: (
                details['task_name'] == 'a' and engine.suspend()
            ),
        )
        self.loop.submit(engine).result(LONG)
        self.assertEqual('SUSPENDED', engine.storage.get_flow_state())
        self.loop.submit(engine).result(LONG)
        self.assertEqual('SUCCESS', engine.storage.get_flow_state())


class IsolationTest(base.BaseTestCase):
    def test_an_executor_that_breaks_ends_only_its_own_flows(self):
        log = self.useFixture(fixtures.FakeLogger(level=logging.ERROR))

        class Broken(Elsewhere):
            def place(self, offer):
                raise RuntimeError('broken')

        elsewhere = Elsewhere()
        elsewhere.expect(1)
        with engines.Loop() as loop:
            good = loop.submit(
                engines.load(
                    flow('good', hands.Say('a')),
                    engine='parallel',
                    executor=elsewhere,
                )
            )
            self.assertTrue(elsewhere.wait())
            bad = engines.load(
                flow('bad', hands.Say('a')),
                engine='parallel',
                executor=Broken(),
            )
            error = self.assertRaises(
                RuntimeError, loop.submit(bad).result, LONG
            )
            self.assertEqual('broken', str(error))
            elsewhere.let_go()
            good.result(LONG)
        self.assertIn(bad.storage.flow_uuid, log.output)

    def test_a_request_that_cannot_be_started_ends_its_flow(self):
        self.useFixture(fixtures.FakeLogger(level=logging.ERROR))

        class Broken(Elsewhere):
            def start(self, requests):
                raise RuntimeError('broken')

        with engines.Loop() as loop:
            bad = engines.load(
                flow('bad', hands.Say('a')),
                engine='parallel',
                executor=Broken(),
            )
            ended = loop.submit(bad)
            self.assertRaises(RuntimeError, ended.result, LONG)
            loop.submit(engines.load(flow('g', hands.Say('a')))).result(LONG)

    def test_a_task_that_ends_its_thread_has_failed(self):
        class Leave(task.Task):
            def execute(self):
                raise SystemExit(3)

        with engines.Loop() as loop:
            engine = engines.load(flow('f', Leave('leave')), engine='parallel')
            error = self.assertRaises(
                exceptions.ExecutionFailure, loop.submit(engine).result, LONG
            )
        self.assertIn("'leave'", str(error))
        self.assertEqual('REVERTED', engine.storage.get_flow_state())

    def test_an_executor_that_cannot_be_made(self):
        with engines.Loop() as loop:
            engine = engines.load(
                flow('f', hands.Say('a')), engine='parallel', executor=3
            )
            self.assertRaises(
                TypeError, lambda: loop.submit(engine).result(LONG)
            )
            loop.submit(engines.load(flow('g', hands.Say('a')))).result(LONG)


class CloseTest(base.BaseTestCase):
    def test_close_waits_for_what_runs(self):
        loop = engines.Loop()
        ended = [
            loop.submit(engines.load(flow(f'{n}', hands.Say('a'))))
            for n in range(10)
        ]
        loop.close()
        self.assertTrue(all(future.done() for future in ended))

    def test_nothing_is_submitted_afterwards(self):
        loop = engines.Loop()
        loop.close()
        self.assertRaises(
            exceptions.ExecutionFailure,
            loop.submit,
            engines.load(flow('f', hands.Say('a'))),
        )

    def test_it_ends_by_itself_where_nobody_waits(self):
        before = threading.active_count()
        loop = engines.Loop()
        ended = loop.submit(engines.load(flow('f', hands.Say('a'))))
        loop.close(wait=False)
        ended.result(LONG)
        loop.close()
        self.assertEqual(before, threading.active_count())

    def test_it_leaves_no_thread(self):
        before = set(threading.enumerate())
        with engines.Loop() as loop:
            loop.submit(engines.load(flow('f', hands.Say('a')))).result(LONG)
        left = {each.name for each in set(threading.enumerate()) - before}
        # Those of a bus that another test left may come at any time.
        loops = ('taskflow-loop', 'taskflow-callbacks', 'taskflow-claims')
        self.assertEqual([], [n for n in left if n.startswith(loops)])


class TimersTest(base.BaseTestCase):
    def test_delays_go_by_the_clock_of_the_loop(self):
        clock = clock_mod.VirtualClock()
        loop = engines.Loop(clock=clock)
        tried = threading.Semaphore(0)

        class Fails(task.Task):
            def execute(self):
                tried.release()
                raise hands.Boom

            def revert(self, **kwargs):
                pass

        controller = retry.Times(2, 'r', backoff=retry.Backoff(delay=100))
        made = linear_flow.Flow('f', controller).add(Fails('a'))
        future = loop.submit(engines.load(made))
        self.assertTrue(tried.acquire(timeout=LONG))
        waits = threading.Event()
        while not waits.wait(0.01):
            # Its revert ends, then nothing is left but the timer.
            if loop.alarms.due is not None:
                waits.set()
        self.assertFalse(tried.acquire(blocking=False))
        clock.advance(100)
        self.assertTrue(tried.acquire(timeout=LONG))
        self.assertRaises(hands.Boom, future.result, LONG)
        loop.close()


class CommittedTest(base.BaseTestCase):
    """What ends while a part of a flow is committed waits for that."""

    def test_each_transition_is_told_once(self):
        class Say(task.Task):
            def execute(self):
                pass

        class Count(listeners.Listener):
            def __init__(self, engine):
                super().__init__(engine)
                self.told = []

            def on_committed(self, transitions):
                self.told += [(each.name, each.state) for each in transitions]

        counted = []
        with engines.Loop() as loop:
            futures = []
            for number in range(60):
                flow = unordered_flow.Flow(f'f{number}').add(
                    *(Say(f's{each}') for each in range(6))
                )
                engine = engines.load(flow, engine='parallel')
                counted.append(Count(engine))
                counted[-1].register()
                futures.append(loop.submit(engine))
            for future in futures:
                future.result(LONG)
        for each in counted:
            self.assertEqual(len(set(each.told)), len(each.told))
            self.assertEqual(14, len(each.told))
