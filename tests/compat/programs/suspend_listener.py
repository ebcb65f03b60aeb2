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

"""A listener suspends the flow, and it is resumed."""

from taskflow import engines
from taskflow import states
from taskflow import task
from taskflow.listeners import base
from taskflow.patterns import linear_flow


class T(task.Task):
    def execute(self):
        print('  execute', self.name)
        return self.name

    def revert(self, **kwargs):
        print('  revert', self.name)


class Suspend(base.Listener):
    def __init__(self, engine, name, state):
        super().__init__(engine, task_listen_for=(state,))
        self.name = name

    def _task_receiver(self, state, details):
        if details['task_name'] == self.name:
            print('  suspend at', self.name, state)
            self._engine.suspend()


class Watch(base.Listener):
    def _flow_receiver(self, state, details):
        print(details['old_state'], '->', state)


class Fail(task.Task):
    def execute(self):
        print('  execute', self.name)
        raise OSError('fail')


def run(flow, name, state):
    print('--', name, state)
    engine = engines.load(flow)
    with Watch(engine):
        with Suspend(engine, name, state):
            try:
                engine.run()
            except OSError as error:
                print('raised', error)
        print(
            engine.storage.get_flow_state(),
            [(t.name, engine.storage.get_atom_state(t.name)) for t in flow],
        )
        try:
            engine.run()
        except OSError as error:
            print('raised', error)
    print(
        engine.storage.get_flow_state(),
        [(t.name, engine.storage.get_atom_state(t.name)) for t in flow],
    )


def good():
    return linear_flow.Flow('f').add(T('a'), T('b'), T('c'))


def bad():
    return linear_flow.Flow('f').add(T('a'), T('b'), Fail('c'))


run(good(), 'a', states.SUCCESS)
run(good(), 'b', states.RUNNING)
run(good(), 'c', states.SUCCESS)
run(bad(), 'c', states.FAILURE)
run(bad(), 'b', states.REVERTED)
run(bad(), 'b', states.REVERTING)
