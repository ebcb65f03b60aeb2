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

"""After what it needs."""

from __future__ import annotations

import gc

from oslotest import base

from taskflow_service import deciders
from taskflow_service import exceptions
from taskflow_service import retry
from taskflow_service import task
from taskflow_service.patterns import graph_flow
from taskflow_service.patterns import linear_flow


class Work(task.Task):
    def execute(self, **kwargs):
        pass


def work(name, requires='', provides=''):
    """Make a task; symbols are letters."""
    return Work(name, provides=tuple(provides), requires=tuple(requires))


def names(flow):
    return ' '.join(item.name for item in flow)


def links(flow):
    return {
        (u.name, v.name): ''.join(sorted(meta.get('reasons', '')))
        for u, v, meta in flow.iter_links()
    }


class ResolutionTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.flow = graph_flow.Flow('f')

    def test_who_requires_comes_after_who_provides(self):
        for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
            tasks = [
                work('first', '', 'x'),
                work('second', 'x', 'yz'),
                work('third', 'xyz'),
            ]
            flow = graph_flow.Flow('f').add(*[tasks[n] for n in order])
            self.assertEqual('first second third', names(flow))
            self.assertEqual(
                {
                    ('first', 'second'): 'x',
                    ('first', 'third'): 'x',
                    ('second', 'third'): 'yz',
                },
                links(flow),
            )

    def test_what_nobody_provides_comes_from_outside(self):
        self.flow.add(work('a', 'x'), work('b', 'xy', 'z'))
        self.assertEqual({'x', 'y'}, self.flow.requires)
        self.assertEqual({'z'}, self.flow.provides)
        self.assertEqual({}, links(self.flow))

    def test_an_optional_argument_makes_no_link(self):
        class Optional(task.Task):
            def execute(self, x=None):
                pass

        self.flow.add(work('a', '', 'x'), Optional('b'))
        self.assertEqual({}, links(self.flow))

    def test_two_providers_are_ambiguous(self):
        self.flow.add(work('a', '', 'x'), work('b', '', 'x'))
        self.assertRaisesRegex(
            exceptions.AmbiguousDependency,
            r"'c'.*'f'.*'x'.*\['a', 'b'\]",
            self.flow.add,
            work('c', 'x'),
        )
        self.assertEqual('a b', names(self.flow))

    def test_who_has_a_provider_does_not_get_another(self):
        self.flow.add(work('c', 'x')).add(work('a', '', 'x'))
        self.flow.add(work('b', '', 'x'))
        self.assertEqual({('a', 'c'): 'x'}, links(self.flow))

    def test_resolution_can_be_left_out(self):
        self.flow.add(work('a', '', 'x'))
        self.flow.add(work('b', 'x'), resolve_requires=False)
        self.assertEqual({}, links(self.flow))
        self.assertEqual({'x'}, self.flow.requires)
        self.flow.add(work('c', 'y'))
        self.flow.add(work('d', '', 'y'), resolve_existing=False)
        self.assertEqual({}, links(self.flow))

    def test_links_by_hand_bring_symbols_too(self):
        a, b, c = work('a', '', 'x'), work('b'), work('c', 'x')
        self.flow.add(a, b, c, resolve_requires=False)
        self.flow.link(a, b)
        self.assertEqual({'x'}, self.flow.requires)
        self.flow.link(b, c)
        self.assertEqual(frozenset(), self.flow.requires)
        self.flow.add(work('d', '', 'x'))
        self.assertEqual({('a', 'b'), ('b', 'c')}, set(links(self.flow)))

    def test_links_of_one_call_do_not_yet_bring_symbols(self):
        self.flow.add(
            work('a', '', 'xy'), work('b', 'xy'), resolve_requires=False
        )
        self.flow.add(work('c', 'x', 'x'), work('d', '', 'y'))
        self.assertEqual(
            {('a', 'c'): 'x', ('c', 'b'): 'x', ('d', 'b'): 'y'},
            links(self.flow),
        )

    def test_a_task_does_not_serve_itself(self):
        self.flow.add(work('a', 'x', 'x'))
        self.assertEqual({'x'}, self.flow.requires)
        self.flow.add(work('b', '', 'x'))
        self.assertEqual({('b', 'a'): 'x'}, links(self.flow))
        self.assertEqual(frozenset(), self.flow.requires)

    def test_the_controller_serves_all(self):
        flow = graph_flow.Flow('f', retry.Times(3, provides='x'))
        flow.add(work('a', '', 'x'), work('b', '', 'x'), work('c', 'x'))
        self.assertEqual({}, links(flow))
        self.assertEqual(frozenset(), flow.requires)

    def test_the_controller_is_not_one_of_the_children(self):
        flow = graph_flow.Flow(
            'f', retry.ParameterizedForEach(rebind={'values': 'x'})
        )
        flow.add(work('a', '', 'x'), work('b', 'x'))
        self.assertEqual('a b', names(flow))
        self.assertEqual({'x'}, flow.requires)

    def test_nested_flows_are_linked_as_a_whole(self):
        inner = linear_flow.Flow('inner').add(
            work('b', 'x'), work('c', '', 'y')
        )
        self.flow.add(work('d', 'y'), inner, work('a', '', 'x'))
        self.assertEqual('a inner d', names(self.flow))


