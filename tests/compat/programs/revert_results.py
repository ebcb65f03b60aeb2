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

"""Results of reverts, and the failures that they are told of."""

from taskflow import engines
from taskflow import exceptions
from taskflow import task
from taskflow.patterns import linear_flow


class Do(task.Task):
    default_provides = 'value'

    def execute(self, x):
        return x + 1

    def revert(self, x, result, flow_failures):
        print('undo', x, result, sorted(flow_failures))
        return f'undone {x}'


class Plain(task.Task):
    def execute(self, value):
        return value


class Fail(task.Task):
    def execute(self, value):
        raise ValueError(f'value {value}')

    def revert(self, value, result, **kwargs):
        print('failed', value, type(result).__name__, str(result))
        return 'sorry'


engine = engines.load(
    linear_flow.Flow('f').add(Do('do'), Plain('plain'), Fail('fail')),
    store={'x': 1},
)
try:
    engine.run()
except ValueError as error:
    print('raised', error)
storage = engine.storage
for name in ('do', 'plain', 'fail'):
    print(
        name,
        storage.get_atom_state(name),
        storage.get_atom_intention(name),
        repr(storage.get_revert_result(name)),
    )
    try:
        print(str(storage.get_execute_result(name)))
    except exceptions.NotFound:
        print('NotFound')
print(
    sorted(storage.get_execute_failures()),
    sorted(storage.get_revert_failures()),
    storage.has_failures(),
)
print(sorted(storage.fetch_all().items()))
try:
    storage.fetch('value')
except exceptions.NotFound:
    print('value is not found')
