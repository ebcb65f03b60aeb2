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

"""Suspending, cancelling, deadlines, timeouts, delays: who decides when."""

from __future__ import annotations

import datetime

from oslotest import base

from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import retry
from taskflow_service import task
from taskflow_service.executors import base as executors_base
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow
from taskflow_service.types import failure
from tests.unit.engines import hands

End = executors_base.End


def chain(*tasks, **kwargs):
    return linear_flow.Flow('chain', **kwargs).add(*tasks)


def side_by_side(*tasks, **kwargs):
    return unordered_flow.Flow('side by side', **kwargs).add(*tasks)


class StatisticsTest(base.BaseTestCase):
    def test_they_say_where_the_time_went(self):
        def script(hand):
            engine.clock.advance(3)
            hand.end('a')
            yield

        engine = hands.load(chain(hands.Say('a')), script)
        engine.run()
        spent = engine.statistics['seconds_per_state']
        self.assertEqual(3, spent.pop('waiting'))
        self.assertEqual({0}, set(spent.values()))
        self.assertEqual(3, engine.statistics['active_for'])


class SuspendTest(base.BaseTestCase):
    def test_it_takes_effect_between_two_tasks(self):
        class Suspends(hands.Say):
            def execute(self):
                engine.suspend()

        flow = chain(hands.Say('a'), Suspends('b'), hands.Say('c'))
        engine = engines.load(flow, engine='serial')
        engine.run()
        self.assertEqual('SUSPENDED', engine.storage.get_flow_state())
        self.assertEqual(
            {'a': 'SUCCESS', 'b': 'SUCCESS', 'c': 'PENDING'},
            hands.states(engine),
        )
        engine.run()
        self.assertEqual('SUCCESS', engine.storage.get_flow_state())

    def test_it_answers_at_once_while_tasks_run(self):
        def script(hand):
            engine.suspend()
            self.assertEqual('SUSPENDING', engine.storage.get_flow_state())
            self.assertEqual(['a', 'b'], sorted(hand.running))
            hand.end('a')
            yield
            # What runs is let end; nothing else is started.
            self.assertEqual(['b'], list(hand.running))
            self.assertEqual('SUSPENDING', engine.storage.get_flow_state())
            hand.end('b')
            yield

        flow = chain(
            side_by_side(hands.Say('a'), hands.Say('b')), hands.Say('c')
        )
        engine = hands.load(flow, script)
        engine.run()
        self.assertEqual('SUSPENDED', engine.storage.get_flow_state())
        self.assertEqual('PENDING', engine.storage.get_atom_state('c'))

    def test_one_that_comes_with_the_last_task_changes_nothing(self):
        class Suspends(hands.Say):
            def execute(self):
                engine.suspend()

        engine = engines.load(chain(Suspends('a')), engine='serial')
        engine.run()
        self.assertEqual('SUCCESS', engine.storage.get_flow_state())

    def test_a_flow_that_reverts_is_suspended_and_goes_on_reverting(self):
        class Suspends(hands.Say):
            def revert(self, **kwargs):
                engine.suspend()

        flow = chain(hands.Say('a'), Suspends('b'), hands.Fail('c'))
        engine = engines.load(flow, engine='serial')
        engine.run()
        self.assertEqual('SUSPENDED', engine.storage.get_flow_state())
        self.assertEqual(
            {'a': 'SUCCESS', 'b': 'REVERTED', 'c': 'REVERTED'},
            hands.states(engine),
        )
        self.assertRaises(hands.Boom, engine.run)
        self.assertEqual('REVERTED', engine.storage.get_flow_state())

    def test_a_listener_suspends_before_the_next_task(self):
        engine = engines.load(chain(hands.Say('a'), hands.Say('b')))
        engine.atom_notifier.register(
            'SUCCESS', lambda state, details: engine.suspend()
        )
        engine.run()
        self.assertEqual('PENDING', engine.storage.get_atom_state('b'))

    def test_a_flow_that_does_not_run_is_not_suspended(self):
        engine = engines.load(chain(hands.Say('a')))
        self.assertRaises(exceptions.InvalidState, engine.suspend)
        engine.run()
        engine.suspend()
        self.assertEqual('SUCCESS', engine.storage.get_flow_state())


