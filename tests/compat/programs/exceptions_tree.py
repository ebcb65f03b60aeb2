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

"""The tree of exceptions, and their text."""

from taskflow import exceptions as exc

names = [
    'TaskFlowException',
    'StorageFailure',
    'ConductorFailure',
    'JobFailure',
    'UnclaimableJob',
    'ExecutionFailure',
    'RequestTimeout',
    'InvalidState',
    'DependencyFailure',
    'AmbiguousDependency',
    'MissingDependencies',
    'CompilationFailure',
    'IncompatibleVersion',
    'Duplicate',
    'NotFound',
    'Empty',
    'MultipleChoices',
    'InvalidFormat',
    'DisallowedAccess',
    'NotImplementedError',
    'WrappedFailure',
]
for name in names:
    cls = getattr(exc, name)
    print(
        name,
        [
            base
            for base in names
            if base != name and issubclass(cls, getattr(exc, base))
        ],
        issubclass(cls, Exception),
    )
error = exc.TaskFlowException('outer', OSError('inner'))
print(str(error))
print(error.cause)
print(error.pformat(show_root_class=True))
deep = exc.NotFound('a', exc.StorageFailure('b', KeyError('c')))
print(str(deep))
print(deep.pformat(indent=4))
try:
    error.pformat(indent=-1)
except ValueError:
    print('ValueError')
try:
    try:
        raise OSError('low')
    except OSError:
        exc.raise_with_cause(exc.StorageFailure, 'high')
except exc.StorageFailure as error:
    print(str(error), repr(error.cause), repr(error.__cause__))
missing = exc.MissingDependencies('who', ['b', 'a'])
print(missing.missing_requirements, 'who' in str(missing))
print(exc.DisallowedAccess('no', state='RUNNING').state)
try:
    exc.raise_with_cause(OSError, 'x')
except ValueError:
    print('ValueError')
