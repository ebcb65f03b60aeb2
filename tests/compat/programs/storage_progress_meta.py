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

"""Progress and metadata in a storage."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow


class T(task.Task):
    def execute(self):
        pass


engine = engines.load(linear_flow.Flow('f').add(T('t')))
engine.compile()
engine.prepare()
storage = engine.storage
print(storage.get_task_progress('t'), storage.get_task_progress_details('t'))
storage.set_task_progress('t', 0.5)
print(storage.get_task_progress('t'), storage.get_task_progress_details('t'))
storage.set_task_progress('t', 0.7, {'a': 1})
print(storage.get_task_progress('t'), storage.get_task_progress_details('t'))
storage.set_task_progress('t', 0.8)
print(storage.get_task_progress('t'), storage.get_task_progress_details('t'))
storage.set_task_progress('t', 0.9, {})
print(storage.get_task_progress('t'), storage.get_task_progress_details('t'))
storage.update_flow_metadata({'x': 1})
storage.update_flow_metadata({'y': 2})
print(sorted(storage.flow_meta.items()))
storage.update_atom_metadata('t', {'z': 3})
engine.run()
print(sorted(storage.flow_meta.items()))
print(storage.get_flow_state())
