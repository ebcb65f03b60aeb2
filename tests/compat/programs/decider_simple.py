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

"""Deciders: what runs and what is ignored."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import graph_flow
from taskflow.patterns import linear_flow


class T(task.Task):
    def execute(self):
        return self.name.upper()


def run(answer, depth=None):
    print('--', answer, depth)
    a, b, c, d = (T(name) for name in 'abcd')

    def decide(history):
        print('decide', sorted(history.items()))
        return answer

    flow = graph_flow.Flow('f').add(a, b, c, d)
    flow.link(a, b, decider=decide, decider_depth=depth)
    flow.link(b, c)
    flow.link(a, d)
    flow.link(d, c)
    engine = engines.load(linear_flow.Flow('o').add(flow, T('last')))
    engine.run()
    print(
        [
            (
                name,
                engine.storage.get_atom_state(name),
                engine.storage.get_atom_intention(name),
            )
            for name in ['a', 'b', 'c', 'd', 'last']
        ]
    )
    print(engine.storage.get_flow_state())


for depth in (None, 'all', 'ALL', 'flow', 'neighbors', 'atom'):
    run(True, depth)
    run(False, depth)
