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

"""Sending a true value to run_iter suspends the flow."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow


class T(task.Task):
    def execute(self):
        print('  execute', self.name)


engine = engines.load(linear_flow.Flow('f').add(T('a'), T('b'), T('c')))
iterator = engine.run_iter()
first = next(iterator)
print(first)
last = None
try:
    while True:
        done = engine.storage.get_atom_state('a') == 'SUCCESS'
        last = iterator.send(done)
except StopIteration:
    pass
print(last, engine.storage.get_flow_state())
print([(n, engine.storage.get_atom_state(n)) for n in 'abc'])
engine.run()
print(engine.storage.get_flow_state())

print('-- close')
engine = engines.load(linear_flow.Flow('f').add(T('a'), T('b')))
iterator = engine.run_iter()
for _state in iterator:
    if engine.storage.get_atom_state('a') == 'SUCCESS':
        break
iterator.close()
print(
    engine.storage.get_flow_state(),
    [(n, engine.storage.get_atom_state(n)) for n in 'ab'],
)
engine.run()
print(engine.storage.get_flow_state())
