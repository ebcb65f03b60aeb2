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

"""A decider that raises."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import graph_flow


class T(task.Task):
    def execute(self):
        print('execute', self.name)

    def revert(self, **kwargs):
        print('revert', self.name)


def decide(history):
    raise KeyError('decide')


a, b = T('a'), T('b')
flow = graph_flow.Flow('f').add(a, b)
flow.link(a, b, decider=decide)
engine = engines.load(flow)
try:
    engine.run()
except Exception as error:
    print('raised', type(error).__name__, error)
print(engine.storage.get_flow_state())
print([(name, engine.storage.get_atom_state(name)) for name in 'ab'])
