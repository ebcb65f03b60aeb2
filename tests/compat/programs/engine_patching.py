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

"""What tests of consumers patch and derive from."""

from unittest import mock

from taskflow import engines
from taskflow import task
from taskflow.engines import base
from taskflow.engines.action_engine import engine as action_engine
from taskflow.patterns import linear_flow
from taskflow.types import failure


class T(task.Task):
    def execute(self):
        print('execute')


flow = linear_flow.Flow('f').add(T('t'))
with mock.patch(
    'taskflow.engines.action_engine.engine.ActionEngine.run'
) as run:
    engine = engines.load(flow)
    engine.run()
    print(run.called)
engine.run()
print(
    isinstance(engine, action_engine.ActionEngine),
    isinstance(engine, action_engine.SerialActionEngine),
    isinstance(engine, base.Engine),
)
print(
    isinstance(
        engines.load(flow, engine='parallel'),
        action_engine.ParallelActionEngine,
    )
)
with mock.patch('taskflow.engines.load') as load:
    load.return_value = 'engine'
    print(engines.load(flow))
with mock.patch('taskflow.patterns.linear_flow.Flow.add') as add:
    linear_flow.Flow('g').add(T('t'))
    print(add.call_count)


class Mine(linear_flow.Flow):
    def __init__(self, name):
        super().__init__(name)
        self.add(T('mine'))


print(len(Mine('m')), Mine('m').name)
engines.run(Mine('m'))
made = failure.Failure.from_exception(OSError('x'))
print(made._exc_info is made.exc_info or made._exc_info == made.exc_info)
