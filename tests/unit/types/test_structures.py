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

"""Graphs, trees, latches and timeouts, as TaskFlow's users know them."""

from __future__ import annotations

import threading

import networkx as nx
from oslotest import base

from taskflow_service.types import entity
from taskflow_service.types import graph
from taskflow_service.types import latch
from taskflow_service.types import timing
from taskflow_service.types import tree


class DiGraphTest(base.BaseTestCase):
    """A directed graph that can be walked, frozen and shown."""

    def setUp(self) -> None:
        super().setUp()
        self.graph = graph.DiGraph(name='g')
        self.graph.add_node('b', {'k': 1})
        self.graph.add_edge('a', 'b', {'w': 2})
        self.graph.add_edge('b', 'c', w=3)

    def test_walks(self) -> None:
        self.assertEqual(['a', 'b', 'c'], list(self.graph.topological_sort()))
        self.assertEqual(['c'], list(self.graph.no_successors_iter()))
        self.assertEqual(['a'], list(self.graph.no_predecessors_iter()))
        self.assertEqual(
            ['b', 'a'], list(self.graph.bfs_predecessors_iter('c'))
        )
        self.assertTrue(self.graph.is_directed_acyclic())

    def test_edge_data_is_a_copy(self) -> None:
        self.graph.get_edge_data('a', 'b')['w'] = 9
        self.assertEqual({'w': 2}, self.graph.get_edge_data('a', 'b'))
        self.assertEqual(5, self.graph.get_edge_data('a', 'z', default=5))

    def test_frozen_one_cannot_be_changed(self) -> None:
        self.assertFalse(self.graph.frozen)
        self.assertIs(self.graph, self.graph.freeze())
        self.assertTrue(self.graph.frozen)
        self.assertRaises(nx.NetworkXError, self.graph.add_node, 'd')
        self.assertRaises(nx.NetworkXError, self.graph.add_edge, 'c', 'a')
        self.assertFalse(self.graph.fresh_copy().frozen)

    def test_text_shows_nodes_edges_and_cycles(self) -> None:
        self.graph.add_edge('c', 'a')
        self.assertEqual(
            [
                'Name: g',
                'Type: DiGraph',
                'Frozen: False',
                'Density: 0.500',
                'Nodes: 3',
                "  - b ({'k': 1})",
                '  - a',
                '  - c',
                'Edges: 3',
                "  b -> c ({'w': 3})",
                "  a -> b ({'w': 2})",
                '  c -> a',
                'Cycles: 1',
                '  b --> c --> a --> b',
            ],
            self.graph.pformat().splitlines(),
        )

    def test_dot_quotes_what_dot_does_not_take(self) -> None:
        made = graph.DiGraph()
        made.add_edge('a task', 'say "hi"', reason='x y')
        made.add_node('node')
        self.assertEqual(
            'strict digraph {\n'
            '"a task";\n'
            '"say \\"hi\\"";\n'
            '"node";\n'
            '"a task" -> "say \\"hi\\"" [reason="x y"];\n'
            '}\n',
            made.export_to_dot(),
        )

    def test_merge(self) -> None:
        other = graph.OrderedDiGraph()
        other.add_edge('x', 'y')
        merged = graph.merge_graphs(self.graph, other)
        self.assertEqual(('g', 5), (merged.name, len(merged)))
        self.assertEqual(3, len(self.graph))
        self.assertRaises(ValueError, graph.merge_graphs, other, other)
        graph.merge_graphs(other, other, allow_overlaps=True)
        graph.merge_graphs(other, other, overlap_detector=lambda a, b: 0)


class UndirectedGraphTest(base.BaseTestCase):
    """A graph whose edges have no direction."""

    def test_text_and_dot(self) -> None:
        made = graph.OrderedGraph(name='u')
        made.add_edge(1, 2)
        self.assertIn('  1 <-> 2', made.pformat())
        self.assertEqual(
            'strict graph "u" {\n1;\n2;\n1 -- 2;\n}\n', made.export_to_dot()
        )


