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

"""Retry controllers that fail themselves."""

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.patterns import linear_flow


class T(task.Task):
    def __init__(self, name, fail=False):
        super().__init__(name)
        self.fail = fail

    def execute(self):
        print('execute', self.name)
        if self.fail:
            raise OSError(self.name)

    def revert(self, **kwargs):
        print('revert', self.name)


class FailsToExecute(retry.AlwaysRevert):
    def execute(self, *args, **kwargs):
        raise KeyError('execute')

    def revert(self, history, *args, **kwargs):
        print('controller reverts', len(history))


class FailsToDecide(retry.Times):
    def on_failure(self, *args, **kwargs):
        raise KeyError('on_failure')


class FailsToRevert(retry.AlwaysRevert):
    def revert(self, *args, **kwargs):
        raise KeyError('revert')


for controller in (FailsToExecute('r'), FailsToRevert('r')):
    print('--', type(controller).__name__)
    engine = engines.load(
        linear_flow.Flow('f').add(
            T('before'),
            linear_flow.Flow('i', retry=controller).add(T('in', fail=True)),
        )
    )
    try:
        engine.run()
    except Exception as error:
        print('raised', type(error).__name__, error)
    print(
        engine.storage.get_flow_state(),
        engine.storage.get_atom_state('r'),
        engine.storage.get_atom_state('before'),
    )

print('-- decides')
engine = engines.load(
    linear_flow.Flow('i', retry=FailsToDecide(2, 'r')).add(T('in', fail=True))
)
try:
    engine.run()
except Exception as error:
    print('raised', type(error).__name__, error)
