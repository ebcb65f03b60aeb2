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

"""A retry controller that answers nonsense."""

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.patterns import linear_flow


class Answers(retry.Retry):
    def __init__(self, name, answer):
        super().__init__(name)
        self.answer = answer

    def execute(self, *args, **kwargs):
        return 1

    def on_failure(self, *args, **kwargs):
        return self.answer


class Fail(task.Task):
    def execute(self):
        raise OSError('fail')

    def revert(self, **kwargs):
        print('revert')


for answer in ('REVERT', 'nonsense', None, 5):
    engine = engines.load(
        linear_flow.Flow('f', retry=Answers('r', answer)).add(Fail('t'))
    )
    try:
        engine.run()
    except Exception as error:
        print(repr(answer), type(error).__name__)
    print(engine.storage.get_flow_state())
