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

"""What users of TaskFlow's engines complained of, and must not see here.

The numbers are those of the list of weaknesses that this package was
designed against. E1 to E3 (look-ups) are in ``decisions.test_lookups``,
E14 (threads) is in ``test_loop``.
"""

from __future__ import annotations

import gc
import threading

import fixtures
from oslotest import base

from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import retry
from taskflow_service import task
from taskflow_service.patterns import graph_flow
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow
from taskflow_service.persistence import backends
from tests.unit.engines import hands

#: Seconds that nothing here needs: what bounds a wait.
LONG = 30


class E4Test(base.BaseTestCase):
    def test_a_retry_that_thinks_stops_no_other_branch(self):
        # In a loop of many flows: the flow of the retry alone waits for it.
        thinks, done = threading.Event(), threading.Event()

        class Thinks(retry.AlwaysRevert):
            def on_failure(self, *args, **kwargs):
                thinks.wait(LONG)
                return super().on_failure(*args, **kwargs)

        class Done(task.Task):
            def execute(self):
                done.set()

        slow = linear_flow.Flow('slow', Thinks('r')).add(hands.Fail('a'))
        with engines.Loop() as loop:
            failed = loop.submit(engines.load(slow))
            loop.submit(
                engines.load(
                    linear_flow.Flow('other').add(hands.Say('b'), Done('c'))
                )
            ).result(LONG)
            self.assertTrue(done.is_set())
            self.assertFalse(failed.done())
            thinks.set()
            self.assertRaises(hands.Boom, failed.result, LONG)


class E5Test(base.BaseTestCase):
    def test_states_can_be_read_while_a_serial_task_runs(self):
        seen = []

        class Runs(task.Task):
            def execute(self):
                def look():
                    with engine.storage.lock.read_lock():
                        seen.append(engine.storage.get_atom_state('runs'))

                reader = threading.Thread(target=look)
                reader.start()
                reader.join(LONG)

        engine = engines.load(linear_flow.Flow('f').add(Runs('runs')))
        engine.run()
        self.assertEqual(['RUNNING'], seen)

    def test_suspend_is_answered_at_once_and_takes_effect(self):
        answered = []

        class Runs(task.Task):
            def execute(self):
                def suspend():
                    engine.suspend()
                    answered.append(engine.storage.get_flow_state())

                other = threading.Thread(target=suspend)
                other.start()
                other.join(LONG)

        flow = unordered_flow.Flow('f').add(*[Runs(f'{n}') for n in range(3)])
        engine = engines.load(flow)
        engine.run()
        self.assertEqual(['SUSPENDING'], answered)
        self.assertEqual('SUSPENDED', engine.storage.get_flow_state())
        self.assertEqual(
            ['PENDING', 'PENDING', 'SUCCESS'],
            sorted(hands.states(engine).values()),
        )


class E6Test(base.BaseTestCase):
    def test_a_run_can_be_cancelled(self):
        class Cancels(hands.Say):
            def execute(self):
                engine.cancel()

        flow = linear_flow.Flow('f').add(Cancels('a'), hands.Say('b'))
        engine = engines.load(flow)
        self.assertRaises(exceptions.Cancelled, engine.run)
        self.assertEqual('REVERTED', engine.storage.get_flow_state())
        self.assertEqual('PENDING', engine.storage.get_atom_state('b'))


class E7Test(base.BaseTestCase):
    def test_a_result_that_cannot_be_stored_reverts_the_flow(self):
        class Returns(hands.Say):
            def execute(self):
                return threading.Lock()

        flow = linear_flow.Flow('f').add(hands.Say('a'), Returns('lock'))
        backend = backends.fetch({'connection': 'memory'})
        engine = engines.load(flow, backend=backend)
        error = self.assertRaises(exceptions.StorageFailure, engine.run)
        self.assertIn('lock', str(error))
        self.assertEqual('REVERTED', engine.storage.get_flow_state())
        self.assertEqual(
            {'a': 'REVERTED', 'lock': 'REVERTED'}, hands.states(engine)
        )


class E8Test(base.BaseTestCase):
    def check(self, hook):
        def breaks(self):
            raise hands.Boom(hook)

        broken = type('Broken', (hands.Say,), {hook: breaks})('broken')
        tasks = [hands.Say('a'), broken]
        if hook.endswith('revert'):
            tasks.append(hands.Fail('fails'))
        engine = engines.load(linear_flow.Flow('f').add(*tasks))
        self.assertRaises(hands.Boom, engine.run)
        return engine

    def test_what_a_hook_of_execute_raises_fails_its_task(self):
        for hook in ('pre_execute', 'post_execute'):
            engine = self.check(hook)
            self.assertEqual('REVERTED', engine.storage.get_flow_state())
            self.assertEqual(
                {'a': 'REVERTED', 'broken': 'REVERTED'}, hands.states(engine)
            )

    def test_what_a_hook_of_revert_raises_fails_the_revert(self):
        for hook in ('pre_revert', 'post_revert'):
            engine = self.check(hook)
            self.assertEqual('FAILURE', engine.storage.get_flow_state())
            self.assertEqual(
                'REVERT_FAILURE', engine.storage.get_atom_state('broken')
            )


