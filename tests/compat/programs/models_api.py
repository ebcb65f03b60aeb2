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

"""The models of the logbook."""

from taskflow.persistence import models
from taskflow.types import failure


def raises(error):
    try:
        raise error
    except Exception:
        return failure.Failure()


book = models.LogBook('book', 'b1')
flow = models.FlowDetail('flow', 'f1')
one = models.TaskDetail('one', 'a1')
two = models.RetryDetail('two', 'a2')
flow.add(one)
flow.add(two)
book.add(flow)
print(
    book.name,
    book.uuid,
    book.meta,
    len(book),
    book.created_at,
    book.updated_at,
)
print(flow.name, flow.uuid, flow.state, flow.meta, len(flow))
print(
    one.name,
    one.uuid,
    one.state,
    one.intention,
    one.results,
    one.failure,
    one.revert_results,
    one.revert_failure,
    one.meta,
    one.version,
)
print(two.results, two.last_results if two.results else None)
print(
    book.find('f1') is flow,
    book.find('x'),
    flow.find('a1') is one,
    flow.find('x'),
)
print([f.name for f in book], [a.name for a in flow])
print(
    models.atom_detail_class('TASK_DETAIL') is models.TaskDetail,
    models.atom_detail_type(two),
)
for what in (
    lambda: models.atom_detail_class('nonsense'),
    lambda: models.atom_detail_type(5),
):
    try:
        what()
    except Exception as error:
        print(type(error).__name__)
print(one.put('SUCCESS', {'x': 1}), one.state, one.results, one.last_results)
error = raises(OSError('no'))
print(one.put('FAILURE', error), one.failure is error, one.results)
one.put('REVERTED', 'undone')
print(one.state, one.results, one.failure, one.revert_results)
one.put('REVERT_FAILURE', error)
print(one.state, one.revert_results, one.revert_failure is error)
one.reset('PENDING')
print(one.state, one.intention, one.results, one.failure, one.revert_failure)
two.put('SUCCESS', 'v1')
two.put('SUCCESS', 'v2')
print(two.results, two.last_results, two.last_failures)
two.put('FAILURE', error)
print(two.results, two.failure is error)
two.reset('PENDING')
print(two.results, two.state)
copy = book.copy()
print(
    copy is book,
    copy.find('f1') is flow,
    len(copy),
    len(book.copy(retain_contents=False)),
)
print(len(flow.copy(retain_contents=False)), len(flow.copy()))
print(len(models.LogBook('x').uuid))
