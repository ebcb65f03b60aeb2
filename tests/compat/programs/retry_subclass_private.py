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

"""Subclasses of Times that use its private parts, as Octavia's do."""

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.patterns import linear_flow


class Counting(retry.Times):
    def on_failure(self, history, *args, **kwargs):
        last = history[-1]
        for atom, fail in last[1].items():
            print(
                atom,
                fail.exception_str,
                fail._exc_info[0].__name__,
                len(history),
                self._attempts,
            )
        if len(history) < self._attempts:
            return retry.RETRY
        return self._revert_action

    def revert(self, history, *args, **kwargs):
        print('controller reverts', sorted(kwargs))


class Fail(task.Task):
    def execute(self):
        raise OSError('fail')


for revert_all in (False, True):
    controller = Counting(attempts=2, name='c', revert_all=revert_all)
    engine = engines.load(
        linear_flow.Flow('f', retry=controller).add(Fail('t'))
    )
    try:
        engine.run()
    except OSError as error:
        print('raised', error)
    print(controller._revert_action, engine.storage.get_flow_state())
