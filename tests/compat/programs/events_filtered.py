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

"""Listening for some events, with filters and arguments."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow
from taskflow.types import notifier


class T(task.Task):
    def execute(self):
        return self.name


def hear(state, *args, **kwargs):
    details = kwargs.pop('details')
    print(state, args, kwargs, details.get('task_name'), details.get('result'))


engine = engines.load(linear_flow.Flow('f').add(T('a'), T('b')))
engine.atom_notifier.register('SUCCESS', hear, args=('x',), kwargs={'k': 'v'})
engine.atom_notifier.register(
    'RUNNING', hear, details_filter=lambda details: details['task_name'] == 'b'
)
engine.notifier.register('SUCCESS', hear)
with notifier.register_deregister(engine.notifier, 'RUNNING', hear):
    engine.run()
print(
    engine.atom_notifier.deregister('SUCCESS', hear),
    engine.atom_notifier.deregister('SUCCESS', hear),
)
engine.reset()
engine.run()
try:
    engine.notifier.register('X', None)
except ValueError:
    print('ValueError')
