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

"""The compiled flow, as a graph and as a tree."""

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.patterns import graph_flow
from taskflow.patterns import linear_flow
from taskflow.patterns import unordered_flow


class T(task.Task):
    def execute(self, **kwargs):
        return 1


def show(flow):
    engine = engines.load(flow)
    engine.compile()
    graph = engine.compilation.execution_graph
    print(graph.name, graph.frozen, len(graph))
    for node, data in graph.nodes(data=True):
        print(
            node,
            node.name,
            type(node).__name__,
            data['kind'],
            data.get('noop'),
            str(data.get('retry')),
        )
    for u, v, data in graph.edges(data=True):
        print(
            u.name,
            '->',
            v.name,
            sorted(key for key in data),
            data.get('reasons'),
        )
    print(engine.compilation.hierarchy.pformat())
    for node in engine.compilation.hierarchy.dfs_iter(include_self=True):
        print(node.metadata['kind'], node.item.name)
    print(
        list(node.name for node in graph.topological_sort())[0],
        graph.is_directed_acyclic(),
        [node.name for node in graph.no_successors_iter()],
        [node.name for node in graph.no_predecessors_iter()],
    )


show(
    linear_flow.Flow('f', retry=retry.Times(2, 'r')).add(
        T('a', provides='ra'),
        linear_flow.Flow('empty'),
        unordered_flow.Flow('u').add(T('b'), T('c', requires=['ra'])),
        T('d'),
    )
)
g = graph_flow.Flow('g')
x, y = T('x'), T('y', provides='ry')
z = T('z', requires=['ry'])
sub = linear_flow.Flow('sub', retry=retry.AlwaysRevert('ar')).add(T('s'))
g.add(x, y, z, sub)
g.link(x, y, decider=lambda history: True, decider_depth='flow')
g.link(z, sub)
show(g)
show(T('alone'))
engine = engines.load(linear_flow.Flow('dot').add(T('one'), T('two')))
engine.compile()
print(
    engine.compilation.execution_graph.export_to_dot().replace(
        '"flow_end"', 'flow_end'
    )
)
