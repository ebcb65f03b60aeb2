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

"""Models as text."""

from taskflow.persistence import models

book = models.LogBook('book', 'b1')
flow = models.FlowDetail('flow', 'f1')
atom = models.TaskDetail('atom', 'a1')
atom.put('SUCCESS', {'x': 1})
flow.add(atom)
retry = models.RetryDetail('retry', 'r1')
retry.put('SUCCESS', 1)
flow.add(retry)
book.add(flow)
print(book.pformat())
print(flow.pformat())
print(flow.pformat(indent=2))
print(atom.pformat())
