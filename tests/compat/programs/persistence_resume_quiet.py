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

"""Flows are suspended and resumed from what the backend kept."""

import contextlib

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.patterns import linear_flow
from taskflow.persistence import backends
from taskflow.utils import persistence_utils

log = []
suspend_at = None
engine = None


class T(task.Task):
    def __init__(self, name, provides=None, fails=0):
        super().__init__(name, provides=provides)
        self.fails = fails

    def execute(self):
        log.append(('execute', self.name))
        if self.name == suspend_at:
            engine.suspend()
        if self.fails:
            self.fails -= 1
            raise OSError(self.name)
        return self.name

    def revert(self, **kwargs):
        log.append(('revert', self.name))
        if f'revert {self.name}' == suspend_at:
            engine.suspend()


def flow():
    return linear_flow.Flow('f').add(
        T('a', 'ra'),
        linear_flow.Flow('i', retry=retry.Times(3, 'r', provides='n')).add(
            T('b', 'rb'), T('c', 'rc')
        ),
        T('d', 'rd'),
    )


def run(at, conf, make=flow, names='arbcd'):
    global suspend_at, engine
    suspend_at = at
    log.clear()
    with backends.backend(conf) as backend:
        book, detail = persistence_utils.temporary_flow_detail(backend)
        for _step in range(6):
            with contextlib.closing(backend.get_connection()) as connection:
                detail = connection.get_flow_details(detail.uuid)
            engine = engines.load(
                make(), flow_detail=detail, book=book, backend=backend
            )
            engine.run()
            print(
                at,
                engine.storage.get_flow_state(),
                [engine.storage.get_atom_state(name) for name in names],
                log,
            )
            log.clear()
            suspend_at = None
            if engine.storage.get_flow_state() == 'SUCCESS':
                break
        print(sorted(engine.storage.fetch_all().items()))


for conf in ({'connection': 'memory'}, {'connection': 'sqlite://'}):
    for at in 'abcd':
        run(at, conf)
