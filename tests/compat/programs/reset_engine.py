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

"""reset() has everything run again."""

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.patterns import linear_flow


class T(task.Task):
    count = 0

    def execute(self):
        T.count += 1
        print('execute', self.name, T.count)
        return T.count


class FailOnce(task.Task):
    failed = False

    def execute(self):
        if not FailOnce.failed:
            FailOnce.failed = True
            raise OSError('once')
        return 'second'

    def revert(self, **kwargs):
        print('revert', self.name)


engine = engines.load(linear_flow.Flow('f').add(T('t', provides='n')))
engine.run()
print(engine.storage.fetch_all())
engine.reset()
print(engine.storage.fetch_all(), engine.storage.get_flow_state())
engine.run()
print(engine.storage.fetch_all())

events = []
engine = engines.load(
    linear_flow.Flow('f', retry=retry.Times(1, 'r')).add(
        T('t'), FailOnce('o', provides='o')
    )
)
engine.atom_notifier.register(
    '*',
    lambda state, details: events.append(
        (details.get('task_name') or details.get('retry_name'), state)
    ),
)
engine.notifier.register(
    '*', lambda state, details: events.append(('flow', state))
)
try:
    engine.run()
except OSError as error:
    print('raised', error)
print(engine.storage.get_flow_state())
engine.run()
print(engine.storage.get_flow_state(), engine.storage.fetch_all())
print(events)
