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

"""Arguments of reverts: their own, rebound, optional."""

from taskflow import engines
from taskflow import exceptions
from taskflow import task
from taskflow.patterns import linear_flow


class Own(task.Task):
    def execute(self, a):
        return a * 2

    def revert(self, a, b, c='default', **kwargs):
        print('own', a, b, c, sorted(kwargs))


class Names(task.Task):
    def execute(self, a):
        return a * 2

    def revert(self, result, flow_failures, **kwargs):
        print('names', result, sorted(flow_failures), sorted(kwargs))


class Fail(task.Task):
    def execute(self):
        raise OSError('fail')


def run(*atoms, **kwargs):
    engine = engines.load(
        linear_flow.Flow('f').add(*atoms, Fail('fail')), **kwargs
    )
    try:
        engine.run()
    except (OSError, exceptions.MissingDependencies) as error:
        print('raised', type(error).__name__)
    return engine


own = Own('own')
print(
    sorted(own.requires),
    sorted(own.revert_rebind),
    sorted(own.rebind),
    sorted(own.revert_optional),
)
run(own, store={'a': 1, 'b': 2})
run(own, store={'a': 1})
run(own, store={'a': 1, 'b': 2, 'c': 3})
run(Own('own', rebind={'a': 'x'}), store={'x': 1, 'a': 9, 'b': 2})
run(Own('own', revert_rebind={'b': 'x'}), store={'a': 1, 'x': 5})
run(
    Own('own', rebind={'a': 'x'}, revert_rebind={'a': 'y', 'b': 'z'}),
    store={'x': 1, 'y': 2, 'z': 3},
)
run(Own('own', revert_requires=['more']), store={'a': 1, 'b': 2, 'more': 3})
run(Names('names'), store={'a': 1})
run(
    Names('names', requires=['a'], revert_requires=['q']),
    store={'a': 1, 'q': 2},
)
run(Own('own', inject={'b': 'injected'}), store={'a': 1})
