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

"""A revert that fails: the flow fails, and what came before stays."""

from taskflow import engines
from taskflow import exceptions
from taskflow import task
from taskflow.patterns import linear_flow


class T(task.Task):
    def __init__(self, name, execute=None, revert=None):
        super().__init__(name)
        self.wrong = execute
        self.wrong_revert = revert

    def execute(self):
        print('execute', self.name)
        if self.wrong:
            raise self.wrong

    def revert(self, **kwargs):
        print('revert', self.name)
        if self.wrong_revert:
            raise self.wrong_revert


engine = engines.load(
    linear_flow.Flow('f').add(
        T('a'), T('b', revert=KeyError('b')), T('c', execute=OSError('c'))
    )
)
try:
    engine.run()
except Exception as error:
    print('raised', type(error).__name__, error)
storage = engine.storage
print(storage.get_flow_state())
for name in 'abc':
    print(name, storage.get_atom_state(name))
print({name: str(f) for name, f in storage.get_revert_failures().items()})
print(storage.get_revert_result('b'))
try:
    print(storage.get_execute_result('b'))
except exceptions.NotFound:
    print('NotFound')
