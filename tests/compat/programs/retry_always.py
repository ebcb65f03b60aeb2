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

"""AlwaysRevert and AlwaysRevertAll."""

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


for controller in (retry.AlwaysRevert, retry.AlwaysRevertAll):
    for options in ({}, {'defer_reverts': True}):
        print('--', controller.__name__, options)
        flow = linear_flow.Flow('outer', retry=retry.Times(2, 'times')).add(
            T('before'),
            linear_flow.Flow('inner', retry=controller('c')).add(
                T('first'), T('second', fail=True)
            ),
            T('after'),
        )
        engine = engines.load(flow, **options)
        try:
            engine.run()
        except OSError as error:
            print('raised', error)
        print(
            engine.storage.get_flow_state(),
            [
                (name, engine.storage.get_atom_state(name))
                for name in (
                    'times',
                    'before',
                    'c',
                    'first',
                    'second',
                    'after',
                )
            ],
        )
