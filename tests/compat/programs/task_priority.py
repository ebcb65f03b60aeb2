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

"""Tasks of a higher priority start first."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow
from taskflow.patterns import unordered_flow


class T(task.Task):
    def __init__(self, name, priority=0):
        super().__init__(name)
        self.priority = priority

    def execute(self):
        print(self.name, self.priority)


engines.run(
    unordered_flow.Flow('f').add(
        T('a'), T('b', 5), T('c', -1), T('d', 6), T('e', 100)
    )
)
print('--')
engines.run(linear_flow.Flow('f').add(T('a'), T('b', 5), T('c', 10)))
