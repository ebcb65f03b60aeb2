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

"""A flow that failed half way is reverted by who resumes it."""

import contextlib
import tempfile

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow
from taskflow.persistence import backends
from taskflow.utils import persistence_utils


class T(task.Task):
    def execute(self):
        print('execute', self.name)
        return self.name

    def revert(self, result, **kwargs):
        print('revert', self.name, result)


class Suspend(task.Task):
    def execute(self):
        print('execute', self.name)
        suspend()

    def revert(self, **kwargs):
        print('revert', self.name)


class Fail(task.Task):
    def execute(self):
        raise OSError('fail')

    def revert(self, result, **kwargs):
        print('revert', self.name, str(result))
        suspend()


def flow():
    return linear_flow.Flow('f').add(T('a'), Suspend('s'), T('b'), Fail('x'))


suspend = None
with tempfile.TemporaryDirectory() as path:
    conf = {'connection': f'sqlite:///{path}/db.sqlite'}
    with backends.backend(conf) as backend:
        book, detail = persistence_utils.temporary_flow_detail(backend)
        print(book.name, detail.name)
        for step in range(4):
            with contextlib.closing(backend.get_connection()) as connection:
                detail = connection.get_flow_details(detail.uuid)
            engine = engines.load(
                flow(), flow_detail=detail, book=book, backend=backend
            )
            suspend = engine.suspend
            try:
                engine.run()
            except OSError as error:
                print('raised', error)
            except Exception as error:
                print(
                    'raised', type(error).__name__, str(error).splitlines()[0]
                )
            print(
                step,
                engine.storage.get_flow_state(),
                [engine.storage.get_atom_state(name) for name in 'asbx'],
            )
            if engine.storage.get_flow_state() == 'REVERTED':
                break
