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

"""Names, text forms, versions and copies of atoms."""

from taskflow import retry
from taskflow import task
from taskflow.patterns import linear_flow


class Mine(task.Task):
    def execute(self):
        pass


for atom in (
    Mine(),
    Mine('m'),
    Mine(name='n'),
    retry.Times(name='t'),
    retry.AlwaysRevert(),
    retry.ForEach([1], 'each'),
):
    print(atom.name, str(atom), atom.version, atom.priority)
print(repr(Mine('m')))
flow = linear_flow.Flow('f', retry=retry.AlwaysRevert())
print(flow.retry.name, str(flow))
try:
    flow.retry.name = 'other'
except AttributeError:
    print('AttributeError')
one = Mine('one')
two = one.copy()
print(two is one, two.name, two.version)
two.name = 'two'
print(one.name, two.name)
one.notifier.register('update_progress', print)
print(
    len(one.notifier),
    len(one.copy().notifier),
    len(one.copy(retain_listeners=False).notifier),
)
try:
    one.notifier.register('nonsense', print)
except ValueError:
    print('ValueError')
print(
    task.EVENT_UPDATE_PROGRESS,
    task.REVERT_RESULT,
    task.REVERT_FLOW_FAILURES,
    sorted(task.Task.TASK_EVENTS),
)
try:
    task.Task('abstract')
except TypeError:
    print('TypeError')
