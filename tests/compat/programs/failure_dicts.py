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

"""Failures as dictionaries, and back."""

import json
import pickle

from taskflow import exceptions
from taskflow.types import failure


class Mine(ValueError):
    pass


def raises(error):
    try:
        raise error
    except Exception:
        return failure.Failure()


found = raises(Mine('text', 3))
data = found.to_dict()
print(sorted(data))
print(
    data['exception_str'],
    data['exc_type_names'],
    data['exc_args'],
    data['causes'],
    data['version'],
)
print(sorted(found.to_dict(include_args=False).items())[1])
failure.Failure.validate(json.loads(json.dumps(data)))
back = failure.Failure.from_dict(json.loads(json.dumps(data)))
print(str(back), list(back), back.exc_info, back.exception)
print(back.matches(found), found.matches(back), back == found)
print(back.check(ValueError), back.check('builtins.ValueError'))
print(back.pformat())
try:
    back.reraise()
except exceptions.WrappedFailure as error:
    print('wrapped', [str(f) for f in error], error.check(ValueError))
for key in ('exception_str', 'exc_type_names', 'version'):
    broken = dict(data)
    if key == 'exc_type_names':
        broken[key] = ['nonsense']
    elif key == 'version':
        broken[key] = -1
    else:
        del broken[key]
    try:
        failure.Failure.validate(broken)
        print(key, 'valid')
    except Exception as error:
        print(key, type(error).__name__)
cause = None
try:
    try:
        raise OSError('first')
    except OSError as error:
        raise Mine('second') from error
except Mine:
    cause = failure.Failure()
back = failure.Failure.from_dict(cause.to_dict())
print([str(c) for c in back.causes], len(cause.to_dict()['causes']))
print(str(pickle.loads(pickle.dumps(back))))
