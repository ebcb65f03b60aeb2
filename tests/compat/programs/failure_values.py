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

"""Failures: what they say, and what can be asked of them."""

from taskflow.types import failure


class Mine(ValueError):
    pass


def raises(error, cause=None):
    try:
        raise error from cause
    except Exception:
        return failure.Failure()


found = raises(Mine('what', 5))
print(str(found), found.exception_str, found.exception_args)
print(list(found))
print(
    found.check(ValueError) is ValueError,
    found.check(KeyError),
    found.check('builtins.ValueError'),
    found.check(Mine, ValueError),
)
print(found.exc_info[0].__name__, found.exception is found.exc_info[1])
print(found.traceback_str.splitlines()[-1].strip() != '')
print(found.pformat())
print(found.pformat(traceback=True).splitlines()[0])
copy = found.copy()
print(copy is found, copy == found, copy.matches(found), copy != found)
other = raises(Mine('other'))
print(other == found, other.matches(found))
try:
    found.reraise()
except Mine as error:
    print('raised', error, error is found.exception)
made = failure.Failure.from_exception(OSError('made'))
print(str(made), made.exc_info[2] is None)
caused = raises(KeyError('second'), cause=OSError('first'))
print([str(c) for c in caused.causes])
implicit = None
try:
    try:
        raise OSError('first')
    except OSError:
        raise KeyError('second')  # noqa: B904
except KeyError:
    implicit = failure.Failure()
print([str(c) for c in implicit.causes])
try:
    hash(found)
except TypeError:
    print('unhashable')
try:
    failure.Failure()
except Exception as error:
    print(type(error).__name__)
