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

"""Tasks of classes and of functions, and what they know while they run."""

from __future__ import annotations

import functools
import threading
import uuid

from oslotest import base

from taskflow_service import cancellation
from taskflow_service import task


class Nothing(task.Task):
    def execute(self):
        pass


def double(value, factor=2):
    return value * factor


class TaskTest(base.BaseTestCase):
    def test_it_is_named_after_its_class(self):
        self.assertEqual(f'{__name__}.Nothing', Nothing().name)
        self.assertEqual('mine', Nothing('mine').name)
        self.assertEqual('', Nothing('').name)

    def test_policies_are_of_the_class_and_may_be_of_the_instance(self):
        class Safe(Nothing):
            idempotent = True
            run_timeout = 30

        made = Safe()
        made.run_timeout = 5
        self.assertTrue(made.idempotent)
        self.assertEqual(5, made.run_timeout)
        self.assertEqual(30, Safe().run_timeout)
        plain = Nothing()
        self.assertEqual(
            (False, False, False, None, None, None, None, None, None),
            (
                plain.idempotent,
                plain.strict_fence,
                plain.ignore_failure,
                plain.runs_in,
                plain.start_timeout,
                plain.run_timeout,
                plain.heartbeat_timeout,
                plain.revert_backoff,
                plain.memory_limit,
            ),
        )


class NotifierTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.seen = []

    def listen(self, event_type, details):
        self.seen.append((event_type, details['progress']))

    def test_progress_is_told_to_who_listens(self):
        made = Nothing()
        made.update_progress(0.25)
        made.notifier.register(task.EVENT_UPDATE_PROGRESS, self.listen)
        made.update_progress(0.5)
        self.assertEqual([('update_progress', 0.5)], self.seen)

    def test_progress_is_cut_with_a_warning(self):
        made = Nothing()
        made.notifier.register('*', self.listen)
        with self.assertLogs('taskflow_service.task', 'WARNING') as logged:
            made.update_progress(1.5)
            made.update_progress(-1)
        self.assertEqual([1.0, 0.0], [progress for _, progress in self.seen])
        self.assertEqual(2, len(logged.records))

    def test_only_its_own_events_can_be_listened_to(self):
        class Loud(Nothing):
            TASK_EVENTS = (*task.Task.TASK_EVENTS, 'shouted')

        self.assertRaises(
            ValueError, Nothing().notifier.register, 'shouted', self.listen
        )
        made = Loud()
        made.notifier.register('shouted', self.listen)
        made.notifier.notify('shouted', {'progress': 'loud'})
        self.assertEqual([('shouted', 'loud')], self.seen)

    def test_there_is_one_notifier(self):
        made = Nothing()
        self.assertIs(made.notifier, made.notifier)
        self.assertIsNot(made.notifier, Nothing().notifier)

    def test_a_copy_has_its_own_listeners(self):
        made = Nothing('it')
        made.notifier.register('*', self.listen)
        twin = made.copy()
        self.assertEqual('it', twin.name)
        twin.update_progress(0.5)
        self.assertEqual(1, len(self.seen))
        twin.notifier.deregister('*', self.listen)
        made.update_progress(0.6)
        self.assertEqual(2, len(self.seen))
        made.copy(retain_listeners=False).update_progress(0.7)
        self.assertEqual(2, len(self.seen))
        Nothing().copy().update_progress(0.8)


