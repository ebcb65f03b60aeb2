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

"""Several failures at once are wrapped."""

from taskflow import engines
from taskflow import exceptions
from taskflow import task
from taskflow.patterns import unordered_flow
from taskflow.types import failure


class Fail(task.Task):
    def __init__(self, name, error):
        super().__init__(name)
        self.error = error

    def execute(self):
        raise self.error

    def revert(self, **kwargs):
        pass


class Wait(task.Task):
    pass


def run(*errors, **options):
    flow = unordered_flow.Flow('f').add(
        *[Fail(f't{n}', error) for n, error in enumerate(errors)]
    )
    try:
        engines.run(flow, engine='parallel', max_workers=4, **options)
    except exceptions.WrappedFailure as error:
        print(
            'wrapped',
            len(error),
            sorted(str(f) for f in error),
            error.check(OSError),
            error.check(KeyError),
            error.check('builtins.ValueError'),
        )
    except Exception as error:
        print('single', type(error).__name__, error)


run(OSError('only'))


def make(error):
    try:
        raise error
    except Exception:
        return failure.Failure()


fails = [make(ValueError('v')), make(OSError('o'))]
for group in (fails, fails[:1], []):
    try:
        failure.Failure.reraise_if_any(group)
        print('nothing raised')
    except exceptions.WrappedFailure as error:
        print(len(error), [str(f) for f in error])
        print(str(error))
        print(error.check(ValueError, KeyError), error.check(KeyError))
    except Exception as error:
        print(type(error).__name__, error)
nested = make(exceptions.WrappedFailure(fails))
print(len(exceptions.WrappedFailure([nested, make(KeyError('k'))])))
