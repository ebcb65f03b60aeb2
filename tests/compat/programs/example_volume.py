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

"""A volume is made; a watcher prints what happens."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow

database = {}


class Reserve(task.Task):
    default_provides = 'reservation'

    def execute(self, size):
        print(f'Reserving {size} GB')
        return {'size': size}

    def revert(self, result, **kwargs):
        print(f'Giving back {result["size"]} GB')


class Create(task.Task):
    default_provides = 'volume'

    def execute(self, name, reservation):
        database[name] = reservation['size']
        return name

    def revert(self, result, name, **kwargs):
        if isinstance(result, str):
            database.pop(name)
            print(f'Deleted {name}')


class Attach(task.Task):
    def execute(self, volume, host):
        if not host:
            raise ValueError(f'No host for {volume}')
        print(f'Attached {volume} to {host}')


def make():
    return linear_flow.Flow('create').add(Reserve(), Create(), Attach())


def watch(state, details):
    print(
        f"  => flow {details['flow_name']}: {details['old_state']} -> {state}"
    )


def watch_task(state, details):
    print(
        f"  -> task {details['task_name'].rpartition('.')[2]}: "
        f"{details['old_state']} -> {state}"
    )


for host in ('h1', None):
    engine = engines.load(
        make(), store={'size': 3, 'name': 'v1', 'host': host}
    )
    engine.notifier.register('*', watch)
    engine.atom_notifier.register('*', watch_task)
    try:
        engine.run()
    except ValueError as error:
        print('Failed:', error)
    print(sorted(database.items()), engine.storage.get_flow_state())
