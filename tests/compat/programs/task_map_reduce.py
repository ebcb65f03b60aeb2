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

"""Functions over many values."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow


def add(a, b):
    return a + b


def double(a):
    return a * 2


requires = ['a', 'b', 'c']
mapper = task.MapFunctorTask(
    double, requires=requires, provides='doubled', name='map'
)
reducer = task.ReduceFunctorTask(
    add, requires=requires, provides='sum', name='reduce'
)
print(list(mapper.requires), sorted(reducer.requires))
store = {'a': 1, 'b': 2, 'c': 3}
print(
    sorted(
        engines.run(
            linear_flow.Flow('f').add(mapper, reducer), store=store
        ).items()
    )
)
print(
    sorted(
        engines.run(
            linear_flow.Flow('f').add(
                task.MapFunctorTask(
                    double,
                    requires=requires,
                    name='m',
                    provides=('x', 'y', 'z'),
                ),
                task.ReduceFunctorTask(
                    add, requires=['x', 'y', 'z'], name='r', provides='all'
                ),
            ),
            store=store,
        ).items()
    )
)


def attempt(cls, *args, **kwargs):
    try:
        cls(*args, **kwargs)
        print('fine')
    except ValueError:
        print('ValueError')


attempt(task.MapFunctorTask, add, requires=requires)
attempt(task.MapFunctorTask, double, requires=[])
attempt(task.MapFunctorTask, 5, requires=requires)
attempt(task.ReduceFunctorTask, double, requires=requires)
attempt(task.ReduceFunctorTask, add, requires=['a'])
attempt(task.ReduceFunctorTask, 'no', requires=requires)
