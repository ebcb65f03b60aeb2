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

"""Random graph flows against a model that knows nothing but the rules.

The model looks at everything again for every question: that is what makes it
slow, and right.
"""

from __future__ import annotations

import dataclasses

import hypothesis
from hypothesis import strategies as st
from oslotest import base

from taskflow_service import exceptions
from taskflow_service import retry
from taskflow_service import task
from taskflow_service.patterns import dag
from taskflow_service.patterns import graph_flow
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow

SYMBOLS = 'uvwxyz'


class Work(task.Task):
    def execute(self, **kwargs):
        pass


@dataclasses.dataclass
class Child:
    """What the model knows of a child."""

    name: str
    requires: frozenset
    provides: frozenset


class Model:
    """A graph flow as the documentation describes it."""

    def __init__(self, from_retry):
        self.from_retry = from_retry
        self.children = []
        self.links = {}

    def before(self, child):
        """Return everything that links bring before a child."""
        found = set()
        waiting = [child.name]
        while waiting:
            name = waiting.pop()
            for u, v in self.links:
                if v == name and u not in found:
                    found.add(u)
                    waiting.append(u)
        return [other for other in self.children if other.name in found]

    def unmet(self, child):
        """Return what a child requires and nothing before it provides."""
        met = set(self.from_retry)
        for other in self.before(child):
            met |= other.provides
        return child.requires - met

    def is_cyclic(self):
        return any(child in self.before(child) for child in self.children)

    def add(self, batch, resolve_requires, resolve_existing):
        children, links = list(self.children), dict(self.links)
        unmet = {c.name: self.unmet(c) for c in self.children}
        for child in batch:
            if resolve_requires:
                self.resolve(child, unmet)
            if resolve_existing:
                self.serve(child, unmet)
            self.children.append(child)
        if self.is_cyclic():
            self.children, self.links = children, links
            raise exceptions.DependencyFailure('cycle')

    def resolve(self, child, unmet):
        unmet[child.name] = set()
        for symbol in child.requires - self.from_retry:
            providers = [c for c in self.children if symbol in c.provides]
            if len(providers) > 1:
                raise exceptions.AmbiguousDependency(symbol)
            if providers:
                self.link(providers[0], child, symbol)
            else:
                unmet[child.name].add(symbol)

    def serve(self, child, unmet):
        for other in self.children:
            for symbol in sorted(child.provides):
                if symbol in unmet.get(other.name, ()):
                    unmet[other.name] = unmet[other.name] - {symbol}
                    self.link(child, other, symbol)

    def link(self, u, v, *symbols):
        reasons = self.links.setdefault((u.name, v.name), set())
        reasons.update(symbols)

    def link_by_hand(self, u, v):
        links = dict(self.links)
        self.link(u, v)
        if self.is_cyclic():
            self.links = links
            raise exceptions.DependencyFailure('cycle')

    @property
    def requires(self):
        return frozenset().union(*map(self.unmet, self.children))

    @property
    def provides(self):
        provided = [child.provides for child in self.children]
        return self.from_retry.union(*provided)


symbols = st.frozensets(st.sampled_from(SYMBOLS), max_size=2)
few_symbols = st.frozensets(st.sampled_from(SYMBOLS), max_size=1)
kinds = st.sampled_from(['task', 'task', 'task', 'linear', 'unordered'])


@st.composite
def programs(draw):
    """Draw children, and the calls that build a flow of them."""
    size = draw(st.integers(1, 7))
    children = [
        (draw(kinds), draw(symbols), draw(symbols)) for _ in range(size)
    ]
    calls = []
    left = draw(st.permutations(range(size)))
    flag = st.sampled_from([True, True, True, False])
    while left:
        count = draw(st.integers(1, min(3, len(left))))
        calls.append(('add', left[:count], draw(flag), draw(flag)))
        left = left[count:]
        ends = st.tuples(st.integers(0, size - 1), st.integers(0, size - 1))
        for u, v in draw(st.lists(ends, max_size=2)):
            calls.append(('link', u, v))
    return children, draw(few_symbols), calls


