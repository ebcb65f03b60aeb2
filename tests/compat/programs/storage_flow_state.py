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

"""The state of a flow, set and changed."""

from taskflow import exceptions
from taskflow import states
from taskflow import storage
from taskflow.utils import persistence_utils

_, detail = persistence_utils.temporary_flow_detail()
store = storage.Storage(detail)
print(store.get_flow_state())
print(store.change_flow_state(states.RUNNING))
print(store.change_flow_state(states.RUNNING))
print(store.change_flow_state(states.SUSPENDING))
print(store.change_flow_state(states.SUSPENDED))
print(store.change_flow_state(states.RESUMING))
print(store.get_flow_state())
try:
    store.change_flow_state(states.PENDING)
except exceptions.InvalidState:
    print('InvalidState')
store.set_flow_state(states.FAILURE)
print(store.get_flow_state(), detail.state)
with store.lock.read_lock():
    print('read')
with store.lock.write_lock():
    print('write')
