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

"""Times: so many tries, then a revert."""

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.listeners import capturing
from taskflow.patterns import linear_flow


class Capture(capturing.CaptureListener):
    @staticmethod
    def _format_capture(kind, state, details):
        name = details.get(f'{kind}_name')
        result = details.get('result')
        if hasattr(result, 'exception_str'):
            result = f'Failure({result.exception_str})'
        return f'{kind} {name} {details["old_state"]}->{state} {result!r}'


class Ok(task.Task):
    def execute(self, attempt=None):
        return attempt


class Flaky(task.Task):
    def __init__(self, name, fails):
        super().__init__(name)
        self.fails = fails

    def execute(self):
        self.fails -= 1
        if self.fails >= 0:
            raise RuntimeError(f'left {self.fails}')
        return 'done'


for attempts, fails in ((3, 0), (3, 2), (2, 5), (1, 1)):
    print('-- attempts', attempts, 'fails', fails)
    flow = linear_flow.Flow(
        'f', retry=retry.Times(attempts, 'r', provides='attempt')
    )
    flow.add(Ok('ok'), Flaky('flaky', fails))
    engine = engines.load(flow)
    with Capture(engine) as capturer:
        try:
            engine.run()
        except RuntimeError as error:
            print('raised', error)
    print('\n'.join(capturer.values))
    print(engine.storage.get_flow_state())
    print(
        [
            (value, sorted(failures))
            for value, failures in engine.storage.get_retry_history('r')
        ]
    )