class TreeTest(base.BaseTestCase):
    """A tree of things."""

    def setUp(self) -> None:
        super().setUp()
        self.root = tree.Node('root', kind='x')
        self.a, self.b, self.c = (tree.Node(item) for item in 'abc')
        self.root.add(self.a)
        self.root.add(self.b)
        self.a.add(self.c)

    def _items(self, nodes: object) -> str:
        return ' '.join(node.item for node in nodes)  # type: ignore[attr-defined]

    def test_orders(self) -> None:
        root = self.root
        for expected, nodes in (
            ('a b', root),
            ('b a', root.reverse_iter()),
            ('a c b', root.dfs_iter()),
            ('root a c b', root.dfs_iter(include_self=True)),
            ('b a c', root.dfs_iter(right_to_left=False)),
            ('b a c', root.bfs_iter()),
            ('a b c', root.bfs_iter(right_to_left=True)),
            ('c a root', self.c.path_iter()),
            ('a root', self.c.path_iter(include_self=False)),
        ):
            self.assertEqual(expected, self._items(nodes))

    def test_find(self) -> None:
        self.assertIs(self.c, self.root.find('c'))
        self.assertIsNone(self.root.find('c', only_direct=True))
        self.assertIs(self.root, self.root.find('root'))
        self.assertIsNone(self.root.find('root', include_self=False))
        self.assertIn('c', self.root)
        self.assertEqual(1, self.root.index('b'))
        self.assertRaises(ValueError, self.root.index, 'c')
        self.assertEqual(2, self.root.child_count())
        self.assertEqual(3, self.root.child_count(only_direct=False))

    def test_remove(self) -> None:
        self.assertIs(self.c, self.root.remove('c'))
        self.assertIsNone(self.c.parent)
        self.assertTrue(self.a.empty())
        self.assertEqual(1, self.b.disassociate())
        self.assertEqual(0, self.b.disassociate())
        self.assertRaises(ValueError, self.root.remove, 'b')

    def test_frozen_one_cannot_be_changed(self) -> None:
        self.root.freeze()
        self.assertTrue(self.c.frozen)
        self.assertRaises(tree.FrozenNode, self.a.add, tree.Node('z'))
        self.assertRaises(tree.FrozenNode, self.root.remove, 'a')
        self.assertRaises(tree.FrozenNode, self.c.disassociate)

    def test_circle_is_refused(self) -> None:
        self.assertRaises(ValueError, self.c.add, self.root)
        self.assertRaises(ValueError, self.c.add, self.c)

    def test_text(self) -> None:
        self.assertEqual(
            ['root', '|__a', '|  |__c', '|__b'],
            self.root.pformat().splitlines(),
        )

    def test_graph(self) -> None:
        made = self.root.to_digraph()
        self.assertEqual(
            [('root', 'a'), ('root', 'b'), ('a', 'c')], list(made.edges)
        )
        self.assertEqual({'kind': 'x'}, made.nodes['root'])

    def test_as_deep_as_one_likes(self) -> None:
        leaf = self.c
        for number in range(5000):
            below = tree.Node(number)
            leaf.add(below)
            leaf = below
        self.assertEqual(5003, self.root.child_count(only_direct=False))
        self.assertIs(leaf, self.root.find(4999))
        self.root.freeze()


class TimingTest(base.BaseTestCase):
    """Waits that can be cut short, gates that open by counting."""

    def test_interrupted_timeout_does_not_wait(self) -> None:
        timeout = timing.Timeout(3600)
        timeout.interrupt()
        self.assertTrue(timeout.wait())
        timeout.reset()
        self.assertFalse(timeout.is_stopped())
        self.assertRaises(ValueError, timing.Timeout, -1)

    def test_convert(self) -> None:
        timeout = timing.Timeout(1)
        convert = timing.convert_to_timeout
        self.assertIs(timeout, convert(timeout))
        self.assertEqual(2.0, convert(None, default_value=2).value)
        self.assertEqual(1.5, convert('1.5').value)
        self.assertRaises(ValueError, convert)
        self.assertRaises(ValueError, convert, 'soon')

    def test_latch_opens_at_zero(self) -> None:
        gate = latch.Latch(2)
        opened: list[bool] = []
        thread = threading.Thread(target=lambda: opened.append(gate.wait(60)))
        thread.start()
        gate.countdown()
        self.assertEqual(1, gate.needed)
        self.assertFalse(gate.wait(0))
        gate.countdown()
        thread.join(10)
        gate.countdown()
        self.assertEqual(([True], 0), (opened, gate.needed))
        self.assertRaises(ValueError, latch.Latch, 0)

    def test_entity_is_plain_data(self) -> None:
        self.assertEqual(
            {'kind': 'worker', 'name': 'w', 'metadata': {'a': 1}},
            entity.Entity('worker', 'w', {'a': 1}).to_dict(),
        )
