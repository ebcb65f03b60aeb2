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

"""What deciders may return, and be given."""

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.patterns import graph_flow
from taskflow.patterns import linear_flow


class T(task.Task):
    def execute(self):
        return self.name


def run(answer):
    a, b = T('a'), T('b')
    flow = graph_flow.Flow('f').add(a, b)
    flow.link(a, b, decider=lambda history: answer)
    engine = engines.load(flow)
    engine.run()
    print(repr(answer), engine.storage.get_atom_state('b'))


for answer in (1, 0, 'yes', '', None, [], [1]):
    run(answer)

seen = []


def look(history):
    seen.append(sorted(history.items()))
    return True


a, b, c = T('a'), T('b'), T('c')
flow = graph_flow.Flow('f').add(a, b, c)
flow.link(a, c, decider=look)
flow.link(b, c, decider=look)
engines.run(flow)
print(seen)
seen.clear()
sub = linear_flow.Flow('sub', retry=retry.Times(2, 'r')).add(T('s1'))
a = T('a')
flow = graph_flow.Flow('f').add(a, sub)
flow.link(a, sub, decider=look)
engines.run(flow)
print(seen)
seen.clear()
a = T('a')
flow = graph_flow.Flow('f').add(a, sub)
flow.link(sub, a, decider=look)
engine = engines.load(flow)
engine.run()
print(len(seen), engine.storage.get_atom_state('a'))