def made(name, kind, requires, provides):
    """Make a child of a flow, and what the model knows of it."""
    work = Work(
        f'{name}-task', requires=sorted(requires), provides=sorted(provides)
    )
    if kind == 'linear':
        child = linear_flow.Flow(name).add(work)
    elif kind == 'unordered':
        child = unordered_flow.Flow(name).add(work)
    else:
        work.name = name
        child = work
    return child, Child(name, frozenset(requires), frozenset(provides))


def attempt(function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except exceptions.DependencyFailure:
        return 'refused'
    return 'done'


class GraphFlowTest(base.BaseTestCase):
    def compare(self, flow, model):
        self.assertEqual(model.requires, flow.requires)
        self.assertEqual(model.provides, flow.provides)
        self.assertEqual(len(model.children), len(flow))
        found = {
            (u.name, v.name): meta.get('reasons', set())
            for u, v, meta in flow.iter_links()
        }
        self.assertEqual(model.links, found)
        order = [item.name for item in flow]
        self.assertCountEqual([c.name for c in model.children], order)
        for u, v in found:
            self.assertLess(order.index(u), order.index(v))

    @hypothesis.settings(max_examples=2000, deadline=None)
    @hypothesis.given(programs())
    def test_a_flow_is_what_its_rules_say(self, program):
        children, from_retry, calls = program
        flow = graph_flow.Flow('f', retry.Times(2, provides=from_retry))
        model = Model(from_retry)
        pairs = [made(f'c{n}', *child) for n, child in enumerate(children)]
        for verb, *args in calls:
            if verb == 'add':
                chosen, *flags = args
                batch = [pairs[n] for n in chosen]
                state = list(model.children), dict(model.links)
                expected = attempt(model.add, [m for _, m in batch], *flags)
                if expected == 'refused':
                    model.children, model.links = state
                outcome = attempt(
                    flow.add,
                    *[child for child, _ in batch],
                    resolve_requires=flags[0],
                    resolve_existing=flags[1],
                )
            else:
                (u, in_u), (v, in_v) = pairs[args[0]], pairs[args[1]]
                if not {in_u.name, in_v.name} <= {
                    child.name for child in model.children
                }:
                    continue
                expected = attempt(model.link_by_hand, in_u, in_v)
                outcome = attempt(flow.link, u, v)
            self.assertEqual(expected, outcome)
            self.compare(flow, model)

    @hypothesis.settings(max_examples=500, deadline=None)
    @hypothesis.given(st.lists(st.tuples(symbols, symbols), max_size=6))
    def test_linear_and_unordered_flows_too(self, children):
        linear, unordered = linear_flow.Flow('l'), unordered_flow.Flow('u')
        requires, provides, anything = set(), set(), set()
        for n, (needs, gives) in enumerate(children):
            work = Work(
                f't{n}', requires=sorted(needs), provides=sorted(gives)
            )
            linear.add(work)
            unordered.add(work)
            requires |= needs - provides
            anything |= needs
            provides |= gives
        self.assertEqual(requires, linear.requires)
        self.assertEqual(anything, unordered.requires)
        self.assertEqual(provides, linear.provides)
        self.assertEqual(provides, unordered.provides)


class DagTest(base.BaseTestCase):
    @hypothesis.settings(max_examples=1000, deadline=None)
    @hypothesis.given(
        st.integers(2, 9).flatmap(
            lambda size: st.tuples(
                st.just(size),
                st.lists(
                    st.tuples(
                        st.integers(0, size - 1), st.integers(0, size - 1)
                    ),
                    max_size=25,
                ),
            )
        )
    )
    def test_exactly_the_edges_that_close_a_cycle_are_refused(self, drawn):
        size, edges = drawn
        graph = dag.Dag()
        for _ in range(size):
            graph.add_node()
        for source, target in edges:
            closes = source == target or source in graph.descendants([target])
            try:
                graph.add_edge(source, target, None)
                refused = False
            except dag.Cycle:
                refused = True
            self.assertEqual(closes, refused)
            order = list(graph.in_order())
            self.assertEqual(size, len(order))
            for before, after in graph.successors.items():
                for node in after:
                    self.assertLess(order.index(before), order.index(node))