class E9Test(base.BaseTestCase):
    def test_many_parallel_tasks_are_each_waited_for_once(self):
        flow = unordered_flow.Flow('f')
        flow.add(*[hands.Say(f'{n}') for n in range(500)])
        waits = []

        def script(hand):
            while hand.running:
                waits.append(len(hand.running))
                yield hand.perform(next(iter(hand.running)))

        hands.load(flow, script).run()
        self.assertEqual(list(range(500, 0, -1)), waits)


class E10Test(base.BaseTestCase):
    def test_a_graph_that_is_built_one_by_one_is_copied_never(self):
        class Step(task.Task):
            def execute(self, **kwargs):
                return 1

        flow = graph_flow.Flow('f')
        first = Step('0', provides='s0')
        flow.add(first)
        graph = flow._graph
        for number in range(1, 2000):
            flow.add(
                Step(
                    f'{number}',
                    requires=[f's{number - 1}'],
                    provides=f's{number}',
                )
            )
        self.assertIs(graph, flow._graph)
        engines.run(flow)


class E11Test(base.BaseTestCase):
    def test_a_thousand_nested_flows_compile(self):
        flow = linear_flow.Flow('0').add(hands.Say('deepest'))
        for number in range(1, 1000):
            flow = linear_flow.Flow(f'{number}').add(flow)
        engine = engines.load(flow)
        engine.run()
        self.assertEqual('SUCCESS', engine.storage.get_atom_state('deepest'))


class E12Test(base.BaseTestCase):
    def test_a_listener_that_blocks_stops_only_its_flow(self):
        goes_on = threading.Event()
        with engines.Loop() as loop:
            heard = engines.load(linear_flow.Flow('heard').add(hands.Say('a')))
            heard.atom_notifier.register(
                'RUNNING', lambda state, details: goes_on.wait(LONG)
            )
            slow = loop.submit(heard)
            other = engines.load(linear_flow.Flow('other').add(hands.Say('b')))
            loop.submit(other).result(LONG)
            self.assertFalse(slow.done())
            goes_on.set()
            slow.result(LONG)


class E13Test(base.BaseTestCase):
    def test_a_result_is_held_once(self):
        class Value:
            pass

        class Make(task.Task):
            default_provides = 'value'

            def execute(self):
                return Value()

        engine = engines.load(linear_flow.Flow('f').add(Make()))
        engine.run()
        value = engine.storage.fetch('value')
        holders = [
            found
            for found in gc.get_referrers(value)
            if isinstance(found, (dict, list, tuple, set))
        ]
        self.assertEqual(1, len(holders), holders)


class E15Test(base.BaseTestCase):
    def test_no_logger_is_asked_per_task(self):
        def asked(size):
            calls = []
            flow = unordered_flow.Flow('f')
            flow.add(*[hands.Say(f'{n}') for n in range(size)])
            engine = engines.load(flow)
            with fixtures.MonkeyPatch(
                'logging.Logger.isEnabledFor',
                lambda self, level: calls.append(level),
            ):
                engine.run()
            return len(calls)

        self.assertEqual(asked(10), asked(100))


class E16Test(base.BaseTestCase):
    def test_arguments_to_be_ignored_are_not_required(self):
        class Some(task.Task):
            def __init__(self):
                super().__init__('some', ignore_list=['extra'])

            def execute(self, given, extra=None):
                return given, extra

        engine = engines.load(Some(), store={'given': 1, 'extra': 2})
        engine.run()
        self.assertEqual((1, None), engine.storage.get('some'))

    def test_a_function_that_reverts_may_name_result_and_failures(self):
        seen = []

        def undo(result, flow_failures):
            seen.append((result, list(flow_failures)))

        flow = linear_flow.Flow('f').add(
            task.FunctorTask(lambda: 'done', name='do', revert=undo),
            hands.Fail('fails'),
        )
        self.assertRaises(hands.Boom, engines.run, flow)
        self.assertEqual([('done', ['fails'])], seen)

    def test_a_revert_need_not_take_what_it_does_not_name(self):
        seen = []

        class Plain(task.Task):
            def execute(self):
                return 'done'

            def revert(self, result):
                seen.append(result)

        flow = linear_flow.Flow('f').add(Plain('p'), hands.Fail('fails'))
        self.assertRaises(hands.Boom, engines.run, flow)
        self.assertEqual(['done'], seen)


class E17Test(base.BaseTestCase):
    def test_a_failed_revert_is_not_the_end(self):
        broken = [True]

        class Breaks(hands.Say):
            def revert(self, **kwargs):
                if broken:
                    raise hands.Boom('revert')

        flow = linear_flow.Flow('f').add(
            hands.Say('a'), Breaks('b'), hands.Fail('c')
        )
        engine = engines.load(flow)
        self.assertRaises(hands.Boom, engine.run)
        self.assertEqual('FAILURE', engine.storage.get_flow_state())
        broken.clear()
        self.assertRaises(hands.Boom, engine.run)
        self.assertEqual('REVERTED', engine.storage.get_flow_state())
