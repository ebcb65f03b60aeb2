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

"""Progress with details, told through the notifier, read from a logbook."""

import contextlib

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow
from taskflow.persistence import backends
from taskflow.persistence import models


class Tells(task.Task):
    def __init__(self, name, fail=False):
        super().__init__(name)
        self.fail = fail

    def execute(self):
        for n in range(3):
            self.notifier.notify(
                'update_progress',
                {'progress': n / 10, 'progress_details': f'step {n}'},
            )
        if self.fail:
            raise OSError('fail')


for conf in ({'connection': 'memory'}, {'connection': 'sqlite://'}):
    for options in ({}, {'never_resolve': True}):
        with backends.backend(conf) as backend:
            book = models.LogBook('b')
            with contextlib.closing(backend.get_connection()) as connection:
                connection.save_logbook(book)
            engine = engines.load(
                linear_flow.Flow('f').add(
                    Tells('good'), Tells('bad', fail=True)
                ),
                book=book,
                backend=backend,
                **options,
            )
            try:
                engine.run()
            except OSError as error:
                print('raised', error)
            with contextlib.closing(backend.get_connection()) as connection:
                for detail in connection.get_flows_for_book(book.uuid):
                    atoms = connection.get_atoms_for_flow(detail.uuid)
                    for atom in sorted(atoms, key=lambda a: a.name):
                        if atom.name in ('good', 'bad'):
                            print(
                                atom.name,
                                atom.state,
                                sorted(atom.meta.items()),
                            )
