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

"""A task alone is a flow."""

from taskflow import engines
from taskflow import task


class T(task.Task):
    default_provides = 'sum'

    def execute(self, x, y):
        return x + y


print(sorted(engines.run(T('t'), store={'x': 1, 'y': 2}).items()))
engine = engines.load(T('t'), store={'x': 1, 'y': 2})
engine.run()
print(engine.storage.flow_name, engine.storage.get_flow_state())
print(engine.storage.fetch('sum'))
print(engine.compilation.hierarchy.pformat())
print(len(engine.compilation.execution_graph))