class CancelTest(base.BaseTestCase):
    def test_what_was_done_is_reverted(self):
        def script(hand):
            yield hand.perform('a')
            engine.cancel(reason='enough')
            yield
            self.assertIn('enough', hand.cancelled['b'])
            why = failure.Failure.from_exception(exceptions.Cancelled('stop'))
            yield hand.end('b', End.CANCELLED, why)

        engine = hands.load(chain(hands.Say('a'), hands.Say('b')), script)
        error = self.assertRaises(exceptions.Cancelled, engine.run)
        self.assertIn('enough', str(error))
        self.assertIn(engine.storage.flow_uuid, str(error))
        self.assertEqual('REVERTED', engine.storage.get_flow_state())
        self.assertEqual(
            {'a': 'REVERTED', 'b': 'REVERTED'}, hands.states(engine)
        )
        failed = engine.storage.get_execute_failures()['b']
        self.assertTrue(failed.check(exceptions.Cancelled))

    def test_what_was_done_is_kept(self):
        def script(hand):
            yield hand.perform('a')
            engine.cancel(revert=False)
            yield
            yield hand.end('b')

        flow = chain(hands.Say('a'), hands.Say('b'), hands.Say('c'))
        engine = hands.load(flow, script)
        self.assertRaises(exceptions.Cancelled, engine.run)
        self.assertEqual('FAILURE', engine.storage.get_flow_state())
        self.assertEqual(
            {'a': 'SUCCESS', 'b': 'SUCCESS', 'c': 'PENDING'},
            hands.states(engine),
        )

    def test_where_nothing_runs(self):
        # It waits for the next try of a retry.
        backoff = retry.Backoff(delay=1000)

        def script(hand):
            yield hand.perform('a')
            yield hand.perform('a')
            yield engine.cancel()

        controller = retry.Times(3, 'tries', backoff=backoff)
        engine = hands.load(chain(hands.Fail('a'), retry=controller), script)
        self.assertRaises(exceptions.Cancelled, engine.run)
        self.assertEqual('REVERTED', engine.storage.get_flow_state())
        # And it did not wait for that.
        self.assertLess(engine.clock.monotonic(), 1000)

    def test_a_task_that_does_not_listen_is_given_up(self):
        def script(hand):
            yield hand.perform('a')
            yield engine.cancel()
            yield

        flow = chain(hands.Say('a'), hands.Say('b'))
        engine = hands.load(flow, script, cancel_grace=7)
        self.assertRaises(exceptions.Cancelled, engine.run)
        self.assertEqual(7, engine.clock.monotonic())
        self.assertEqual('REVERTED', engine.storage.get_flow_state())

    def test_a_running_task_sees_it(self):
        class Waits(task.Task):
            def execute(self):
                engine.cancel()
                task.current().cancellation.wait(10)
                task.current().cancellation.raise_if_cancelled()

            def revert(self, **kwargs):
                pass

        engine = engines.load(chain(Waits('a')), engine='parallel')
        self.assertRaises(exceptions.Cancelled, engine.run)
        self.assertEqual('REVERTED', engine.storage.get_flow_state())

    def test_a_cancelled_flow_asks_no_retry(self):
        asked = []

        class Asked(retry.AlwaysRevert):
            def on_failure(self, history, **kwargs):
                asked.append(history)
                return super().on_failure(history)

        def script(hand):
            yield engine.cancel()
            why = failure.Failure.from_exception(exceptions.Cancelled('stop'))
            yield hand.end('a', End.CANCELLED, why)

        engine = hands.load(chain(hands.Say('a'), retry=Asked('r')), script)
        self.assertRaises(exceptions.Cancelled, engine.run)
        self.assertEqual([], asked)

    def test_a_flow_that_does_not_run_is_not_cancelled(self):
        engine = engines.load(chain(hands.Say('a')))
        engine.cancel()
        engine.run()
        engine.cancel()
        self.assertEqual('SUCCESS', engine.storage.get_flow_state())