class CycleTest(base.BaseTestCase):
    def test_symbols_in_a_circle_are_refused(self):
        flow = graph_flow.Flow('f').add(work('a', 'x', 'y'))
        self.assertRaisesRegex(
            exceptions.DependencyFailure,
            "No path.*'f'.*'b'",
            flow.add,
            work('c', 'y'),
            work('b', 'y', 'x'),
        )
        self.assertEqual('a', names(flow))
        self.assertEqual({}, links(flow))
        self.assertEqual({'x'}, flow.requires)
        self.assertEqual({'y'}, flow.provides)
        flow.add(work('d', '', 'x'))
        self.assertEqual({('d', 'a'): 'x'}, links(flow))

    def test_links_in_a_circle_are_refused(self):
        tasks = [work(name) for name in 'abcd']
        flow = graph_flow.Flow('f').add(*tasks)
        for u, v in ((2, 3), (0, 1), (1, 2)):
            flow.link(tasks[u], tasks[v])
        for u, v in ((3, 0), (2, 1), (1, 1)):
            self.assertRaises(
                exceptions.DependencyFailure, flow.link, tasks[u], tasks[v]
            )
        self.assertEqual(3, len(links(flow)))
        self.assertEqual('a b c d', names(flow))

    def test_what_was_taken_away_by_a_failed_add_is_back(self):
        flow = graph_flow.Flow('f')
        flow.add(work('a', 'x'), work('b', 'x'))
        self.assertRaises(
            exceptions.AmbiguousDependency,
            flow.add,
            work('c', '', 'xy'),
            work('d', '', 'y'),
            work('e', 'y'),
        )
        self.assertEqual({'x'}, flow.requires)
        flow.add(work('g', '', 'x'))
        self.assertEqual({('g', 'a'): 'x', ('g', 'b'): 'x'}, links(flow))


class LinkTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.a, self.b = work('a', '', 'x'), work('b', 'x')
        self.c = work('c')
        self.flow = graph_flow.Flow('f').add(self.a, self.b, self.c)

    def meta(self, u, v):
        return {
            (before, after): meta
            for before, after, meta in self.flow.iter_links()
        }[u, v]

    def test_a_link_by_hand_says_so(self):
        self.flow.link(self.a, self.c).link(self.a, self.b)
        self.assertEqual({'manual': True}, self.meta(self.a, self.c))
        self.assertEqual(
            {'manual': True, 'reasons': {'x'}}, self.meta(self.a, self.b)
        )

    def test_a_decider_and_its_depth_are_kept(self):
        self.flow.link(self.a, self.b, decider=bool)
        self.assertIs(bool, self.meta(self.a, self.b)['decider'])
        self.assertNotIn('decider_depth', self.meta(self.a, self.b))
        self.flow.link(self.a, self.b, decider_depth='flow', decider=all)
        self.flow.link(self.a, self.b)
        self.assertEqual(
            {
                'manual': True,
                'reasons': {'x'},
                'decider': all,
                'decider_depth': deciders.Depth.FLOW,
            },
            self.meta(self.a, self.b),
        )

    def test_both_ends_must_be_in_the_flow(self):
        other = work('other')
        self.assertRaisesRegex(
            ValueError, 'other', self.flow.link, self.a, other
        )
        self.assertRaisesRegex(
            ValueError, 'other', self.flow.link, other, self.a
        )

    def test_a_wrong_decider_is_refused(self):
        link = self.flow.link
        self.assertRaises(ValueError, link, self.a, self.b, decider=7)
        self.assertRaises(
            ValueError, link, self.a, self.b, decider_depth='flow'
        )
        self.assertRaises(
            ValueError, link, self.a, self.b, bool, decider_depth='far'
        )
        self.assertEqual({'reasons': {'x'}}, self.meta(self.a, self.b))


class TargetedFlowTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.tasks = [
            work('a', '', 'x'),
            work('b', 'x', 'y'),
            work('c', 'q', 'z'),
            work('d', 'yz'),
        ]
        self.flow = graph_flow.TargetedFlow('f').add(*self.tasks)

    def test_only_what_leads_to_the_target_is_there(self):
        self.flow.set_target(self.tasks[1])
        self.assertEqual('a b', names(self.flow))
        self.assertEqual(2, len(self.flow))
        self.assertEqual({('a', 'b'): 'x'}, links(self.flow))
        self.assertEqual(frozenset(), self.flow.requires)
        self.assertEqual({'x', 'y'}, self.flow.provides)

    def test_without_a_target_everything_is(self):
        self.assertEqual(4, len(self.flow))
        self.flow.set_target(self.tasks[1])
        self.flow.reset_target()
        self.assertEqual('a c b d', names(self.flow))
        self.assertEqual({'q'}, self.flow.requires)

    def test_links_and_children_may_come_later(self):
        self.flow.set_target(self.tasks[1])
        extra = work('extra', 'x')
        self.flow.add(extra)
        self.assertEqual('a b', names(self.flow))
        self.flow.link(extra, self.tasks[1])
        self.assertEqual('a extra b', names(self.flow))
        self.flow.set_target(extra)
        self.assertEqual('a extra', names(self.flow))

    def test_flows_around_see_the_target_change(self):
        outer = linear_flow.Flow('outer').add(self.flow)
        self.assertEqual({'q'}, outer.requires)
        self.flow.set_target(self.tasks[0])
        self.assertEqual(frozenset(), outer.requires)
        self.assertEqual({'x'}, outer.provides)

    def test_the_target_must_be_in_the_flow(self):
        self.assertRaises(ValueError, self.flow.set_target, work('other'))


class CostTest(base.BaseTestCase):
    def test_tasks_and_links_are_few_objects_for_the_collector(self):
        count = 200
        tasks = [
            Work(f't{n}', provides=f's{n}', requires=(f's{n - 1}',))
            for n in range(count)
        ]
        flow = graph_flow.Flow('f')
        gc.collect()
        before = len(gc.get_objects())
        flow.add(*tasks)
        gc.collect()
        self.assertLess(len(gc.get_objects()) - before, 2 * count + 50)
