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

"""Corners of resuming and retrying that random flows seldom come to."""

from __future__ import annotations

from oslotest import base

from taskflow_service import engines
from taskflow_service import retry
from taskflow_service.patterns import graph_flow
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow
from tests.unit.engines import hands


class StartedOnceTest(base.BaseTestCase):
    def test_a_task_that_was_ready_in_several_tries_of_one_turn(self):
        class SlowStart(retry.AlwaysRevert):
            left = 3

            def execute(self, *args, **kwargs):
                self.left -= 1
                if self.left:
                    raise hands.Boom

        inner = linear_flow.Flow('inner', SlowStart('slow')).add(
            hands.Say('b')
        )
        flow = unordered_flow.Flow('f', retry.Times(5, 'times'))
        engine = hands.load(flow.add(hands.Say('a'), inner))
        engine.run()
        started = engine.options['executor'].started
        self.assertEqual([('execute', 'a'), ('execute', 'b')], sorted(started))

    def test_a_failed_task_of_a_suspended_flow(self):
        def script(hand):
            engine.suspend()
            yield hand.perform('fails')

        flow = linear_flow.Flow('f').add(hands.Fail('fails'))
        engine = hands.load(flow, script)
        engine.run()
        self.assertEqual('SUSPENDED', engine.storage.get_flow_state())
        self.assertRaises(hands.Boom, engine.run)
        self.assertEqual(
            [('execute', 'fails'), ('revert', 'fails')],
            engine.options['executor'].started,
        )


class OrderTest(base.BaseTestCase):
    def test_everything_reverts_in_order_though_each_part_has_a_retry(self):
        def script(hand):
            yield hand.perform('a')
            yield hand.perform('b')
            yield hand.perform('c')
            engine.suspend()
            yield hand.perform('c')

        def flow():
            first = linear_flow.Flow('first', retry.AlwaysRevert('r1'))
            second = linear_flow.Flow('second', retry.AlwaysRevertAll('r2'))
            return linear_flow.Flow('f').add(
                first.add(hands.Say('a')),
                second.add(hands.Say('b'), hands.Fail('c')),
            )

        engine = hands.load(flow(), script)
        engine.run()
        self.assertEqual('SUSPENDED', engine.storage.get_flow_state())

        def look(hand):
            self.assertEqual(['b'], list(hand.running))
            yield hand.perform('b')
            self.assertEqual(['a'], list(hand.running))

        again = hands.load(
            flow(), look, flow_detail=engine.storage._flowdetail
        )
        self.assertRaises(hands.Boom, again.run)
        self.assertEqual('REVERTED', again.storage.get_flow_state())

    def test_a_part_that_was_given_up_stays_so(self):
        # The other branch goes on; what failed is not tried again.
        class Suspends(hands.Say):
            def execute(self):
                engine.suspend()

        part = linear_flow.Flow('part', retry.AlwaysRevert('r'))
        flow = unordered_flow.Flow('f').add(
            part.add(hands.Fail('fails')),
            linear_flow.Flow('rest').add(
                hands.Say('a'), Suspends('b'), hands.Say('c')
            ),
        )
        engine = engines.load(flow)
        engine.run()
        self.assertEqual('SUSPENDED', engine.storage.get_flow_state())
        self.assertRaises(hands.Boom, engine.run)
        self.assertEqual(
            {
                'r': 'REVERTED',
                'fails': 'REVERTED',
                'a': 'SUCCESS',
                'b': 'SUCCESS',
                'c': 'SUCCESS',
            },
            hands.states(engine),
        )


class GuardTest(base.BaseTestCase):
    def test_a_decider_is_not_asked_about_what_is_reverted(self):
        asked = []

        def decider(history):
            asked.append(history)
            return True

        a, b, c = hands.Say('a'), hands.Fail('b'), hands.Say('c')
        flow = graph_flow.Flow('f').add(a, b, c).link(a, c, decider=decider)

        def script(hand):
            hand.perform('a')
            yield hand.perform('b')

        engine = hands.load(flow, script)
        self.assertRaises(hands.Boom, engine.run)
        self.assertEqual([], asked)

    def test_a_retry_that_a_decider_ignored_is_not_asked(self):
        a = hands.Say('a')
        inner = linear_flow.Flow('inner', retry.Times(9, 'times'))
        inner.add(hands.Fail('b'))
        flow = graph_flow.Flow('f').add(a, inner)
        flow.link(
            a, inner, decider=lambda history: False, decider_depth='ATOM'
        )
        engine = engines.load(flow)
        self.assertRaises(hands.Boom, engine.run)
        self.assertEqual(
            {'a': 'REVERTED', 'times': 'IGNORE', 'b': 'REVERTED'},
            hands.states(engine),
        )


class LeftOverTest(base.BaseTestCase):
    def test_a_suspended_flow_with_nothing_left_has_ended(self):
        # There is room for one task: 'b' is ready and never has its turn.
        def script(hand):
            yield hand.perform('fails')
            engine.suspend()
            yield hand.perform('fails')

        flow = unordered_flow.Flow('f')
        flow.add(hands.Fail('fails'), hands.Say('b'))
        engine = hands.load(flow, script, room=1)
        self.assertRaises(hands.Boom, engine.run)
        self.assertEqual('REVERTED', engine.storage.get_flow_state())
