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

"""Nested unordered flows with rebinds on a pool, as Octavia's."""

from concurrent import futures

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.patterns import linear_flow
from taskflow.patterns import unordered_flow


class Compute(task.Task):
    def execute(self, amphora_id, flavor=None):
        return {'id': amphora_id, 'flavor': flavor}

    def revert(self, result, amphora_id, *args, **kwargs):
        return f'deleted {amphora_id}'


class Wait(task.Task):
    def execute(self, compute):
        if compute['flavor'] == 'bad':
            raise RuntimeError(compute['id'])
        return f"ip of {compute['id']}"


class Update(task.Task):
    def execute(self, loadbalancer, ips):
        return loadbalancer, ips


class Collect(task.Task):
    def execute(self, **ips):
        return [ips[name] for name in sorted(ips)]


def amphora(role):
    flow = linear_flow.Flow(f'{role}-flow')
    flow.add(
        Compute(
            name=f'{role}-create',
            provides=f'{role}-compute',
            requires=['flavor'],
            rebind={'amphora_id': f'{role}-id'},
        )
    )
    flow.add(
        linear_flow.Flow(
            f'{role}-wait', retry=retry.Times(2, name=f'{role}-retry')
        ).add(
            Wait(
                name=f'{role}-wait',
                provides=f'{role}-ip',
                rebind={'compute': f'{role}-compute'},
            )
        )
    )
    return flow


def make():
    flow = linear_flow.Flow('octavia-create-loadbalancer')
    flow.add(
        unordered_flow.Flow('amps').add(amphora('master'), amphora('backup'))
    )
    flow.add(
        Collect('collect', requires=['master-ip', 'backup-ip'], provides='ips')
    )
    flow.add(
        Update(
            'update',
            requires=['loadbalancer', 'ips'],
            provides=('lb', 'all_ips'),
            inject={'loadbalancer': 7},
        )
    )
    return flow


with futures.ThreadPoolExecutor(max_workers=3) as pool:
    for flavor in ('good', 'bad'):
        engine = engines.load(
            make(),
            engine='parallel',
            executor=pool,
            never_resolve=False,
            store={'master-id': 'm', 'backup-id': 'b', 'flavor': flavor},
        )
        engine.compile()
        engine.prepare()
        try:
            engine.run()
            print(sorted(engine.storage.fetch_all().items()))
        except Exception as error:
            print(
                'raised',
                type(error).__name__ in ('RuntimeError', 'WrappedFailure'),
            )
        print(
            engine.storage.get_flow_state(),
            sorted(
                (name, str(state))
                for name, (state, _) in engine.storage.get_atoms_states(
                    ['master-create', 'backup-create', 'update']
                ).items()
            ),
        )
