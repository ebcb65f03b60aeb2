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

"""How far a no reaches."""

from taskflow import deciders
from taskflow import engines
from taskflow import task
from taskflow.patterns import graph_flow
from taskflow.patterns import linear_flow


class T(task.Task):
    def execute(self, **kwargs):
        return self.name


def run(depth):
    a, b, c = (T(name) for name in ('a', 'b', 'c'))
    sub = linear_flow.Flow('sub').add(T('s1'), T('s2'))
    flow = graph_flow.Flow('f').add(a, b, c, sub)
    flow.link(a, b, decider=lambda history: False, decider_depth=depth)
    flow.link(b, c)
    flow.link(c, sub)
    outer = linear_flow.Flow('outer').add(T('first'), flow, T('last'))
    engine = engines.load(outer)
    engine.run()
    print(
        depth,
        [
            (name, engine.storage.get_atom_state(name))
            for name in ('first', 'a', 'b', 'c', 's1', 's2', 'last')
        ],
    )


for depth in deciders.Depth:
    run(depth)
print(
    [
        deciders.Depth.translate(text)
        for text in ('all', 'Flow', 'NEIGHBORS', 'atom')
    ]
)
for wrong in ('nonsense', 5):
    try:
        print(deciders.Depth.translate(wrong))
    except (ValueError, TypeError) as error:
        print(type(error).__name__)
print(
    deciders.pick_widest([deciders.Depth.ATOM, deciders.Depth.FLOW]),
    deciders.pick_widest([deciders.Depth.NEIGHBORS, deciders.Depth.ALL]),
)
print(list(deciders.Depth))
