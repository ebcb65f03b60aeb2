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

"""A targeted flow runs what its target needs, and nothing else."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import graph_flow


class Step(task.Task):
    def execute(self, **kwargs):
        return self.name, sorted(kwargs)


flow = graph_flow.TargetedFlow('t').add(
    Step('a', provides='a'),
    Step('b', provides='b', requires=['a']),
    Step('c', provides='c', requires=['a']),
    Step('d', provides='d', requires=['b', 'c']),
)
target = next(item for item in flow if item.name == 'b')
flow.set_target(target)
print(len(flow), [item.name for item in flow], sorted(flow.provides))
print(sorted(engines.run(flow).items()))
flow.reset_target()
print(len(flow), sorted(flow.provides))
print(sorted(engines.run(flow).items()))
try:
    flow.set_target(Step('zz'))
except ValueError as error:
    print(type(error).__name__)
