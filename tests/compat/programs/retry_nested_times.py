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

"""Retries within retries."""

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.patterns import linear_flow
from taskflow.patterns import unordered_flow


class T(task.Task):
    def __init__(self, name, fail_until=0):
        super().__init__(name)
        self.fail_until = fail_until
        self.count = 0

    def execute(self):
        self.count += 1
        print('execute', self.name, self.count)
        if self.count <= self.fail_until:
            raise OSError(f'{self.name} {self.count}')

    def revert(self, **kwargs):
        print('revert', self.name)


def run(fail_until, outer, inner, pattern=linear_flow, **options):
    print('--', fail_until, outer, inner)
    flow = linear_flow.Flow('outer', retry=retry.Times(outer, 'o')).add(
        T('a'),
        pattern.Flow('inner', retry=retry.Times(inner, 'i')).add(
            T('b', fail_until)
        ),
        T('c'),
    )
    engine = engines.load(flow, **options)
    try:
        engine.run()
    except OSError as error:
        print('raised', error)
    print(engine.storage.get_flow_state())
    for name, history in sorted(engine.storage.get_retry_histories()):
        print(name, [(value, sorted(failures)) for value, failures in history])


run(0, 2, 2)
run(1, 2, 2)
run(2, 2, 2)
run(3, 2, 2)
run(4, 2, 2)
run(2, 2, 2, defer_reverts=True)
run(4, 2, 2, defer_reverts=True)
run(1, 1, 2, pattern=unordered_flow)
