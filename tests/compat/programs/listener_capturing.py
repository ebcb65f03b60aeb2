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

"""What CaptureListener captures."""

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.listeners import capturing
from taskflow.patterns import linear_flow


class T(task.Task):
    def execute(self):
        return self.name


class Fail(task.Task):
    def execute(self):
        raise OSError('fail')


def run(**kwargs):
    print('--', sorted(kwargs.items()))
    flow = linear_flow.Flow('f', retry=retry.Times(1, 'r')).add(
        T('a'), Fail('x')
    )
    engine = engines.load(flow)
    with capturing.CaptureListener(engine, **kwargs) as listener:
        try:
            engine.run()
        except OSError as error:
            print('raised', error)
    for kind, state, details in listener.values:
        print(
            kind,
            state,
            details['old_state'],
            sorted(key for key in details),
            str(details.get('result')),
        )


run()
run(capture_task=False)
run(capture_flow=False, capture_retry=False)
run(skip_tasks=['a'], skip_retries=['r'], skip_flows=['f'])
run(
    task_listen_for=['SUCCESS'],
    retry_listen_for=['RUNNING'],
    flow_listen_for=['REVERTED'],
)
mine = []
engine = engines.load(linear_flow.Flow('f').add(T('a')))
with capturing.CaptureListener(engine, values=mine) as listener:
    engine.run()
print(
    listener.values is mine,
    len(mine),
    listener.FLOW,
    listener.TASK,
    listener.RETRY,
)
