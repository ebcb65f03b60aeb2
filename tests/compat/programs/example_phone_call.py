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

"""Somebody calls somebody; what goes wrong is undone."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import graph_flow
from taskflow.patterns import linear_flow


class Call(task.Task):
    def __init__(self, name, busy=False, **kwargs):
        super().__init__(name, **kwargs)
        self.busy = busy

    def execute(self, number, **kwargs):
        print(f'{self.name}: calling {number}.')
        if self.busy:
            raise RuntimeError(f'{number} is busy')
        return f'talked to {number}'

    def revert(self, number, **kwargs):
        print(f'{self.name}: calling {number} and apologising.')


flow = linear_flow.Flow('calls').add(
    Call('Jim', rebind={'number': 'jim'}, provides='jim_said'),
    Call('Joe', rebind={'number': 'joe'}, provides='joe_said'),
)
print(sorted(engines.run(flow, store={'jim': 555, 'joe': 444}).items()))
flow.add(Call('Jane', busy=True, rebind={'number': 'jane'}))
try:
    engines.run(flow, store={'jim': 555, 'joe': 444, 'jane': 333})
except RuntimeError as error:
    print(f'Flow failed: {error}')


class Sum(task.Task):
    def execute(self, a, b):
        return a + b


graph = graph_flow.Flow('sums').add(
    Sum('s1', provides='s1', rebind=['x', 'y']),
    Sum('s2', provides='s2', rebind=['s1', 'z']),
    Sum('s3', provides='s3', rebind=['s1', 's2']),
)
for name in ('serial', 'parallel'):
    print(
        name,
        sorted(
            engines.run(
                graph, engine=name, store={'x': 1, 'y': 2, 'z': 3}
            ).items()
        ),
    )