class DeadlineTest(base.BaseTestCase):
    def test_a_flow_is_reverted_at_its_deadline(self):
        def script(hand):
            yield hand.perform('a')
            yield
            self.assertIn('deadline', hand.cancelled['b'])
            yield hand.end('b')

        flow = chain(hands.Say('a'), hands.Say('b'))
        engine = hands.load(flow, script, deadline=60)
        error = self.assertRaises(exceptions.DeadlineExceeded, engine.run)
        self.assertIn(engine.storage.flow_uuid, str(error))
        self.assertEqual(60, engine.clock.monotonic())
        self.assertEqual('REVERTED', engine.storage.get_flow_state())

    def test_it_may_be_a_time(self):
        def script(hand):
            yield
            yield hand.end('a')

        engine = hands.load(chain(hands.Say('a')), script)
        at = engine.clock.now() + 90
        engine.options['deadline'] = datetime.datetime.fromtimestamp(
            at, datetime.UTC
        )
        self.assertRaises(exceptions.DeadlineExceeded, engine.run)
        self.assertEqual(90, engine.clock.monotonic())

    def test_a_flow_in_time_never_hears_of_it(self):
        engine = hands.load(chain(hands.Say('a')), deadline=60)
        engine.run()
        self.assertEqual('SUCCESS', engine.storage.get_flow_state())


class TimeoutTest(base.BaseTestCase):
    def test_a_task_that_runs_too_long_fails(self):
        slow = hands.Say('slow')
        slow.run_timeout = 30

        def script(hand):
            yield
            self.assertIn('30 s', hand.cancelled['slow'])
            why = failure.Failure.from_exception(exceptions.Cancelled('stop'))
            yield hand.end('slow', End.CANCELLED, why)

        engine = hands.load(chain(slow), script)
        error = self.assertRaises(exceptions.RunTimeout, engine.run)
        self.assertIn("'slow'", str(error))
        self.assertEqual(30, engine.clock.monotonic())
        self.assertEqual('REVERTED', engine.storage.get_flow_state())

    def test_its_outcome_counts_if_it_came_before_the_grace_was_over(self):
        slow = hands.Say('slow')
        slow.run_timeout = 30

        def script(hand):
            yield
            yield hand.end('slow', End.OK, 'done')

        engine = hands.load(chain(slow), script)
        engine.run()
        self.assertEqual('done', engine.storage.get('slow'))

    def test_a_task_without_a_sign_of_life_fails(self):
        quiet = hands.Say('quiet')
        quiet.heartbeat_timeout = 10

        def script(hand):
            engine.clock.advance(8)
            yield hand.tell('quiet', 0.5)
            yield
            yield
            yield

        engine = hands.load(chain(quiet), script, cancel_grace=1)
        error = self.assertRaises(exceptions.HeartbeatTimeout, engine.run)
        self.assertIn("'quiet'", str(error))
        # Ten seconds after it was last heard, and the grace.
        self.assertEqual(8 + 10 + 1, engine.clock.monotonic())

    def test_a_late_outcome_does_not_count(self):
        slow = hands.Say('slow')
        slow.run_timeout = 30
        late = []

        def script(hand):
            late.append(hand.running['slow'])
            yield
            yield
            self.assertEqual('revert', str(hand.running['slow'].action))
            hand.deliver(executors_base.Outcome(late[0], End.OK, 'late'))
            yield
            yield hand.end('slow')

        engine = hands.load(chain(slow), script, cancel_grace=1)
        self.assertRaises(exceptions.RunTimeout, engine.run)
        self.assertEqual('REVERTED', engine.storage.get_flow_state())


