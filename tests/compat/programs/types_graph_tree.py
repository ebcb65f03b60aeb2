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

"""Graphs, trees, timeouts, latches and entities."""

from taskflow.types import entity
from taskflow.types import graph
from taskflow.types import latch
from taskflow.types import timing
from taskflow.types import tree


def attempt(what, *args, **kwargs):
    try:
        print(what(*args, **kwargs))
    except Exception as error:
        print(type(error).__name__)


root = tree.Node('a', k=1)
b, c, d, e = (tree.Node(name) for name in 'bcde')
root.add(b)
root.add(c)
b.add(d)
b.add(e)
print([n.item for n in root.dfs_iter()], [n.item for n in root.bfs_iter()])
print([n.item for n in root.dfs_iter(include_self=True, right_to_left=False)])
print(
    [n.item for n in d.path_iter()],
    root.find('d') is d,
    root.find('d', only_direct=True),
    root.child_count(only_direct=False),
)
print(root.pformat())
print(
    root.pformat(
        stringify_node=lambda node: node.item.upper(), starting_prefix='>'
    )
)
attempt(root.index, 'c')
attempt(root.index, 'x')
attempt(root.remove, 'x')
print(d.disassociate(), root.child_count(only_direct=False))
print(sorted(root.to_digraph().nodes), len(root.to_digraph().edges))
root.freeze()
try:
    root.add(tree.Node('z'))
except tree.FrozenNode:
    print('FrozenNode')

made = graph.DiGraph(name='g')
made.add_node(1, attr_dict={'x': 1})
made.add_edge(1, 2)
made.add_edge(2, 3)
made.add_edge(1, 3)
print(made.pformat())
print(
    list(made.topological_sort()),
    made.is_directed_acyclic(),
    list(made.no_successors_iter()),
    list(made.no_predecessors_iter()),
    list(made.bfs_predecessors_iter(3)),
    made.get_edge_data(9, 8),
)
print(made.export_to_dot())
print(made.freeze() is made, made.frozen)
try:
    made.add_node(5)
except Exception as error:
    print(type(error).__name__)
one, two = graph.DiGraph(name='one'), graph.DiGraph(name='two')
one.add_edge(1, 2)
two.add_edge(2, 3)
attempt(graph.merge_graphs, one, two)
merged = graph.merge_graphs(one, two, allow_overlaps=True)
print(merged.name, list(merged.edges))
timeout = timing.Timeout(0.01)
timeout.wait()
print(timeout.value, timeout.is_stopped())
timeout.interrupt()
print(timeout.is_stopped())
for value in (None, 1, -1, 'x', '2'):
    try:
        print(timing.convert_to_timeout(value).value)
    except ValueError:
        print('ValueError')
gate = latch.Latch(2)
gate.countdown()
print(gate.needed, gate.wait(0.01))
gate.countdown()
print(gate.needed, gate.wait(0.01))
attempt(latch.Latch, 0)
print(sorted(entity.Entity('kind', 'name', {'m': 1}).to_dict().items()))
