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

"""Atoms within a flow that came before are shown."""

from taskflow import engines
from taskflow import formatters
from taskflow import task
from taskflow.patterns import linear_flow
from taskflow.patterns import unordered_flow


class T(task.Task):
    def execute(self, **kwargs):
        return self.name


class Fail(task.Task):
    def execute(self, **kwargs):
        raise OSError('fail')


flow = linear_flow.Flow('f').add(
    T('a'), unordered_flow.Flow('u').add(T('b')), Fail('x')
)
engine = engines.load(flow)
formatter = formatters.FailureFormatter(engine)


def hear(state, details):
    if state == 'FAILURE':
        print(
            formatter.format(
                details['result'], lambda node: node.item.name == 'x'
            )[1]
        )


engine.atom_notifier.register('*', hear)
try:
    engine.run()
except OSError as error:
    print('raised', error)
