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

"""Flows as objects: text, equality, iteration, adding."""

from taskflow import flow as flow_module
from taskflow import retry
from taskflow import task
from taskflow.patterns import graph_flow
from taskflow.patterns import linear_flow
from taskflow.patterns import unordered_flow


class T(task.Task):
    def execute(self):
        pass


for kind in (linear_flow, unordered_flow, graph_flow):
    one, two = kind.Flow('same'), kind.Flow('same')
    print(one == two, one != two, str(one), isinstance(one, flow_module.Flow))
    print(one.add() is one, one.add(T('a'), T('b')) is one, len(one))
    print([item.name for item in one], one.name, one.retry)
    try:
        one.name = 'other'
    except AttributeError:
        print('AttributeError')
try:
    flow_module.Flow('abstract')
except TypeError:
    print('TypeError')
print(
    flow_module.LINK_MANUAL,
    flow_module.LINK_INVARIANT,
    flow_module.LINK_RETRY,
    flow_module.LINK_REASONS,
    flow_module.LINK_DECIDER,
    flow_module.LINK_DECIDER_DEPTH,
)
named = linear_flow.Flow('named', retry.Times(2))
print(named.retry.name)
again = linear_flow.Flow('again', named.retry)
print(again.retry.name)
nested = linear_flow.Flow('n').add(linear_flow.Flow('m'))
print(len(nested), [len(item) for item in nested])
print(linear_flow.Flow('').name == '', linear_flow.Flow(5).name)
