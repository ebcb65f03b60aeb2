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

"""Flows from factories, and made again from what was kept."""

import contextlib

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow
from taskflow.persistence import backends
from taskflow.persistence import models


class T(task.Task):
    default_provides = 'out'

    def execute(self, x):
        print('execute', self.name, x)
        return x * 2


def make(name, times=1):
    return linear_flow.Flow('made').add(
        *[T(f'{name}{n}', provides=f'out{n}') for n in range(times)]
    )


class Factory:
    def method(self):
        return make('m')


backend = backends.fetch({'connection': 'memory'})
book = models.LogBook('b')
engine = engines.load_from_factory(
    make,
    factory_args=('t',),
    factory_kwargs={'times': 2},
    store={'x': 1},
    book=book,
    backend=backend,
)
engine.run()
print(sorted(engine.storage.fetch_all().items()))
with contextlib.closing(backend.get_connection()) as connection:
    detail = connection.get_flow_details(engine.storage.flow_uuid)
print(detail.meta['factory']['name'], detail.meta['factory']['kwargs'])
flow = engines.flow_from_detail(detail)
print(flow.name, len(flow))
again = engines.load_from_detail(detail, backend=backend)
again.run()
print(sorted(again.storage.fetch_all().items()))
detail = models.FlowDetail('d', 'u')
try:
    engines.flow_from_detail(detail)
except ValueError:
    print('ValueError')
detail.meta['factory'] = {'name': 'nowhere.nothing', 'args': [], 'kwargs': {}}
try:
    engines.flow_from_detail(detail)
except ImportError:
    print('ImportError')


def attempt(factory):
    try:
        engines.load_from_factory(factory)
        print('fine')
    except ValueError:
        print('ValueError')


attempt(lambda: make('l'))
attempt(Factory().method)
detail = models.FlowDetail('d', 'u')
engines.save_factory_details(detail, make, ['q'], {'times': 3})
print(detail.meta)
print(len(engines.flow_from_detail(detail)))
