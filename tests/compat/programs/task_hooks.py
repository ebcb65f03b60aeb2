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

"""pre and post hooks, around execute and revert."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow


class Hooked(task.Task):
    def pre_execute(self):
        print(self.name, 'pre_execute')

    def execute(self):
        print(self.name, 'execute')
        return 1

    def post_execute(self):
        print(self.name, 'post_execute')

    def pre_revert(self):
        print(self.name, 'pre_revert')

    def revert(self, result, flow_failures):
        print(self.name, 'revert', result, sorted(flow_failures))

    def post_revert(self):
        print(self.name, 'post_revert')


class Fails(Hooked):
    def execute(self):
        raise ValueError('fails')

    def revert(self, result, flow_failures):
        print(self.name, 'revert', result.exception_str)


class FailsBefore(Hooked):
    def pre_execute(self):
        raise ValueError('before')

    def revert(self, result, flow_failures):
        print(self.name, 'revert', result.exception_str)


for last in (Fails('fails'), FailsBefore('before')):
    try:
        engines.run(linear_flow.Flow('f').add(Hooked('hooked'), last))
    except ValueError as error:
        print('raised', error)


class RevertFailsBefore(Hooked):
    def pre_revert(self):
        raise OSError('pre_revert')


engine = engines.load(
    linear_flow.Flow('f').add(
        Hooked('hooked'), RevertFailsBefore('r'), Fails('fails')
    )
)
try:
    engine.run()
except Exception as error:
    print(type(error).__name__, error)
for name in ('hooked', 'r', 'fails'):
    print(name, engine.storage.get_atom_state(name))
print(engine.storage.get_flow_state())
