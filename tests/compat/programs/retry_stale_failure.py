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

"""A failure that a retry has overcome is not raised in the end."""

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.patterns import linear_flow


class T(task.Task):
    def __init__(self, name, fails):
        super().__init__(name)
        self.fails = fails

    def execute(self):
        self.fails -= 1
        if self.fails >= 0:
            raise OSError(self.name)


engine = engines.load(
    linear_flow.Flow('f').add(
        linear_flow.Flow('g', retry=retry.Times(2, 'r')).add(T('once', 1)),
        T('last', 9),
    )
)
try:
    engine.run()
except Exception as error:
    print(type(error).__name__, error)
print(engine.storage.get_flow_state())
