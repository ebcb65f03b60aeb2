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

"""Retry controllers decide, and say how long to wait; they never do it."""

from __future__ import annotations

import random

from oslotest import base

from taskflow_service import exceptions
from taskflow_service import retry
from taskflow_service.patterns import linear_flow
from taskflow_service.types import failure

RETRY, REVERT, REVERT_ALL = retry.RETRY, retry.REVERT, retry.REVERT_ALL


def failed(error):
    try:
        raise error
    except Exception:
        return failure.Failure()


def history(*tries, **kwargs):
    """Make a history of (provided, *errors) by tries."""
    contents = []
    for provided, *errors in tries:
        failures = {f'task-{n}': failed(e) for n, e in enumerate(errors)}
        contents.append((provided, failures))
    return retry.History(contents, **kwargs)


class HistoryTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.history = history(
            (1, ValueError('a')), (2, KeyError('b'), OSError('c'))
        )

    def test_it_is_a_sequence_of_tries(self):
        self.assertEqual(2, len(self.history))
        self.assertEqual([1, 2], list(self.history.provided_iter()))
        self.assertEqual([1, 2], [provided for provided, _ in self.history])
        provided, outcomes = self.history[-1]
        self.assertEqual(2, provided)
        self.assertEqual({'task-0', 'task-1'}, set(outcomes))
        self.assertEqual(1, len(self.history[:1]))

    def test_outcomes_of_one_try_or_all(self):
        names = [name for name, _ in self.history.outcomes_iter()]
        self.assertEqual(['task-0', 'task-0', 'task-1'], names)
        names = [name for name, _ in self.history.outcomes_iter(0)]
        self.assertEqual(['task-0'], names)
        self.assertRaises(
            IndexError, lambda: list(self.history.outcomes_iter(5))
        )

    def test_what_failed_is_found_by_class_or_by_name(self):
        self.assertTrue(self.history.caused_by(KeyError))
        self.assertTrue(self.history.caused_by('KeyError'))
        self.assertTrue(self.history.caused_by(Exception))
        self.assertFalse(self.history.caused_by(TypeError))
        self.assertFalse(self.history.caused_by(KeyError, index=0))
        self.assertTrue(self.history.caused_by(OSError, index=1))

    def test_the_controller_itself_may_have_failed(self):
        self.assertIsNone(self.history.failure)
        mine = history((1,), failure=failed(TypeError('boo')))
        self.assertFalse(mine.caused_by(TypeError))
        self.assertTrue(mine.caused_by(TypeError, include_retry=True))


class NameTest(base.BaseTestCase):
    def test_it_is_named_after_its_flow(self):
        controller = retry.AlwaysRevert()
        self.assertIsNone(controller.name)
        linear_flow.Flow('boot', controller)
        self.assertEqual('boot_retry', controller.name)
        controller = retry.AlwaysRevert('mine')
        linear_flow.Flow('boot', controller)
        self.assertEqual('mine', controller.name)


class ArgumentsTest(base.BaseTestCase):
    def test_history_is_not_a_symbol(self):
        class Own(retry.Retry):
            default_provides = 'next'

            def execute(self, history, a, b=1):
                return 1

            def on_failure(self, history, **kwargs):
                return RETRY

            def revert(self, history, flow_failures, c):
                pass

        own = Own()
        self.assertEqual(['a', 'c'], list(own.requires))
        self.assertEqual(['b'], list(own.optional))
        self.assertEqual({'c': 'c'}, own.revert_rebind)
        self.assertEqual(['next'], list(own.provides))
        self.assertEqual({'history', 'flow_failures'}, own.revert_accepts)
        self.assertEqual({'a': 'x', 'b': 'b'}, Own(rebind=['x']).rebind)

    def test_values_are_a_symbol(self):
        self.assertEqual(
            ['values'], list(retry.ParameterizedForEach().requires)
        )
        made = retry.ParameterizedForEach(rebind={'values': 'ports'})
        self.assertEqual(['ports'], list(made.requires))

    def test_a_controller_must_decide(self):
        self.assertRaises(TypeError, retry.Retry)
        self.assertRaises(TypeError, retry.ForEachBase)