class BackoffTest(base.BaseTestCase):
    def test_a_delay_holds_up_no_other_branch(self):
        began = {}

        class Notes(hands.Say):
            def execute(self):
                began.setdefault(self.name, []).append(
                    engine.clock.monotonic()
                )
                if self.name == 'fails' and len(began['fails']) < 3:
                    raise hands.Boom

        backoff = retry.Backoff(delay=10, factor=3)
        flow = side_by_side(
            linear_flow.Flow(
                'retried', retry.Times(5, 'tries', backoff=backoff)
            ).add(Notes('fails')),
            chain(Notes('x'), Notes('y'), Notes('z')),
        )
        engine = hands.load(flow)
        engine.run()
        self.assertEqual([0, 10, 40], began['fails'])
        self.assertEqual([0], began['z'])

    def test_what_is_given_up_does_not_wait_for_it(self):
        # The inner flow waits for its next try when the outer one fails.
        backoff = retry.Backoff(delay=1000)
        inner = linear_flow.Flow(
            'inner', retry.Times(3, 'tries', backoff=backoff)
        ).add(hands.Fail('a'))

        def script(hand):
            yield hand.perform('a')
            yield hand.perform('a')
            yield hand.perform('b')

        flow = side_by_side(inner, hands.Fail('b'))
        engine = hands.load(flow, script)
        self.assertRaises(exceptions.WrappedFailure, engine.run)
        self.assertEqual('REVERTED', engine.storage.get_flow_state())
        self.assertLess(engine.clock.monotonic(), 1000)

    def test_trying_ends_when_its_time_is_over(self):
        backoff = retry.Backoff(delay=10, max_elapsed=35)
        controller = retry.Times(100, 'tries', backoff=backoff)
        engine = hands.load(chain(hands.Fail('a'), retry=controller))
        self.assertRaises(hands.Boom, engine.run)
        self.assertEqual(30, engine.clock.monotonic())

    def test_a_retry_that_is_reset_has_its_time_again(self):
        backoff = retry.Backoff(delay=10, max_elapsed=15)
        inner = retry.Times(100, 'inner', backoff=backoff)
        outer = retry.Times(2, 'outer')
        flow = linear_flow.Flow('f', outer).add(
            chain(hands.Fail('a'), retry=inner)
        )
        engine = hands.load(flow)
        self.assertRaises(hands.Boom, engine.run)
        self.assertEqual(20, engine.clock.monotonic())

    def test_only_what_is_worth_it_is_tried_again(self):
        controller = retry.Times(5, 'tries', only=[OSError])
        engine = hands.load(chain(hands.Fail('a'), retry=controller))
        heard = hands.listen(engine)
        self.assertRaises(hands.Boom, engine.run)
        self.assertNotIn('tries: SUCCESS -> RETRYING', heard)


