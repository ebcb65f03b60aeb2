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

"""Throwing into run_iter fails the flow."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow


class T(task.Task):
    def execute(self):
        pass


engine = engines.load(linear_flow.Flow('f').add(T('a'), T('b')))
iterator = engine.run_iter()
for _state in iterator:
    if engine.storage.get_atom_state('a') == 'SUCCESS':
        break
try:
    iterator.throw(OSError('thrown'))
    for _state in iterator:
        pass
    print('ended')
except OSError as error:
    print('raised', error)
print(engine.storage.get_flow_state())
