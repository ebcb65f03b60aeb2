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

"""From flows to nodes, edges and candidate providers."""

from __future__ import annotations

from oslotest import base

from taskflow_service import flow as flow_mod
from taskflow_service import retry
from taskflow_service import task
from taskflow_service.patterns import graph_flow
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow
from taskflow_service.plan import compiler
from taskflow_service.plan import plan as plan_mod

Kind = plan_mod.Kind


class Step(task.Task):
    def execute(self, x=None):
        return self.name


def step(name, provides=None):
    return Step(name, provides=provides)


def providers(plan, name):
    """Who may provide the argument of a step, nearest first."""
    found = []
    cell = plan.arguments[plan.node_of[name]][0]
    while cell is not None:
        node, _key, cell = cell
        found.append(plan.name_of(node))
    return found


class ShapeTest(base.BaseTestCase):
    def test_a_single_task(self):
        plan = compiler.compile(step('a'))
        self.assertEqual(1, len(plan))
        self.assertEqual([0], list(plan.atoms()))

    def test_unordered_flows_in_a_row_have_few_edges(self):
        root = linear_flow.Flow('f')
        for number in range(10):
            inner = unordered_flow.Flow(f'{number}')
            root.add(inner.add(*[step(f'{number}.{n}') for n in range(100)]))
        plan = compiler.compile(root)
        edges = sum(map(len, plan.successors))
        self.assertLess(edges, 10 * 100 * 2 + 50)
        self.assertEqual(edges, sum(map(len, plan.predecessors)))

    def test_a_flow_is_a_range(self):
        inner = linear_flow.Flow('inner', retry.Times(name='times'))
        root = linear_flow.Flow('f').add(
            step('a'), inner.add(step('b'), step('c')), step('d')
        )
        plan = compiler.compile(root)
        region = plan.region(plan.node_of['times'])
        self.assertEqual(
            ['times', 'b', 'c'],
            [plan.name_of(node) for node in region if plan.is_atom(node)],
        )
        self.assertIs(Kind.END, plan.kinds[region[-1]])
        self.assertEqual(range(len(plan)), plan.region(-1))

    def test_who_controls_whom(self):
        inner = linear_flow.Flow('inner', retry.Times(name='r2'))
        root = linear_flow.Flow('f', retry.Times(name='r1')).add(
            step('a'), inner.add(step('b'))
        )
        plan = compiler.compile(root)
        names = {
            name: plan.name_of(plan.retry_of[node])
            for name, node in plan.node_of.items()
            if plan.retry_of[node] >= 0
        }
        self.assertEqual({'a': 'r1', 'r2': 'r1', 'b': 'r2'}, names)

    def test_a_flow_of_another_kind(self):
        class Backwards(flow_mod.Flow):
            """Known by nothing but what every flow shows."""

            def __init__(self, name, *items):
                super().__init__(name)
                self.items = items

            def add(self, *items):
                raise NotImplementedError

            def __len__(self):
                return len(self.items)

            def __iter__(self):
                return reversed(self.items)

            def iter_nodes(self):
                for item in self:
                    yield item, {}

            def iter_links(self):
                items = list(self)
                for before, after in zip(items, items[1:], strict=False):
                    yield before, after, {}

            @property
            def requires(self):
                return frozenset()

            @property
            def provides(self):
                return frozenset()

        plan = compiler.compile(Backwards('b', step('last'), step('first')))
        first, last = plan.node_of['first'], plan.node_of['last']
        self.assertEqual((last,), plan.successors[first])

    def test_only_what_leads_to_the_target_is_compiled(self):
        a, b, c = step('a'), step('b'), step('c')
        flow = graph_flow.TargetedFlow('f').add(a, b, c).link(a, b)
        flow.set_target(b)
        self.assertEqual({'a', 'b'}, set(compiler.compile(flow).node_of))


class EntriesTest(base.BaseTestCase):
    def entries(self, flow):
        plan = compiler.compile(linear_flow.Flow('root').add(flow))
        begin = next(
            node
            for node, kind in enumerate(plan.kinds)
            if kind is Kind.BEGIN and plan.items[node] is flow
        )
        return [plan.name_of(node) for node in plan.entries(begin)]

    def test_of_a_nested_flow(self):
        inner = unordered_flow.Flow('inner').add(step('a'), step('b'))
        flow = linear_flow.Flow('f').add(inner, step('c'))
        self.assertEqual(['a', 'b'], sorted(self.entries(flow)))

    def test_of_one_with_a_retry(self):
        flow = linear_flow.Flow('f', retry.Times(name='r')).add(step('a'))
        self.assertEqual(['r'], self.entries(flow))

    def test_behind_an_empty_flow(self):
        flow = linear_flow.Flow('f').add(linear_flow.Flow('e'), step('a'))
        self.assertEqual(['a'], self.entries(flow))

    def test_not_what_comes_after_something_else_too(self):
        empty, a, b = linear_flow.Flow('e'), step('a'), step('b')
        flow = graph_flow.Flow('f').add(empty, a, b)
        flow.link(empty, b).link(a, b)
        self.assertEqual(['a'], self.entries(flow))


class ScopeTest(base.BaseTestCase):
    def test_the_nearest_before_comes_first(self):
        plan = compiler.compile(
            linear_flow.Flow('f').add(
                step('a', 'x'), step('b', 'x'), step('c'), step('d', 'x')
            )
        )
        self.assertEqual(['b', 'a'], providers(plan, 'c'))
        self.assertEqual([], providers(plan, 'a'))

    def test_what_runs_side_by_side_is_not_seen(self):
        flow = unordered_flow.Flow('u').add(step('a', 'x'), step('b', 'x'))
        plan = compiler.compile(linear_flow.Flow('f').add(flow, step('c')))
        self.assertEqual([], providers(plan, 'b'))
        self.assertEqual(['b', 'a'], providers(plan, 'c'))

    def test_of_a_graph_what_leads_there_is_seen(self):
        a, b, c, d = (step(name, 'x') for name in 'abcd')
        flow = graph_flow.Flow('g').add(a, b, c, d).link(a, c).link(c, d)
        plan = compiler.compile(flow)
        self.assertEqual(['a'], providers(plan, 'c'))
        self.assertEqual(['c', 'a'], providers(plan, 'd'))
        self.assertEqual([], providers(plan, 'b'))

    def test_the_inner_flow_before_the_outer_and_its_retry_between(self):
        controller = retry.Times(name='r', provides='x')
        inner = linear_flow.Flow('inner', controller)
        inner.add(step('b', 'x'), step('c'))
        plan = compiler.compile(
            linear_flow.Flow('f').add(step('a', 'x'), inner)
        )
        self.assertEqual(['b', 'r', 'a'], providers(plan, 'c'))

    def test_nothing_is_seen_through_a_door(self):
        # What an unordered sibling of a whole branch provides is not seen
        # deep inside of it either.
        deep = linear_flow.Flow('deep').add(
            linear_flow.Flow('deeper').add(step('c'))
        )
        plan = compiler.compile(
            unordered_flow.Flow('f').add(step('a', 'x'), deep)
        )
        self.assertEqual([], providers(plan, 'c'))
