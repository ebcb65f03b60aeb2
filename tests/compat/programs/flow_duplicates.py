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

"""The same thing twice."""

from taskflow import engines
from taskflow import exceptions
from taskflow import retry
from taskflow import task
from taskflow.patterns import graph_flow
from taskflow.patterns import linear_flow
from taskflow.patterns import unordered_flow


class T(task.Task):
    def execute(self):
        print('run', self.name)


def attempt(flow):
    try:
        engines.run(flow)
    except exceptions.Duplicate as error:
        print('Duplicate', 'same' in str(error))
    except ValueError:
        print('ValueError')


one = T('same')
for kind in (linear_flow, unordered_flow, graph_flow):
    flow = kind.Flow('f').add(one, one)
    print(len(flow))
    attempt(flow)
    attempt(kind.Flow('f').add(T('same'), T('same')))
attempt(
    linear_flow.Flow('f').add(T('same'), linear_flow.Flow('g').add(T('same')))
)
attempt(linear_flow.Flow('f', retry.Times(1, 'same')).add(T('same')))
attempt(linear_flow.Flow('f').add(one, linear_flow.Flow('g').add(one)))
shared = linear_flow.Flow('s').add(T('x'))
attempt(
    linear_flow.Flow('f').add(
        linear_flow.Flow('g').add(shared), linear_flow.Flow('h').add(shared)
    )
)
attempt(linear_flow.Flow('same').add(T('same')))
