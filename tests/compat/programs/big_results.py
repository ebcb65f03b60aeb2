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

"""Values of many kinds travel through a SQLite logbook."""

import contextlib

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow
from taskflow.persistence import backends

VALUES = [
    None,
    True,
    0,
    -5,
    1.5,
    'text',
    'ümläut',
    '',
    [],
    {},
    [1, [2, [3]]],
    {'a': {'b': [1, None]}},
    'x' * 70000,
]


class Give(task.Task):
    def execute(self):
        return VALUES


class Check(task.Task):
    def execute(self, values):
        return values == VALUES


with backends.backend({'connection': 'sqlite://'}) as backend:
    engine = engines.load(
        linear_flow.Flow('f').add(
            Give('g', provides='values'), Check('c', provides='same')
        ),
        backend=backend,
    )
    engine.run()
    print(engine.storage.fetch('same'))
    with contextlib.closing(backend.get_connection()) as connection:
        detail = connection.get_flow_details(engine.storage.flow_uuid)
        for atom in sorted(detail, key=lambda item: item.name):
            print(atom.name, atom.results in (VALUES, True))
