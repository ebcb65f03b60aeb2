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

"""run_iter: the states of the machine, and what can be sent to it."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow


class T(task.Task):
    def execute(self):
        print('  execute', self.name)
        return self.name

    def revert(self, **kwargs):
        print('  revert', self.name)


class Fail(task.Task):
    def execute(self):
        raise OSError('fail')


def squeeze(names):
    kept = []
    for name in names:
        if not kept or kept[-1] != name:
            kept.append(name)
    return kept


engine = engines.load(linear_flow.Flow('f').add(T('a'), T('b')))
print(squeeze(engine.run_iter()))
print(engine.storage.get_flow_state())

engine = engines.load(linear_flow.Flow('f').add(T('a'), Fail('b')))
states = []
try:
    for state in engine.run_iter():
        states.append(state)
except OSError as error:
    print('raised', error)
print(squeeze(states))

print('-- timeout')
engine = engines.load(linear_flow.Flow('f').add(T('a')))
print(squeeze(engine.run_iter(timeout=0.1)))
