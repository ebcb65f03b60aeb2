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

"""Every transition of flows, tasks, retries and jobs."""

from taskflow import exceptions
from taskflow import states

flow = (
    'PENDING',
    'RUNNING',
    'SUCCESS',
    'FAILURE',
    'REVERTED',
    'SUSPENDING',
    'SUSPENDED',
    'RESUMING',
)
tasks = (
    'PENDING',
    'RUNNING',
    'SUCCESS',
    'FAILURE',
    'REVERTING',
    'REVERTED',
    'IGNORE',
    'RETRYING',
)
job = ('UNCLAIMED', 'CLAIMED', 'COMPLETE')


def show(check, names):
    for old in names:
        found = []
        for new in names:
            try:
                found.append(f'{new}={check(old, new)}')
            except exceptions.InvalidState:
                pass
        print(check.__name__, old, found)


show(states.check_flow_transition, flow)
show(states.check_task_transition, tasks)
show(states.check_retry_transition, tasks)
show(states.check_job_transition, job)
print(states.SUCCESS, [states.RUNNING], {states.PENDING: states.EXECUTE})
print(f'{states.REVERT!r} {states.IGNORE}', states.SUCCESS == 'SUCCESS')
