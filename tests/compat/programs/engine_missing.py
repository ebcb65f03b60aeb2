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

"""Everything that is missing is named, before anything runs."""

from taskflow import engines
from taskflow import exceptions
from taskflow import task
from taskflow.patterns import graph_flow
from taskflow.patterns import linear_flow
from taskflow.patterns import unordered_flow


class T(task.Task):
    def execute(self, a, b):
        print('never')


for kind in (linear_flow, unordered_flow, graph_flow):
    engine = engines.load(
        kind.Flow('f').add(T('one'), T('two')), store={'a': 1}
    )
    engine.compile()
    engine.prepare()
    try:
        engine.validate()
    except exceptions.MissingDependencies as error:
        print(
            sorted(error.missing_requirements),
            'f' in str(error),
            isinstance(error, exceptions.DependencyFailure),
            'b' in str(error),
        )
    try:
        engine.run()
    except exceptions.MissingDependencies as error:
        print(sorted(error.missing_requirements))
    print(engine.storage.get_flow_state())

engine = engines.load(linear_flow.Flow('f').add(T('one')))
engine.compile()
engine.prepare()
engine.storage.inject({'a': 1})
engine.storage.inject_atom_args('one', {'b': 2})
engine.validate()
print('valid')
