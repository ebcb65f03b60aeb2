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

"""Merging and updating models."""

from taskflow import exceptions
from taskflow.persistence import models

one = models.FlowDetail('flow', 'f1')
two = models.FlowDetail('flow', 'f1')
two.state = 'RUNNING'
two.meta = {'a': 1}
print(one.merge(two) is one, one.state, one.meta)
other = models.FlowDetail('other', 'f2')
try:
    one.merge(other)
except exceptions.NotFound:
    print('NotFound')
atom = models.TaskDetail('t', 'a1')
new = models.TaskDetail('t', 'a1')
new.put('SUCCESS', [1])
new.meta = {'x': 1}
new.intention = 'REVERT'
print(atom.merge(new).results, atom.state, atom.meta, atom.intention)
try:
    atom.merge(models.RetryDetail('t', 'a1'))
except exceptions.NotImplementedError:
    print('NotImplementedError')
except Exception as error:
    print(type(error).__name__)
retry = models.RetryDetail('r', 'r1')
newer = models.RetryDetail('r', 'r1')
newer.put('SUCCESS', 1)
print(retry.merge(newer).results)
book = models.LogBook('b', 'b1')
later = models.LogBook('b', 'b1')
later.meta = {'q': 2}
later.add(one)
print(book.merge(later).meta, len(book))
print(one.update(two) is one, one.state)
deep = models.TaskDetail('t', 'a1').merge(new, deep_copy=True)
print(deep.results == new.results)
