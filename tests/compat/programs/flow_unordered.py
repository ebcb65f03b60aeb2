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

"""Unordered tasks do not see each other's results."""

from taskflow import engines
from taskflow import exceptions
from taskflow import task
from taskflow.patterns import linear_flow
from taskflow.patterns import unordered_flow


class Give(task.Task):
    def __init__(self, name, value, **kwargs):
        super().__init__(name, **kwargs)
        self.value = value

    def execute(self):
        return self.value


class Take(task.Task):
    def execute(self, value):
        return value * 2


flow = unordered_flow.Flow('u')
flow.add(Give('one', 1, provides='v1'), Give('two', 2, provides='v2'))
print(flow, sorted(flow.requires), sorted(flow.provides))
print(list(flow.iter_links()), [n.name for n, _ in flow.iter_nodes()])
print(sorted(engines.run(flow).items()))

broken = unordered_flow.Flow('b')
broken.add(Give('giver', 1, provides='value'), Take('taker'))
print(sorted(broken.requires))
try:
    engines.run(broken)
except exceptions.MissingDependencies as error:
    print('missing', sorted(error.missing_requirements))

works = linear_flow.Flow('w').add(
    Give('giver', 7, provides='value'),
    unordered_flow.Flow('takers').add(
        Take('t1', provides='r1'), Take('t2', provides='r2')
    ),
)
print(sorted(engines.run(works).items()))
