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

"""What PrintingListener prints."""

from taskflow import engines
from taskflow import task
from taskflow.listeners import printing
from taskflow.patterns import linear_flow
from taskflow.patterns import unordered_flow


class T(task.Task):
    def execute(self):
        return self.name


class Fail(task.Task):
    def execute(self):
        raise OSError('fail')


flow = linear_flow.Flow('f').add(
    T('a'), unordered_flow.Flow('u').add(T('b')), T('c')
)
engine = engines.load(flow)
with printing.PrintingListener(engine):
    engine.run()
engine = engines.load(linear_flow.Flow('f').add(T('a'), Fail('x')))
with printing.PrintingListener(engine):
    try:
        engine.run()
    except OSError as error:
        print('raised', error)
