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

"""Links and nodes that flows tell of, with retries and deciders."""

from taskflow import deciders
from taskflow import retry
from taskflow import task
from taskflow.patterns import graph_flow
from taskflow.patterns import linear_flow
from taskflow.patterns import unordered_flow


class T(task.Task):
    def execute(self, **kwargs):
        pass


def yes(history):
    return True


for kind in (linear_flow, unordered_flow, graph_flow):
    flow = kind.Flow('f', retry=retry.AlwaysRevert('r')).add(T('a'), T('b'))
    print([(u.name, v.name, dict(meta)) for u, v, meta in flow.iter_links()])
    print([(node.name, dict(meta)) for node, meta in flow.iter_nodes()])
    print([item.name for item in flow], len(flow), flow.retry.name)
a, b = T('a', provides='x'), T('b', requires=['x'])
flow = graph_flow.Flow('g').add(a, b)
flow.link(a, b, decider=yes, decider_depth=deciders.Depth.FLOW)
for u, v, meta in flow.iter_links():
    print(
        u.name,
        v.name,
        sorted(meta),
        meta['reasons'],
        meta['decider'] is yes,
        meta['decider_depth'],
    )
