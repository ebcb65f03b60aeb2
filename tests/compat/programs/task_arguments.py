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

"""How arguments are found: requires, rebind, inject, defaults."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow


class Show(task.Task):
    def execute(self, a, b, c=3, *args, **kwargs):
        print(self.name, a, b, c, args, sorted(kwargs.items()))


def show(*args, **kwargs):
    store = kwargs.pop('store', {'a': 'A', 'b': 'B', 'x': 'X', 'y': 'Y'})
    atom = Show(*args, **kwargs)
    print(
        sorted(atom.requires),
        sorted(atom.optional),
        sorted(atom.rebind.items()),
    )
    engines.run(linear_flow.Flow('f').add(atom), store=store)


show('plain')
show('dict', rebind={'a': 'x'})
show('list', rebind=['x', 'y'])
show('longer', rebind=['x', 'y', 'a', 'b'])
show('inject', inject={'a': 'injected'})
show('more', requires=['x', 'y'])
show('optional', store={'a': 1, 'b': 2, 'c': 'given'})
show('rebound default', rebind={'c': 'x'})
show('extra', rebind={'z': 'x'})
show('string', requires='x')
print(sorted(Show('p', inject={'b': 1}).requires))


class Bare(task.Task):
    def execute(self):
        print('bare')


for kwargs in (
    {'requires': ['q']},
    {'rebind': {'q': 'r'}},
    {'rebind': ['q']},
    {'rebind': 5},
    {'provides': 5},
    {'rebind': 'abc'},
):
    try:
        Bare('bare', **kwargs)
        print('fine', kwargs)
    except (ValueError, TypeError) as error:
        print(type(error).__name__)


class Manual(task.Task):
    def execute(self, *args, **kwargs):
        print('manual', sorted(kwargs.items()))


atom = Manual('m', auto_extract=False, requires=['x'])
print(sorted(atom.requires), dict(atom.rebind))
engines.run(linear_flow.Flow('f').add(atom), store={'x': 5})


class Sub(Show):
    def execute(self, a, b, extra):
        print('sub', a, b, extra)


try:
    print(sorted(Sub('s', auto_extract=False, requires=['a']).requires))
except ValueError:
    print('ValueError')
