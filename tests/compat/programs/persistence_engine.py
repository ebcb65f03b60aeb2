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

"""An engine that keeps its flow in a backend, and one that resumes it."""

import contextlib
import tempfile

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow
from taskflow.persistence import backends
from taskflow.persistence import models


class T(task.Task):
    default_provides = 'value'

    def execute(self, x):
        print('execute', self.name)
        return {'x': x, 'list': [1, None, 'text']}


class Stop(task.Task):
    def execute(self, value):
        print('stop at', value)
        raise KeyboardInterrupt()


class Use(task.Task):
    def execute(self, value, x):
        print('use', value, x)
        return 'used'


def run(conf):
    with backends.backend(conf) as backend:
        book = models.LogBook('book')
        detail = models.FlowDetail('detail', 'fd1')
        book.add(detail)
        with contextlib.closing(backend.get_connection()) as connection:
            connection.save_logbook(book)
        flow = linear_flow.Flow('f').add(T('t'), Use('u', provides='end'))
        engine = engines.load(
            flow,
            flow_detail=detail,
            book=book,
            backend=backend,
            store={'x': 5},
        )
        engine.run()
        with contextlib.closing(backend.get_connection()) as connection:
            found = connection.get_logbook(book.uuid)
            for one in found:
                print(one.uuid, one.state)
                for atom in sorted(one, key=lambda item: item.name):
                    print(
                        atom.name,
                        atom.state,
                        atom.results,
                        atom.intention,
                        atom.version,
                    )
        again = engines.load(
            flow, flow_detail=found.find('fd1'), book=found, backend=backend
        )
        print(sorted(again.storage.fetch_all().items()))
        again.run()
        print(sorted(again.storage.fetch_all().items()))


with tempfile.TemporaryDirectory() as path:
    for conf in (
        {'connection': 'memory'},
        {'connection': f'sqlite:///{path}/db.sqlite'},
    ):
        print('--', conf['connection'].partition(':')[0])
        run(conf)
