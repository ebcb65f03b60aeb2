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

"""The events of retries within retries."""

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.patterns import linear_flow
from taskflow.patterns import unordered_flow


class T(task.Task):
    def __init__(self, name, fails=0):
        super().__init__(name)
        self.fails = fails

    def execute(self):
        self.fails -= 1
        if self.fails >= 0:
            raise OSError(self.name)


def run(inner, fails, pattern=linear_flow, last=0, **options):
    print('--', inner.name, fails)
    flow = linear_flow.Flow('outer', retry=retry.Times(2, 'o')).add(
        T('a'),
        pattern.Flow('inner', retry=inner).add(T('b', fails)),
        linear_flow.Flow('other', retry=retry.Times(2, 'x')).add(T('c')),
        T('d', last),
    )
    engine = engines.load(flow, **options)
    events = []
    engine.atom_notifier.register(
        '*',
        lambda state, details: events.append(
            f"{details.get('task_name') or details.get('retry_name')} "
            f"{details['old_state']}->{state}"
        ),
    )
    engine.notifier.register(
        '*', lambda state, details: events.append(f'flow {state}')
    )
    try:
        engine.run()
    except Exception as error:
        print('raised', type(error).__name__, str(error))
    print('\n'.join(events))


run(retry.Times(2, 'i'), 1)
run(retry.Times(2, 'i'), 0, last=1)
run(retry.Times(2, 'i'), 3)
run(retry.AlwaysRevert('ar'), 1)
run(retry.AlwaysRevert('ar'), 1, defer_reverts=True)
run(retry.AlwaysRevertAll('all'), 1)
run(retry.ForEach([1, 2], 'each'), 1, pattern=unordered_flow)
