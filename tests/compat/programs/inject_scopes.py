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

"""What wins where the same name comes from several places."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import graph_flow
from taskflow.patterns import linear_flow
from taskflow.patterns import unordered_flow


class Give(task.Task):
    def __init__(self, name, value, **kwargs):
        super().__init__(name, provides='v', **kwargs)
        self.value = value

    def execute(self):
        return self.value


class Take(task.Task):
    def execute(self, v):
        print(self.name, v)


def run(*items, **kwargs):
    engines.run(linear_flow.Flow('f').add(*items), **kwargs)


run(Give('g', 'given'), Take('plain'))
run(Give('g', 'given'), Take('stored'), store={'v': 'stored'})
run(
    Give('g', 'given'),
    Take('injected', inject={'v': 'injected'}),
    store={'v': 'stored'},
)
run(Give('g1', 1), Take('one'), Give('g2', 2), Take('two'))
run(
    Give('g1', 1),
    linear_flow.Flow('inner').add(
        Take('outer value'), Give('g2', 2), Take('inner value')
    ),
    Take('after'),
)
run(
    Give('g1', 1),
    unordered_flow.Flow('u').add(
        linear_flow.Flow('a').add(Give('g2', 2), Take('own'))
    ),
    Take('after unordered'),
)
run(Give('g1', 1), graph_flow.Flow('g').add(Give('g3', 3), Take('in graph')))
engine = engines.load(linear_flow.Flow('f').add(Take('late')))
engine.compile()
engine.prepare()
engine.storage.inject_atom_args('late', {'v': 'atom'})
engine.storage.inject({'v': 'flow'}, transient=True)
engine.run()
engine = engines.load(
    linear_flow.Flow('f').add(Take('kept', inject={'v': 'kept'})),
    inject_transient=False,
)
engine.run()
uuid = engine.storage.get_atom_uuid('kept')
print(engine.storage._flowdetail.find(uuid).meta['injected'])
