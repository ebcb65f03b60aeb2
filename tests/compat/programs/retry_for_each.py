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

"""ForEach and ParameterizedForEach: a value for each try."""

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.patterns import linear_flow


class Use(task.Task):
    def __init__(self, good, name='use'):
        super().__init__(name)
        self.good = good

    def execute(self, value):
        print('try', value)
        if value != self.good:
            raise ValueError(f'bad {value}')

    def revert(self, value, **kwargs):
        print('undo', value)


def run(controller, good, store=None):
    engine = engines.load(
        linear_flow.Flow('f', retry=controller).add(Use(good)), store=store
    )
    try:
        engine.run()
    except ValueError as error:
        print('raised', error)
    print(engine.storage.get_flow_state())
    history = engine.storage.get_retry_history(controller.name)
    print(len(history), list(history.provided_iter()))


run(retry.ForEach([1, 2, 3], 'each', provides='value'), 3)
run(retry.ForEach([1, 2, 3], 'each', provides='value'), 9)
run(retry.ForEach([1, 1, 2], 'each', provides='value'), 2)
run(retry.ForEach({'a': 1}, 'each', provides='value'), 'a')
run(
    retry.ParameterizedForEach('each', provides='value', rebind=['list']),
    'b',
    store={'list': ['a', 'b']},
)
run(
    retry.ParameterizedForEach('each', provides='value', rebind=['list']),
    'z',
    store={'list': ['a', 'b']},
)
try:
    run(retry.ForEach([], 'each', provides='value'), 'b')
except Exception as error:
    print(type(error).__name__)
