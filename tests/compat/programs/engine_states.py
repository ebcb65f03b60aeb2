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

"""What an engine must have gone through before what."""

from taskflow import engines
from taskflow import exceptions
from taskflow import task
from taskflow.patterns import linear_flow


class T(task.Task):
    def execute(self):
        print('execute')


def attempt(what, *args):
    try:
        what(*args)
        print(what.__name__, 'fine')
    except exceptions.InvalidState:
        print(what.__name__, 'InvalidState')


engine = engines.load(linear_flow.Flow('f').add(T('t')))
print(engine.compilation, engine.storage.get_flow_state())
attempt(engine.prepare)
attempt(engine.validate)
attempt(engine.suspend)
attempt(engine.reset)
engine.compile()
attempt(engine.validate)
attempt(engine.reset)
attempt(engine.suspend)
print(engine.storage.get_flow_state())
engine.prepare()
print(engine.storage.get_flow_state(), engine.storage.get_atom_state('t'))
engine.validate()
engine.run()
print(engine.storage.get_flow_state())
engine.run()
print(engine.storage.get_flow_state())
engine.reset()
print(engine.storage.get_flow_state(), engine.storage.get_atom_state('t'))
engine.run()
print(engine.storage.get_flow_state())
attempt(engine.suspend)
print(engine.storage.get_flow_state())
print(sorted(engine.NO_RERAISING_STATES))
