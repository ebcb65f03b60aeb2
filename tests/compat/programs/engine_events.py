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

"""The events of a flow, from its first state to its last."""

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.patterns import linear_flow


class T(task.Task):
    def __init__(self, name, fail=False):
        super().__init__(name)
        self.fail = fail

    def execute(self):
        if self.fail:
            raise OSError('fail')
        return 'result'


def run(flow, method='run'):
    engine = engines.load(flow)

    def hear(state, details):
        told = {
            key: value
            for key, value in details.items()
            if not key.endswith('_uuid') and key != 'engine'
        }
        if 'result' in told:
            told['result'] = str(told['result'])
        print(
            state,
            sorted(told.items()),
            details.get('engine') is engine,
            sorted(details),
        )

    engine.notifier.register('*', hear)
    engine.atom_notifier.register('*', hear)
    print('-- compile')
    engine.compile()
    print('-- prepare')
    engine.prepare()
    print('-- validate')
    engine.validate()
    print('-- run')
    try:
        engine.run()
    except OSError as error:
        print('raised', error)
    print('-- again')
    try:
        engine.run()
    except OSError as error:
        print('raised', error)


run(linear_flow.Flow('fine').add(T('t')))
run(
    linear_flow.Flow('fails', retry=retry.AlwaysRevert('r')).add(
        T('t'), T('u', fail=True)
    )
)
