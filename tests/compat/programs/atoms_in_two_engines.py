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

"""The same flow is run by several engines, one after the other."""

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.patterns import linear_flow


class Count(task.Task):
    def __init__(self, name):
        super().__init__(name, provides='n')
        self.n = 0

    def execute(self, add):
        self.n += add
        return self.n


flow = linear_flow.Flow('f', retry=retry.Times(2, 'r')).add(Count('c'))
first = engines.load(flow, store={'add': 1})
second = engines.load(flow, store={'add': 10})
first.run()
second.run()
print(first.storage.fetch('n'), second.storage.fetch('n'))
print(
    first.storage.flow_uuid != second.storage.flow_uuid,
    first.storage.get_atom_uuid('c') != second.storage.get_atom_uuid('c'),
)
print([engines.run(flow, store={'add': 0})['n'] for _ in range(3)])
flow.add(Count('d'))
print(sorted(engines.run(flow, store={'add': 1})))
