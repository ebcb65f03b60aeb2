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

"""Listeners hear of every state; what is committed is told apart."""

from taskflow_service import engines
from taskflow_service import formatters
from taskflow_service import task
from taskflow_service.listeners import base
from taskflow_service.patterns import linear_flow
from taskflow_service.types import failure


class Copy(task.Task):
    def execute(self, size):
        for done in range(1, size):
            self.update_progress(done / size)


class Check(task.Task):
    def execute(self):
        raise ValueError('the copy is torn')


class Story(base.Listener):
    """Tells of the flow and its tasks in its own words."""

    def _flow_receiver(self, state, details):
        print(f'  flow {details["flow_name"]}: {state}')

    def _task_receiver(self, state, details):
        print(f'    {details["task_name"]}: {details["old_state"]} -> {state}')

    def on_committed(self, transitions):
        names = ', '.join(f'{each.name} {each.state}' for each in transitions)
        print(f'  committed: {names}')


class OnlyFailures(base.Listener):
    """Says of each failure what led to it."""

    def __init__(self, engine):
        super().__init__(engine, task_listen_for=['FAILURE'])
        self._formatter = formatters.FailureFormatter(engine)

    def _task_receiver(self, state, details):
        result = details['result']
        if isinstance(result, failure.Failure):
            print(f'  {details["task_name"]}: {result.exception_str}')


def own_words():
    print('a listener of one\'s own')
    flow = linear_flow.Flow('copy').add(Copy('file'))
    engine = engines.load(flow, store={'size': 2})
    with Story(engine):
        engine.run()


def progress():
    print('how far a task is')
    copy = Copy('file')
    copy.notifier.register(
        task.EVENT_UPDATE_PROGRESS,
        lambda event, details: print(f'  {details["progress"]:.0%}'),
    )
    engines.run(linear_flow.Flow('copy').add(copy), store={'size': 4})


def what_went_wrong():
    print('only failures')
    engine = engines.load(linear_flow.Flow('check').add(Check('file')))
    with OnlyFailures(engine):
        try:
            engine.run()
        except ValueError:
            print('  and run() raised it')


if __name__ == '__main__':
    own_words()
    progress()
    what_went_wrong()
