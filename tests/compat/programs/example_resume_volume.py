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

"""A flow is stopped half way and goes on in another engine."""

import contextlib
import os
import tempfile

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow
from taskflow.persistence import backends
from taskflow.persistence import models


class Say(task.Task):
    default_provides = 'said'

    def execute(self, text):
        print('Saying', text)
        return text.upper()


class Again(task.Task):
    default_provides = 'again'

    def execute(self, said):
        print('Again', said)
        return [said, said]


class End(task.Task):
    def execute(self, again):
        print('At last', again)


def make():
    return linear_flow.Flow('talk').add(Say('say'), Again('again'), End('end'))


with tempfile.TemporaryDirectory() as path:
    conf = {'connection': 'sqlite:///' + os.path.join(path, 'book.db')}
    with backends.backend(conf) as backend:
        book = models.LogBook('book')
        detail = models.FlowDetail('talk', 'talk-1')
        book.add(detail)
        with contextlib.closing(backend.get_connection()) as connection:
            connection.save_logbook(book)
        engine = engines.load(
            make(),
            flow_detail=detail,
            book=book,
            backend=backend,
            store={'text': 'hello'},
        )
        for _state in engine.run_iter():
            if engine.storage.get_atom_state('say') == 'SUCCESS':
                engine.suspend()
        print(engine.storage.get_flow_state())
    with backends.backend(conf) as backend:
        with contextlib.closing(backend.get_connection()) as connection:
            for found in connection.get_logbooks():
                for detail in found:
                    print(
                        detail.uuid,
                        detail.state,
                        sorted((atom.name, atom.state) for atom in detail),
                    )
                    engine = engines.load(
                        make(), flow_detail=detail, book=found, backend=backend
                    )
                    engine.run()
                    print(
                        engine.storage.get_flow_state(),
                        sorted(engine.storage.fetch_all().items()),
                    )
