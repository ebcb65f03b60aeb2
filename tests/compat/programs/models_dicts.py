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

"""Models as dictionaries."""

import datetime

from taskflow.persistence import models
from taskflow.types import failure

book = models.LogBook('book', 'b1')
book.meta = {'m': 1}
book.created_at = datetime.datetime(2020, 1, 2, 3, 4, 5)
print(sorted(book.to_dict().items()))
marshalled = book.to_dict(marshal_time=True)
print(marshalled['name'], marshalled['created_at'] is not None)
again = models.LogBook.from_dict(marshalled, unmarshal_time=True)
print(again.name, again.uuid, again.meta, again.created_at.year)
flow = models.FlowDetail('flow', 'f1')
flow.state = 'RUNNING'
print(sorted(flow.to_dict().items()))
print(sorted(models.FlowDetail.from_dict(flow.to_dict()).to_dict().items()))
atom = models.TaskDetail('atom', 'a1')
atom.put('SUCCESS', 5)
atom.version = (1, 0)
print(sorted(atom.to_dict().items()))
print(sorted(models.TaskDetail.from_dict(atom.to_dict()).to_dict().items()))
retry = models.RetryDetail('retry', 'r1')
retry.put('SUCCESS', 'v')
try:
    raise OSError('x')
except OSError:
    found = failure.Failure()
retry.results[-1][1]['t'] = found
data = retry.to_dict()
print(
    data['results'][0][0],
    sorted(data['results'][0][1]),
    data['results'][0][1]['t']['exception_str'],
)
