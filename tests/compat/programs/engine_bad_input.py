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

"""What cannot be a flow, a task or a store."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow
from taskflow.patterns import unordered_flow


class T(task.Task):
    def execute(self, a):
        pass


class NoName(task.Task):
    def execute(self):
        return 1


def attempt(what):
    try:
        print('fine', what())
    except Exception as error:
        print(type(error).__name__)


attempt(lambda: engines.run('not a flow'))
attempt(lambda: engines.run(None))
attempt(lambda: engines.run(linear_flow.Flow('f').add('text')))
attempt(lambda: engines.run(linear_flow.Flow('f').add(None)))
attempt(lambda: engines.run(linear_flow.Flow('f'), store=5))
attempt(lambda: engines.run(linear_flow.Flow('f'), store={}))
attempt(lambda: engines.run(linear_flow.Flow('f'), store={'a': 1}))
attempt(
    lambda: engines.run(
        linear_flow.Flow('f').add(T('t')), store={'a': 1, 'b': 2}
    )
)
attempt(lambda: engines.run(linear_flow.Flow('f').add(NoName())))
attempt(lambda: linear_flow.Flow('f').add(linear_flow.Flow('g')).add().name)
attempt(lambda: linear_flow.Flow())
attempt(
    lambda: engines.load(
        linear_flow.Flow('f'), backend={'connection': 'nonsense'}
    )
)
attempt(lambda: engines.run(linear_flow.Flow('e')))
attempt(
    lambda: engines.run(
        unordered_flow.Flow('e').add(
            linear_flow.Flow('e1'), linear_flow.Flow('e2')
        )
    )
)
