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

"""The history object."""

from taskflow import retry
from taskflow.types import failure


def make(error):
    try:
        raise error
    except Exception:
        return failure.Failure()


one, two = make(ValueError('one')), make(OSError('two'))
history = retry.History([('a', {'x': one}), ('b', {'y': two, 'z': one})])
print(len(history), history.failure, list(history.provided_iter()))
print(history[0][0], [value for value, _ in history])
print([(name, str(f)) for name, f in history.outcomes_iter()])
print([(name, str(f)) for name, f in history.outcomes_iter(index=1)])
print(
    history.caused_by(ValueError),
    history.caused_by('builtins.OSError'),
    history.caused_by(OSError, index=0),
    history.caused_by(OSError, index=-1),
)
print(history.caused_by(KeyError, include_retry=True))
last = retry.History([], failure=make(KeyError('retry')))
print(
    len(last),
    last.caused_by(KeyError),
    last.caused_by(KeyError, include_retry=True),
    str(last.failure),
)
try:
    history[5]
except IndexError:
    print('IndexError')
