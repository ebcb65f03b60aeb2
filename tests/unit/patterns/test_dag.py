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

"""A graph that stays free of cycles."""

from __future__ import annotations

from oslotest import base

from taskflow_service.patterns import dag


class DagTest(base.BaseTestCase):
    def graph(self, size, *edges):
        made = dag.Dag()
        for _ in range(size):
            made.add_node()
        for source, target in edges:
            made.add_edge(source, target, None)
        return made

    def test_the_order_follows_the_edges_in_generations(self):
        graph = self.graph(6, (3, 1), (1, 0), (3, 2), (5, 0))
        self.assertEqual([3, 4, 5, 1, 2, 0], list(graph.in_order()))
        self.assertEqual([3, 1], list(graph.in_order({1, 3})))

    def test_a_cycle_is_found_whatever_the_order_was(self):
        graph = self.graph(5, (4, 3), (2, 1), (1, 4), (3, 0))
        for source, target in ((0, 2), (3, 1), (4, 2), (2, 2)):
            self.assertRaises(dag.Cycle, graph.add_edge, source, target, None)
        graph.add_edge(2, 0, None)
        self.assertEqual([2, 1, 4, 3, 0], list(graph.in_order()))

    def test_an_edge_can_get_another_label(self):
        graph = self.graph(2, (0, 1))
        graph.add_edge(0, 1, 'label')
        self.assertEqual({0: {1: 'label'}}, graph.successors)

    def test_what_leads_where(self):
        graph = self.graph(6, (0, 1), (1, 2), (0, 3), (4, 2))
        self.assertEqual({1, 2, 3}, graph.descendants([0]))
        self.assertEqual({0, 1, 4}, graph.ancestors([2]))
        self.assertTrue(graph.leads([0], 2, below=6))
        self.assertFalse(graph.leads([0], 2, below=1))
        self.assertFalse(graph.leads([3, 2], 2, below=6))

    def test_the_last_nodes_can_be_dropped(self):
        graph = self.graph(4, (0, 1), (2, 1), (1, 3), (2, 3))
        graph.drop_nodes(2)
        self.assertEqual(2, len(graph))
        self.assertEqual({0: {1: None}}, graph.successors)
        self.assertEqual({1: {0: None}}, graph.predecessors)
        self.assertEqual(2, graph.add_node())
        graph.add_edge(1, 2, None)
        self.assertRaises(dag.Cycle, graph.add_edge, 2, 0, None)
