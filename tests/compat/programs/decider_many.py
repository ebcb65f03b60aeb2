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

"""Several deciders on one task, and deciders on flows."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import graph_flow
from taskflow.patterns import linear_flow


class T(task.Task):
    def execute(self):
        return self.name


def says(answer):
    def decide(history):
        return answer

    return decide


def run(first, second):
    a, b, c, d = (T(name) for name in 'abcd')
    flow = graph_flow.Flow('f').add(a, b, c, d)
    flow.link(a, c, decider=says(first), decider_depth='atom')
    flow.link(b, c, decider=says(second), decider_depth='all')
    flow.link(c, d)
    engine = engines.load(flow)
    engine.run()
    print(
        first,
        second,
        [(name, engine.storage.get_atom_state(name)) for name in 'abcd'],
    )


for first in (True, False):
    for second in (True, False):
        run(first, second)

seen = []


def look(history):
    seen.append(sorted(history.items()))
    return len(history) > 5


x = linear_flow.Flow('x').add(T('x1'), T('x2'))
y = linear_flow.Flow('y').add(T('y1'), T('y2'))
flow = graph_flow.Flow('f').add(x, y)
flow.link(x, y, decider=look)
engine = engines.load(flow)
engine.run()
print(len(seen))
print(
    [
        (name, engine.storage.get_atom_state(name))
        for name in ('x1', 'x2', 'y1', 'y2')
    ]
)
