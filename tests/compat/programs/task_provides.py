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

"""How results get their names, and results that do not fit."""

from taskflow import engines
from taskflow import exceptions
from taskflow import task
from taskflow.patterns import linear_flow


class Give(task.Task):
    def __init__(self, name, value, **kwargs):
        super().__init__(name, **kwargs)
        self.value = value

    def execute(self):
        return self.value


for provides in ('a', ('a', 'b'), ['a', 'b'], {'a'}, (), None):
    atom = Give('g', 1, provides=provides)
    print(repr(provides), dict(atom.save_as), sorted(atom.provides))


def fetch(value, provides, *names):
    flow = linear_flow.Flow('f').add(Give('give', value, provides=provides))
    engine = engines.load(flow)
    engine.run()
    for name in names:
        try:
            print(name, repr(engine.storage.fetch(name)))
        except exceptions.NotFound:
            print(name, 'not found')
    print(sorted(engine.storage.fetch_all()))


fetch((1, 2), ('a', 'b'), 'a', 'b', 'c')
fetch((1, 2, 3), ('a', 'b'), 'a', 'b')
fetch((1,), ('a', 'b'), 'a', 'b')
fetch('xy', ('a', 'b'), 'a', 'b')
fetch({'a': 1}, {'a', 'b'}, 'a', 'b')
fetch(None, ('a',), 'a')
fetch(None, 'a', 'a')
fetch(7, ('a',), 'a')


class Default(task.Task):
    default_provides = 'd'

    def execute(self):
        return 'default'


for kwargs in ({}, {'provides': 'e'}, {'provides': ()}):
    print(sorted(Default('x', **kwargs).provides))
    print(engines.run(linear_flow.Flow('f').add(Default('x', **kwargs))))
