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

"""The parallel engine runs together what does not depend on each other."""

import threading

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow
from taskflow.patterns import unordered_flow

barrier = threading.Barrier(3, timeout=20)
main = threading.get_ident()


class Meet(task.Task):
    def execute(self):
        barrier.wait()
        return threading.get_ident() != main


flow = linear_flow.Flow('f').add(
    unordered_flow.Flow('u').add(
        *[Meet(f'm{n}', provides=f'r{n}') for n in range(3)]
    )
)
print(sorted(engines.run(flow, engine='parallel', max_workers=3).items()))


class Fail(task.Task):
    def execute(self):
        barrier.wait()
        raise OSError(self.name)

    def revert(self, **kwargs):
        pass


engine = engines.load(
    unordered_flow.Flow('u').add(Fail('f'), Meet('a'), Meet('b')),
    engine='parallel',
    max_workers=3,
)
try:
    engine.run()
except OSError as error:
    print('raised', error)
print(
    engine.storage.get_flow_state(),
    [engine.storage.get_atom_state(name) for name in 'fab'],
)
