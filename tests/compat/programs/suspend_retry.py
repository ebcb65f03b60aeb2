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

"""Suspending a flow between the tries of a retry."""

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.patterns import linear_flow

log = []


class T(task.Task):
    def __init__(self, name, fails=0):
        super().__init__(name)
        self.fails = fails

    def execute(self):
        log.append(f'execute {self.name}')
        self.fails -= 1
        if self.fails >= 0:
            raise OSError(self.name)

    def revert(self, **kwargs):
        log.append(f'revert {self.name}')


def run(name, state):
    log.clear()
    engine = engines.load(
        linear_flow.Flow('f', retry=retry.Times(3, 'r')).add(T('a'), T('b', 1))
    )
    done = []

    def hear(event, details):
        who = details.get('task_name') or details.get('retry_name')
        if (who, event) == (name, state) and not done:
            done.append(1)
            engine.suspend()

    engine.atom_notifier.register('*', hear)
    for _ in range(3):
        engine.run()
        print(
            name,
            state,
            engine.storage.get_flow_state(),
            [engine.storage.get_atom_state(n) for n in 'rab'],
            log,
        )
        log.clear()
        if engine.storage.get_flow_state() == 'SUCCESS':
            break


run('r', 'RUNNING')
run('r', 'SUCCESS')
run('a', 'SUCCESS')
run('b', 'FAILURE')
run('b', 'REVERTED')
run('a', 'REVERTING')
run('a', 'REVERTED')
run('r', 'RETRYING')
run('b', 'PENDING')
