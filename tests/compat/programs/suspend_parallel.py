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

"""Suspending a parallel engine lets what runs end."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow


class Suspend(task.Task):
    def execute(self):
        engine.suspend()
        return 'suspended'


class T(task.Task):
    def execute(self):
        print('execute', self.name)


engine = engines.load(
    linear_flow.Flow('f').add(Suspend('s', provides='s'), T('t')),
    engine='parallel',
    max_workers=2,
)
engine.run()
print(
    engine.storage.get_flow_state(),
    engine.storage.get_atom_state('s'),
    engine.storage.get_atom_state('t'),
)
engine.run()
print(engine.storage.get_flow_state(), engine.storage.fetch_all())