class DecisionTest(base.BaseTestCase):
    def test_always(self):
        self.assertEqual(REVERT, retry.AlwaysRevert().on_failure(history()))
        self.assertIsNone(retry.AlwaysRevert().execute(history()))
        made = retry.AlwaysRevertAll()
        self.assertEqual(REVERT_ALL, made.on_failure(history=history()))
        self.assertIsNone(made.execute(history=history()))

    def test_times(self):
        made = retry.Times(2, provides='number')
        self.assertEqual(['number'], list(made.provides))
        self.assertEqual(1, made.execute(history()))
        self.assertEqual(RETRY, made.on_failure(history((1,))))
        self.assertEqual(2, made.execute(history((1,))))
        self.assertEqual(REVERT, made.on_failure(history((1,), (2,))))
        made = retry.Times(1, revert_all=True)
        self.assertEqual(REVERT_ALL, made.on_failure(history((1,))))

    def test_for_each_tries_one_value_after_the_other(self):
        for made, given in (
            (retry.ForEach([5, [6], 5]), {}),
            (retry.ForEach(iter([5, [6], 5])), {}),
            (retry.ParameterizedForEach(), {'values': [5, [6], 5]}),
        ):
            before = history()
            tried = []
            for n in range(3):
                value = made.execute(history=before, **given)
                tried.append(value)
                before = history(*[(each,) for each in tried])
                decision = made.on_failure(history=before, **given)
                self.assertEqual(RETRY if n < 2 else REVERT, decision)
            self.assertCountEqual([5, [6], 5], tried)
            self.assertRaises(
                exceptions.NotFound, made.execute, history=before, **given
            )

    def test_the_parameters_of_clients_are_accepted_by_position(self):
        made = retry.Times(3, 'it', 'number', None, True, None, True)
        self.assertEqual('it', made.name)
        self.assertEqual(3, made._attempts)
        self.assertEqual(REVERT_ALL, made._revert_action)
        made = retry.ForEach([1], 'it', None, None, True, None, True)
        self.assertEqual(REVERT_ALL, made._revert_action)

    def test_what_is_no_decision_is_refused(self):
        class Nonsense(retry.AlwaysRevert):
            def on_failure(self, *args, **kwargs):
                return 'perhaps'

        self.assertRaisesRegex(
            ValueError, "'it' answered 'perhaps'", Nonsense('it').decide, []
        )

    def test_a_decision_may_be_said_as_a_string(self):
        class Plain(retry.AlwaysRevert):
            def on_failure(self, *args, **kwargs):
                return 'RETRY'

        self.assertIs(RETRY, Plain().decide(history()))


class OnlyTest(base.BaseTestCase):
    def test_other_errors_are_not_retried(self):
        made = retry.Times(5, only=(OSError, 'KeyError'))
        self.assertIs(RETRY, made.decide(history((1, OSError()))))
        self.assertIs(RETRY, made.decide(history((1, KeyError('x')))))
        self.assertIs(REVERT, made.decide(history((1, ValueError()))))

    def test_every_failure_of_the_last_try_must_be_of_them(self):
        made = retry.Times(5, only=OSError, revert_all=True)
        both = history((1, OSError(), ValueError()))
        self.assertIs(REVERT_ALL, made.decide(both))
        before = history((1, ValueError()), (2, ConnectionError()))
        self.assertIs(RETRY, made.decide(before))

    def test_every_controller_takes_it(self):
        for made in (
            retry.AlwaysRevert(only='OSError'),
            retry.AlwaysRevertAll(only='OSError'),
            retry.Times(only='OSError'),
            retry.ForEach([1], only='OSError'),
            retry.ParameterizedForEach(only='OSError'),
        ):
            self.assertEqual(('OSError',), made.only)
            self.assertFalse(made.may_retry(history((1, ValueError()))))
        self.assertIs(
            REVERT_ALL,
            retry.AlwaysRevertAll(only=OSError).decide(
                history((1, ValueError()))
            ),
        )

    def test_arguments_reach_the_controller(self):
        made = retry.ParameterizedForEach()
        self.assertIs(RETRY, made.decide(history((1,)), {'values': [1, 2]}))


class BackoffTest(base.BaseTestCase):
    def delays(self, backoff, count=4):
        rng = random.Random(7)
        return [backoff.delay_for(n, rng) for n in range(1, count + 1)]

    def test_constant(self):
        self.assertEqual([2.0] * 4, self.delays(retry.Backoff(delay=2)))

    def test_exponential_up_to_a_maximum(self):
        backoff = retry.Backoff(delay=1, factor=2, max_delay=5)
        self.assertEqual([1, 2, 4, 5], self.delays(backoff))
        self.assertEqual(5, backoff.delay_for(10**6, random.Random(1)))

    def test_jitter_takes_away_at_most_its_part(self):
        delays = self.delays(retry.Backoff(delay=10, jitter=0.5), 100)
        self.assertEqual(100, len(set(delays)))
        self.assertTrue(all(5 <= delay <= 10 for delay in delays))
        delays = self.delays(retry.Backoff(delay=10, jitter=1), 100)
        self.assertTrue(any(delay < 5 for delay in delays))

    def test_the_same_random_numbers_give_the_same_delays(self):
        backoff = retry.Backoff(delay=10, jitter=1)
        self.assertEqual(self.delays(backoff), self.delays(backoff))

    def test_a_controller_gives_up_when_too_much_time_is_gone(self):
        made = retry.Times(
            100, backoff=retry.Backoff(delay=10, max_elapsed=60)
        )
        tries = history((1, OSError()))
        self.assertEqual(10, made.delay_for(1, random.Random(1)))
        self.assertIs(RETRY, made.decide(tries, elapsed=50, delay=10))
        self.assertIs(REVERT, made.decide(tries, elapsed=51, delay=10))

    def test_without_it_there_is_no_delay(self):
        self.assertEqual(0, retry.Times(3).delay_for(1, random.Random(1)))

    def test_it_may_be_of_the_class(self):
        class Patient(retry.Times):
            backoff = retry.Backoff(delay=30)
            only = (OSError,)

        made = Patient(3)
        self.assertEqual(30, made.delay_for(2, random.Random(1)))
        self.assertIs(REVERT, made.decide(history((1, ValueError()))))

    def test_numbers_out_of_range_are_refused(self):
        for wrong in (
            {'delay': -1},
            {'delay': 1, 'factor': 0.5},
            {'delay': 1, 'jitter': 2},
            {'delay': 1, 'max_delay': -1},
            {'delay': 1, 'max_elapsed': -1},
            {'delay': float('nan')},
        ):
            self.assertRaises(ValueError, retry.Backoff, **wrong)
