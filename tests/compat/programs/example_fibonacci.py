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

"""A flow of a hundred tasks that build upon each other."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import graph_flow


class Next(task.Task):
    def execute(self, a, b):
        return a + b


flow = graph_flow.Flow('fibonacci')
for n in range(2, 100):
    flow.add(
        Next(
            f'n{n}',
            provides=f'f{n}',
            rebind={'a': f'f{n - 2}', 'b': f'f{n - 1}'},
        )
    )
for name in ('serial', 'parallel'):
    print(engines.run(flow, engine=name, store={'f0': 0, 'f1': 1})['f99'])
