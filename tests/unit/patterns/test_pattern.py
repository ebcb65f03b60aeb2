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

"""What nested flows require and provide, also when they change later."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref

from oslotest import base

from taskflow_service import exceptions
from taskflow_service import task
from taskflow_service.patterns import graph_flow
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow

DEEP = 3000


class Work(task.Task):
    def execute(self, x):
        pass


def work(name, requires, provides=()):
    return Work(name, provides=provides, rebind={'x': requires})


class ChangesTest(base.BaseTestCase):
    def test_a_nested_flow_may_grow_after_it_was_added(self):
        for pattern in (
            linear_flow.Flow,
            unordered_flow.Flow,
            graph_flow.Flow,
        ):
            inner = linear_flow.Flow('inner')
            outer = linear_flow.Flow('outer').add(pattern('middle').add(inner))
            self.assertEqual(frozenset(), outer.requires)
            inner.add(work('one', 'a', 'b'))
            self.assertEqual({'a'}, outer.requires)
            self.assertEqual({'b'}, outer.provides)
            inner.add(work('two', 'c'))
            self.assertEqual({'a', 'c'}, outer.requires)

    def test_what_is_no_longer_required_is_not(self):
        inner = graph_flow.Flow('inner').add(work('one', 'a'))
        outer = graph_flow.Flow('outer').add(inner)
        self.assertEqual({'a'}, outer.requires)
        inner.add(work('two', 'b', 'a'))
        self.assertEqual({'b'}, outer.requires)
        self.assertEqual({'a'}, outer.provides)

    def test_a_graph_flow_resolves_by_what_a_nested_flow_has_now(self):
        inner = linear_flow.Flow('inner')
        outer = graph_flow.Flow('outer').add(inner)
        inner.add(work('one', 'a', 'b'))
        outer.add(work('before', 'z', 'a'), work('after', 'b'))
        self.assertEqual(
            ['before', 'inner', 'after'], [item.name for item in outer]
        )

    def test_a_flow_may_be_in_several(self):
        inner = linear_flow.Flow('inner')
        outers = [linear_flow.Flow(str(n)).add(inner) for n in range(3)]
        self.assertEqual([frozenset()] * 3, [f.requires for f in outers])
        inner.add(work('one', 'a'))
        self.assertEqual([{'a'}] * 3, [set(f.requires) for f in outers])

    def test_a_flow_does_not_keep_alive_those_that_it_was_added_to(self):
        inner = linear_flow.Flow('inner')
        outer = weakref.ref(linear_flow.Flow('outer').add(inner))
        gc.collect()
        self.assertIsNone(outer())
        inner.add(work('one', 'a'))

    def test_copies_change_on_their_own(self):
        inner = linear_flow.Flow('inner').add(work('one', 'a'))
        outer = linear_flow.Flow('outer').add(inner)
        self.assertEqual({'a'}, outer.requires)
        for twin in (
            copy.deepcopy(outer),
            pickle.loads(pickle.dumps(outer)),
        ):
            (nested,) = twin
            nested.add(work('two', 'b'))
            self.assertEqual({'a', 'b'}, twin.requires)
        self.assertEqual({'a'}, outer.requires)

    def test_a_failed_add_leaves_no_trace(self):
        inner = linear_flow.Flow('inner').add(work('one', 'a', 'b'))
        outer = graph_flow.Flow('outer').add(work('two', 'b', 'a'))
        self.assertRaises(exceptions.DependencyFailure, outer.add, inner)
        inner.add(work('three', 'c'))
        self.assertEqual({'b'}, outer.requires)
        self.assertEqual(1, len(outer))


class DepthTest(base.BaseTestCase):
    def test_nesting_is_deeper_than_the_stack(self):
        for pattern in (
            linear_flow.Flow,
            unordered_flow.Flow,
            graph_flow.Flow,
        ):
            innermost = made = linear_flow.Flow('0')
            for depth in range(1, DEEP):
                made = pattern(str(depth)).add(made)
            self.assertEqual(frozenset(), made.requires)
            innermost.add(work('one', 'a', 'b'))
            self.assertEqual({'a'}, made.requires)
            self.assertEqual({'b'}, made.provides)
