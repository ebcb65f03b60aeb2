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

"""An engine runs only once at a time."""

import threading

from taskflow import engines
from taskflow import exceptions
from taskflow import task
from taskflow.patterns import linear_flow

started = threading.Event()
over = threading.Event()


class T(task.Task):
    def execute(self):
        started.set()
        over.wait(20)


engine = engines.load(linear_flow.Flow('f').add(T('t')))
runner = threading.Thread(target=engine.run)
runner.start()
started.wait(20)
try:
    engine.run()
except exceptions.ExecutionFailure:
    print('ExecutionFailure')
over.set()
runner.join()
print(engine.storage.get_flow_state())
