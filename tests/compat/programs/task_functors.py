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

"""Functions as tasks."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow


def add(x, y):
    return x + y


def undo(x, y, **kwargs):
    print('undo', x, y, kwargs['result'])


def fail(total):
    raise RuntimeError('no')


class Calls:
    def method(self, total):
        return total * 10

    def __call__(self, total):
        return total


adder = task.FunctorTask(add, provides='total', revert=undo)
print(adder.name, adder.version, sorted(adder.requires))
named = task.FunctorTask(Calls().method, name='times', provides='big')
print(named.name, sorted(named.requires))
print(
    sorted(
        engines.run(
            linear_flow.Flow('f').add(adder, named), store={'x': 1, 'y': 2}
        ).items()
    )
)
try:
    engines.run(
        linear_flow.Flow('f').add(
            task.FunctorTask(add, name='a', provides='total', revert=undo),
            task.FunctorTask(fail, name='b'),
        ),
        store={'x': 1, 'y': 2},
    )
except RuntimeError as error:
    print('RuntimeError', error)
lamb = task.FunctorTask(lambda: 3, name='l', provides='three')
print(engines.run(linear_flow.Flow('f').add(lamb)))
print(
    task.FunctorTask(
        add, name='v', version=(2, 1), inject={'y': 5}, rebind={'x': 'q'}
    )
)
print(
    engines.run(
        linear_flow.Flow('f').add(
            task.FunctorTask(
                add, name='v', provides='s', inject={'y': 5}, rebind={'x': 'q'}
            )
        ),
        store={'q': 4},
    )
)
for wrong in (5, None, 'text'):
    try:
        task.FunctorTask(wrong)
    except ValueError:
        print('ValueError')
try:
    task.FunctorTask(add, revert=5)
except ValueError:
    print('ValueError')
