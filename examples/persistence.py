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

"""A flow that outlives its process: look into its logbook, and go on."""

import contextlib
import pathlib
import tempfile

from taskflow_service import engines
from taskflow_service import task
from taskflow_service.patterns import linear_flow
from taskflow_service.persistence import backends


class Reserve(task.Task):
    default_provides = 'volume'

    def execute(self, size):
        print(f'  reserving {size} GB')
        return {'id': 'vol-1', 'size': size}


class Copy(task.Task):
    def execute(self, volume):
        print(f'  copying to {volume["id"]}')


def create_volume():
    return linear_flow.Flow('create volume').add(
        Reserve('reserve'), Copy('copy')
    )


def begin(backend):
    """Start the flow, and stop it as if the process had to go."""
    engine = engines.load(create_volume(), store={'size': 10}, backend=backend)
    engine.atom_notifier.register(
        'SUCCESS', lambda state, details: engine.suspend()
    )
    engine.run()
    return engine.storage.flow_uuid


def look(backend, flow_uuid):
    """What another program sees."""
    with contextlib.closing(backend.get_connection()) as connection:
        for flow in connection.find_flows(name='create volume'):
            print(f'  flow {flow.name}: {flow.state}')
        atoms = connection.find_atoms('SUCCESS', flow_uuid=flow_uuid)
        for atom in sorted(atoms, key=lambda each: each.seq or 0):
            if atom.seq:
                print(f'    {atom.seq}. {atom.name}')


def go_on(backend, flow_uuid):
    """Take the flow further; what has succeeded does not run again."""
    with contextlib.closing(backend.get_connection()) as connection:
        flow_detail = connection.get_flow_details(flow_uuid)
    engine = engines.load(
        create_volume(), flow_detail=flow_detail, backend=backend
    )
    engine.run()
    print('  volume:', engine.storage.fetch('volume'))


def main():
    with tempfile.TemporaryDirectory() as folder:
        url = f'sqlite:///{pathlib.Path(folder, "flows.sqlite")}'
        with backends.backend({'connection': url}) as backend:
            print('one process begins')
            flow_uuid = begin(backend)
            print('somebody looks')
            look(backend, flow_uuid)
            print('another process goes on')
            go_on(backend, flow_uuid)
            look(backend, flow_uuid)


if __name__ == '__main__':
    main()