class FunctorTaskTest(base.BaseTestCase):
    def test_the_function_says_what_is_required(self):
        made = task.FunctorTask(double, provides='doubled')
        self.assertEqual(f'{__name__}.double', made.name)
        self.assertEqual(['value'], list(made.requires))
        self.assertEqual(['factor'], list(made.optional))
        self.assertEqual(['doubled'], list(made.provides))
        self.assertEqual(8, made.execute(value=4))
        self.assertIsNone(made.revert(value=4, result=8, flow_failures={}))

    def test_every_callable_will_do(self):
        class Callable:
            def method(self, a):
                return a

            def __call__(self, b):
                return b

        for function, argument in (
            (Callable().method, 'a'),
            (Callable(), 'b'),
            (lambda c: c, 'c'),
            (functools.partial(double, 3), 'factor'),
        ):
            made = task.FunctorTask(function)
            self.assertEqual([argument], list(made.rebind))

    def test_revert_may_name_result_and_flow_failures(self):
        seen = []

        def undo(value, result, flow_failures):
            seen.append((value, result, flow_failures))

        made = task.FunctorTask(double, revert=undo)
        self.assertEqual(['value'], list(made.requires))
        self.assertEqual({'value': 'value'}, made.revert_rebind)
        self.assertEqual({'result', 'flow_failures'}, made.revert_accepts)
        made.revert(value=4, result=8, flow_failures={})
        self.assertEqual([(4, 8, {})], seen)

    def test_revert_may_require_more(self):
        made = task.FunctorTask(double, revert=lambda where: where)
        self.assertEqual(['value', 'where'], list(made.requires))
        self.assertEqual(set(), made.revert_accepts)

    def test_the_parameters_are_those_of_tasks(self):
        made = task.FunctorTask(
            double,
            name='it',
            rebind={'value': 'number'},
            version=(2, 1),
            inject={'factor': 3},
        )
        self.assertEqual('"it==2.1"', str(made))
        self.assertEqual(['number'], list(made.requires))
        self.assertEqual({'factor': 3}, made.inject)

    def test_what_cannot_be_called_is_refused(self):
        self.assertRaises(ValueError, task.FunctorTask, 7)
        self.assertRaises(ValueError, task.FunctorTask, None)
        self.assertRaises(ValueError, task.FunctorTask, double, revert=7)
        self.assertRaisesRegex(
            ValueError,
            "'b'",
            task.FunctorTask,
            lambda a: a,
            requires=['b'],
        )


class OverArgumentsTest(base.BaseTestCase):
    def test_map_applies_to_each_in_order(self):
        made = task.MapFunctorTask(lambda n: n + 1, requires=['b', 'a'])
        self.assertEqual(['b', 'a'], list(made.requires))
        self.assertEqual([6, 2], made.execute(a=1, b=5))

    def test_reduce_folds_from_the_left(self):
        made = task.ReduceFunctorTask(
            lambda a, b: a - b, requires=['a', 'b', 'c'], provides='rest'
        )
        self.assertEqual(['rest'], list(made.provides))
        self.assertEqual(4, made.execute(c=0, b=1, a=5))

    def test_they_are_named_after_the_function(self):
        made = task.ReduceFunctorTask(double, requires=['a', 'b'])
        self.assertEqual(f'{__name__}.double', made.name)

    def test_the_function_must_take_that_many_arguments(self):
        self.assertRaises(ValueError, task.MapFunctorTask, double, ['a'])
        self.assertRaises(
            ValueError, task.ReduceFunctorTask, lambda a: a, ['a', 'b']
        )
        self.assertRaises(ValueError, task.MapFunctorTask, 7, ['a'])

    def test_the_symbols_must_be_a_list_that_is_long_enough(self):
        self.assertRaises(TypeError, task.MapFunctorTask, lambda a: a, 'ab')
        self.assertRaises(ValueError, task.ReduceFunctorTask, double, ['a'])


class CurrentTest(base.BaseTestCase):
    def attempt(self, **changes):
        given = {
            'flow_uuid': 'f7d5',
            'atom': 'boot',
            'attempt': 3,
            'cancellation': cancellation.Cancellation(),
            'try_number': 2,
        }
        return task.Attempt(**{**given, **changes})

    def test_there_is_none_outside_of_a_task(self):
        self.assertIsNone(task.current())

    def test_a_task_finds_out_what_it_is(self):
        attempt = self.attempt()
        mark = task.set_current(attempt)
        self.assertIs(attempt, task.current())
        task.reset_current(mark)
        self.assertIsNone(task.current())

    def test_each_thread_has_its_own(self):
        mark = task.set_current(self.attempt())
        self.addCleanup(task.reset_current, mark)
        seen = []
        thread = threading.Thread(target=lambda: seen.append(task.current()))
        thread.start()
        thread.join()
        self.assertEqual([None], seen)

    def test_the_token_is_of_the_try(self):
        token = self.attempt().token
        self.assertEqual(token, self.attempt(attempt=4).token)
        self.assertNotEqual(token, self.attempt(try_number=3).token)
        self.assertNotEqual(token, self.attempt(atom='stop').token)
        self.assertNotEqual(token, self.attempt(flow_uuid='0000').token)
        self.assertEqual(5, uuid.UUID(token).version)

    def test_it_says_what_it_is(self):
        self.assertEqual(
            '<Attempt 3 (try 2) of boot in flow f7d5>', repr(self.attempt())
        )


class ProbeTest(base.BaseTestCase):
    def test_its_answers(self):
        self.assertEqual(task.Done(7), task.Done(7))
        self.assertEqual(7, task.Done(7).result)
        self.assertIsNone(task.Done().result)
        self.assertIs(task.NOT_DONE, task.Probe['NOT_DONE'])
