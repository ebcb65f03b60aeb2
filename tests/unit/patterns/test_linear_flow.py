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

"""One after the other."""

from __future__ import annotations

from oslotest import base

from taskflow_service import task
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow


class Take(task.Task):
    def execute(self, x):
        pass


class Give(task.Task):
    default_provides = 'x'

    def execute(self):
        pass


class LinearFlowTest(base.BaseTestCase):
    def test_the_order_is_that_of_addition(self):
        tasks = [Take('b'), Give('c'), Take('a')]
        made = linear_flow.Flow('f').add(*tasks)
        self.assertEqual(tasks, list(made))
        self.assertEqual([(t, {}) for t in tasks], list(made.iter_nodes()))
        self.assertEqual(
            [
                (tasks[0], tasks[1], {'invariant': True}),
                (tasks[1], tasks[2], {'invariant': True}),
            ],
            list(made.iter_links()),
        )

    def test_one_added_again_stays_in_place(self):
        first, second = Take('first'), Take('second')
        made = linear_flow.Flow('f').add(first, second).add(first)
        self.assertEqual([first, second], list(made))

    def test_children_see_what_those_before_them_provide(self):
        self.assertEqual(
            frozenset(), linear_flow.Flow('f').add(Give(), Take()).requires
        )
        made = linear_flow.Flow('f').add(Take(), Give())
        self.assertEqual({'x'}, made.requires)
        self.assertEqual({'x'}, made.provides)


class UnorderedFlowTest(base.BaseTestCase):
    def test_there_are_no_links(self):
        tasks = [Take('b'), Give('c'), Take('a')]
        made = unordered_flow.Flow('f').add(*tasks)
        self.assertEqual(tasks, list(made))
        self.assertEqual([(t, {}) for t in tasks], list(made.iter_nodes()))
        self.assertEqual([], list(made.iter_links()))

    def test_children_do_not_see_each_other(self):
        made = unordered_flow.Flow('f').add(Give(), Take())
        self.assertEqual({'x'}, made.requires)
        self.assertEqual({'x'}, made.provides)