class RevertAgainTest(base.BaseTestCase):
    def flow(self, failures, **attributes):
        class Stubborn(hands.Say):
            left = failures

            def revert(self, **kwargs):
                self.left -= 1
                if self.left >= 0:
                    raise ValueError(f'{self.left} to go')

        stubborn = Stubborn('stubborn')
        for name, value in attributes.items():
            setattr(stubborn, name, value)
        return chain(hands.Say('first'), stubborn, hands.Fail('fails'))

    def test_a_revert_is_tried_again_later(self):
        backoff = retry.Backoff(delay=5, factor=2)
        engine = hands.load(self.flow(2, revert_backoff=backoff))
        heard = hands.listen(engine)
        self.assertRaises(hands.Boom, engine.run)
        self.assertEqual('REVERTED', engine.storage.get_flow_state())
        self.assertEqual(5 + 10, engine.clock.monotonic())
        self.assertEqual(
            [
                'stubborn: SUCCESS -> REVERTING',
                'stubborn: REVERTING -> REVERT_FAILURE',
                'stubborn: REVERT_FAILURE -> REVERTING',
                'stubborn: REVERTING -> REVERT_FAILURE',
                'stubborn: REVERT_FAILURE -> REVERTING',
                'stubborn: REVERTING -> REVERTED',
            ],
            [event for event in heard if event.startswith('stubborn: ')][2:],
        )
        self.assertEqual({}, engine.storage.get_revert_failures())

    def test_a_mended_revert_is_resumed(self):
        engine = hands.load(self.flow(1))
        self.assertRaises(ValueError, engine.run)
        self.assertEqual('FAILURE', engine.storage.get_flow_state())
        self.assertEqual(
            {
                'first': 'SUCCESS',
                'stubborn': 'REVERT_FAILURE',
                'fails': 'REVERTED',
            },
            hands.states(engine),
        )
        self.assertRaises(hands.Boom, engine.run)
        self.assertEqual('REVERTED', engine.storage.get_flow_state())
        self.assertEqual('REVERTED', engine.storage.get_atom_state('first'))

    def test_one_that_cannot_be_mended_is_skipped(self):
        engine = hands.load(self.flow(99))
        self.assertRaises(ValueError, engine.run)
        error = self.assertRaises(
            exceptions.InvalidState, engine.skip, 'first'
        )
        self.assertIn("'first'", str(error))
        engine.skip('stubborn')
        self.assertRaises(hands.Boom, engine.run)
        self.assertEqual('REVERTED', engine.storage.get_flow_state())

    def test_it_is_found_after_a_restart(self):
        engine = hands.load(self.flow(99))
        self.assertRaises(ValueError, engine.run)
        again = hands.load(
            self.flow(0), flow_detail=engine.storage._flowdetail
        )
        again.skip('stubborn')
        self.assertRaises(hands.Boom, again.run)
        self.assertEqual('REVERTED', again.storage.get_flow_state())


class IgnoredFailureTest(base.BaseTestCase):
    def test_dependents_get_their_default(self):
        class Wants(task.Task):
            def execute(self, x='default'):
                return x

        ignored = hands.Fail('ignored', provides='x')
        ignored.ignore_failure = True
        engine = engines.load(chain(ignored, Wants('wants')))
        heard = hands.listen(engine)
        engine.run()
        self.assertEqual('default', engine.storage.get('wants'))
        self.assertIn('ignored: RUNNING -> FAILURE', heard)
        self.assertEqual('SUCCESS', engine.storage.get_flow_state())
        self.assertEqual('FAILURE', engine.storage.get_atom_state('ignored'))
        self.assertEqual(
            'IGNORE', engine.storage.get_atom_intention('ignored')
        )

    def test_it_is_reverted_with_its_flow(self):
        ignored = hands.Fail('ignored')
        ignored.ignore_failure = True
        engine = engines.load(chain(ignored, hands.Fail('fails')))
        heard = hands.listen(engine)
        self.assertRaises(exceptions.WrappedFailure, engine.run)
        self.assertIn('ignored: FAILURE -> REVERTING', heard)

    def test_no_retry_is_asked_about_it_on_resumption(self):
        ignored = hands.Fail('ignored')
        ignored.ignore_failure = True
        told = []

        class Told(retry.Times):
            def on_failure(self, history, **kwargs):
                told.extend(name for name, _ in history.outcomes_iter())
                return super().on_failure(history)

        class Suspends(hands.Say):
            def revert(self, **kwargs):
                engine.suspend()

        flow = chain(
            ignored, Suspends('s'), hands.Fail('fails'), retry=Told(2, 'r')
        )
        engine = engines.load(flow)
        engine.run()
        self.assertEqual('SUSPENDED', engine.storage.get_flow_state())
        try:
            engine.run()
        except exceptions.TaskFlowException:
            pass
        self.assertNotIn('ignored', told)


class CompletionTest(base.BaseTestCase):
    def test_the_order_of_completion_is_kept(self):
        def script(hand):
            for name in 'cab':
                yield hand.perform(name)

        flow = side_by_side(hands.Say('a'), hands.Say('b'), hands.Say('c'))
        engine = hands.load(flow, script)
        engine.run()
        order = {
            detail.name: detail.seq for detail in engine.storage._flowdetail
        }
        self.assertEqual(['c', 'a', 'b'], sorted(order, key=order.get))
