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

"""What all flows have in common."""

from __future__ import annotations

from oslotest import base

from taskflow_service import flow
from taskflow_service import retry
from taskflow_service import task
from taskflow_service.patterns import graph_flow
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow


class Take(task.Task):
    def execute(self, x):
        pass


class Give(task.Task):
    default_provides = 'x'

    def execute(self):
        pass


class Own(flow.Flow):
    """A pattern of somebody else's."""

    requires = frozenset(['x'])

    def __init__(self, name, items):
        super().__init__(name)
        self.items = items

    def add(self, *items):
        self.items.extend(items)
        return self

    def __len__(self):
        return len(self.items)

    def __iter__(self):
        return iter(self.items)

    def iter_links(self):
        return iter(())

    def iter_nodes(self):
        return ((item, {}) for item in self.items)


PATTERNS = (
    linear_flow.Flow,
    unordered_flow.Flow,
    graph_flow.Flow,
    graph_flow.TargetedFlow,
)


class FlowTest(base.BaseTestCase):
    def test_a_flow_says_what_it_is(self):
        made = linear_flow.Flow('boot').add(Give())
        self.assertEqual('boot', made.name)
        self.assertEqual('"linear_flow.Flow: boot(len=1)"', str(made))
        with self.assertRaises(AttributeError):
            made.name = 'other'

    def test_a_new_flow_is_empty(self):
        for pattern in PATTERNS:
            made = pattern('empty')
            self.assertEqual(0, len(made))
            self.assertEqual([], list(made))
            self.assertEqual([], list(made.iter_nodes()))
            self.assertEqual([], list(made.iter_links()))
            self.assertEqual(frozenset(), made.requires)
            self.assertEqual(frozenset(), made.provides)
            self.assertIsNone(made.retry)

    def test_add_can_be_chained(self):
        for pattern in PATTERNS:
            give, take = Give(), Take()
            made = pattern('chain').add(give).add(take)
            self.assertEqual({give, take}, set(made))

    def test_the_same_object_is_in_only_once(self):
        for pattern in PATTERNS:
            give = Give()
            self.assertEqual(1, len(pattern('once').add(give, give)))

    def test_a_flow_cannot_hold_nothing(self):
        for pattern in PATTERNS:
            self.assertRaises(ValueError, pattern('none').add, None)

    def test_a_flow_cannot_hold_itself(self):
        for pattern in PATTERNS:
            made = pattern('self')
            self.assertRaises(ValueError, made.add, made)
            self.assertEqual(0, len(made))

    def test_a_flow_cannot_hold_itself_further_down(self):
        inner, outer = linear_flow.Flow('inner'), linear_flow.Flow('outer')
        inner.add(outer.add(inner))
        self.assertRaises(ValueError, lambda: outer.requires)

    def test_the_controller_comes_before_the_children(self):
        for pattern in PATTERNS:
            made = pattern('f', retry.Times(3, provides='x')).add(Take())
            self.assertEqual(frozenset(), made.requires)
            self.assertEqual({'x'}, made.provides)
            made = pattern('f', retry.ParameterizedForEach()).add(
                Give(provides='values')
            )
            self.assertEqual({'values'}, made.requires)
            self.assertEqual(1, len(made))

    def test_other_kinds_of_flows_can_be_nested(self):
        for pattern in PATTERNS:
            own = Own('own', [Give(provides='y')])
            made = pattern('f').add(own)
            self.assertEqual({'x'}, made.requires)
            self.assertEqual({'y'}, made.provides)
        self.assertEqual('Own', str(own).split(':')[0].split('.')[-1])
