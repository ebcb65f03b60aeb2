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

"""Retries side by side do not disturb each other."""

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.patterns import linear_flow
from taskflow.patterns import unordered_flow

log = []


class T(task.Task):
    def __init__(self, name, fails=0):
        super().__init__(name)
        self.fails = fails

    def execute(self):
        log.append(('execute', self.name))
        self.fails -= 1
        if self.fails >= 0:
            raise OSError(self.name)

    def revert(self, **kwargs):
        log.append(('revert', self.name))


flow = unordered_flow.Flow('f').add(
    *[
        linear_flow.Flow(f'i{n}', retry=retry.Times(3, f'r{n}')).add(
            T(f'a{n}'), T(f'b{n}', n)
        )
        for n in range(3)
    ]
)
engine = engines.load(flow)
engine.run()
for n in range(3):
    print([what for what in log if what[1].endswith(str(n))])
print(engine.storage.get_flow_state())
print(
    sorted(
        (name, len(history))
        for name, history in engine.storage.get_retry_histories()
    )
)
