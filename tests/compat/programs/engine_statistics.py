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

"""What an engine counts."""

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
            raise OSError('x')


engine = engines.load(linear_flow.Flow('f').add(T('a'), T('b')))
print(engine.statistics)
engine.run()
found = engine.statistics
print(
    sorted(found),
    found['completed'],
    found['incomplete'],
    found['awaiting'],
    found['discarded_failures'],
    sorted(found['seconds_per_state']),
    found['active_for'] > 0,
)
engine = engines.load(
    linear_flow.Flow('f', retry=retry.Times(2)).add(T('a'), T('b', fail=True))
)
try:
    engine.run()
except OSError:
    pass
found = engine.statistics
print(
    found['completed'],
    found['incomplete'],
    found['awaiting'],
    found['discarded_failures'],
)
