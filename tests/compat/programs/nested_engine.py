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

"""A task runs an engine of its own."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow


class Inner(task.Task):
    def execute(self, x):
        self.update_progress(0.5)
        return x + 1


class Outer(task.Task):
    def execute(self, x):
        self.update_progress(0.25)
        inner = linear_flow.Flow('inner').add(Inner('i', provides='y'))
        return engines.run(inner, store={'x': x})['y']


heard = []
outer = Outer('o', provides='z')
outer.notifier.register(
    'update_progress', lambda event, details: heard.append(details['progress'])
)
for name in ('serial', 'parallel'):
    print(
        engines.run(
            linear_flow.Flow('f').add(outer), engine=name, store={'x': 1}
        )
    )
print(heard)
