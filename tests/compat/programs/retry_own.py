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

"""Retry controllers of one's own."""

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.patterns import linear_flow


class Mine(retry.Retry):
    def execute(self, history, limit, *args, **kwargs):
        print('execute', len(history), limit, repr(history.failure))
        return {'n': len(history)}

    def on_failure(self, history, limit, *args, **kwargs):
        provided, failures = history[-1]
        print(
            'on_failure',
            provided,
            sorted(failures),
            [str(f.exception) for f in failures.values()],
            history.caused_by(OSError),
            history.caused_by(KeyError),
            history.caused_by(OSError, index=0),
        )
        print(
            [owner for owner, _ in history.outcomes_iter()],
            [owner for owner, _ in history.outcomes_iter(index=0)],
        )
        return retry.RETRY if len(history) < limit else retry.REVERT

    def revert(self, history, *args, **kwargs):
        print(
            'revert',
            [value for value, _ in history],
            sorted(kwargs['flow_failures']),
        )


class Fail(task.Task):
    def execute(self, n):
        raise OSError(f'try {n}')

    def revert(self, n, result, flow_failures):
        print('task reverts', n, result.exception_str, sorted(flow_failures))


flow = linear_flow.Flow('f', retry=Mine('mine', provides={'n'})).add(
    Fail('fail')
)
print(sorted(flow.requires), sorted(flow.provides))
engine = engines.load(flow, store={'limit': 2})
try:
    engine.run()
except OSError as error:
    print('raised', error)
print(engine.storage.get_flow_state())
print(retry.Decision.RETRY, retry.RETRY == 'RETRY', list(retry.Decision))
