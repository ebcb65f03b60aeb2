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

"""Flows in flows in flows."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import graph_flow
from taskflow.patterns import linear_flow
from taskflow.patterns import unordered_flow


class Add(task.Task):
    def execute(self, x, y=1):
        return x + y


flow = linear_flow.Flow('outer').add(
    Add('first', provides='a', rebind={'x': 'start'}),
    unordered_flow.Flow('middle').add(
        graph_flow.Flow('inner').add(
            Add('g2', provides='g', rebind={'x': 'b', 'y': 'a'}),
            Add('g1', provides='b', rebind=['a']),
        ),
        linear_flow.Flow('empty'),
        linear_flow.Flow('chain').add(
            Add('c1', provides='c', rebind=['a']),
            Add('c2', provides='d', rebind=['c']),
        ),
    ),
    Add('last', provides='z', rebind={'x': 'g', 'y': 'd'}),
)
print(sorted(flow.requires), sorted(flow.provides))
engine = engines.load(flow, store={'start': 0})
print(engine.compile())
print(engine.compilation.hierarchy.pformat())
engine.prepare()
engine.validate()
engine.run()
print(sorted(engine.storage.fetch_all().items()))
print(engine.storage.get_flow_state())
print(sorted(engine.storage.get_atoms_states(['first', 'g1', 'last']).items()))
