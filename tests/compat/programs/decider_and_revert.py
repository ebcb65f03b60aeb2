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

"""What was ignored is not reverted."""

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.patterns import graph_flow
from taskflow.patterns import linear_flow


class T(task.Task):
    def __init__(self, name, fails=0):
        super().__init__(name)
        self.fails = fails

    def execute(self):
        print('execute', self.name)
        self.fails -= 1
        if self.fails >= 0:
            raise OSError(self.name)

    def revert(self, **kwargs):
        print('revert', self.name)


def run(fails, controller=None):
    print('--', fails, controller)
    a, b, c, d = T('a'), T('b'), T('c'), T('d', fails)
    flow = graph_flow.Flow('f').add(a, b, c)
    flow.link(a, b, decider=lambda history: False, decider_depth='atom')
    flow.link(b, c)
    engine = engines.load(linear_flow.Flow('o', retry=controller).add(flow, d))
    try:
        engine.run()
    except OSError as error:
        print('raised', error)
    print([(n, engine.storage.get_atom_state(n)) for n in 'abcd'])
    print(engine.storage.get_flow_state())


run(0)
run(9)
run(1, retry.Times(2, 'r'))
