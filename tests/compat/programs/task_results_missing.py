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

"""A dependent whose argument was not supplied."""

from taskflow import engines
from taskflow import exceptions
from taskflow import task
from taskflow.patterns import linear_flow


class Short(task.Task):
    default_provides = ('a', 'b')

    def execute(self):
        return (1,)

    def revert(self, *args, **kwargs):
        print('revert short', kwargs['result'])


class Use(task.Task):
    def execute(self, b):
        print('use', b)


class Fallback(task.Task):
    def execute(self, b='nothing'):
        print('fallback', b)


for last in (Use('u'), Fallback('f')):
    engine = engines.load(linear_flow.Flow('f').add(Short('s'), last))
    try:
        engine.run()
    except exceptions.NotFound:
        print('NotFound')
    print(
        engine.storage.get_flow_state(),
        engine.storage.get_atom_state(last.name),
    )
