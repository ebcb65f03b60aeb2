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

"""Several atoms that provide the same name."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow
from taskflow.patterns import unordered_flow


class Give(task.Task):
    def __init__(self, name, value):
        super().__init__(name, provides='v')
        self.value = value

    def execute(self):
        return self.value


class Take(task.Task):
    def execute(self, v):
        return v


flow = linear_flow.Flow('f').add(
    Give('one', 1),
    Take('t1', provides='first'),
    Give('two', 2),
    Take('t2', provides='second'),
)
engine = engines.load(flow)
engine.run()
print(sorted(engine.storage.fetch_all().items()))
print(engine.storage.fetch('v'))
print(engine.storage.fetch('v', many_handler=lambda values: values))
print(
    sorted(
        engine.storage.fetch_all(
            many_handler=lambda values: values[-1]
        ).items()
    )
)

flow = linear_flow.Flow('f').add(
    Give('one', 1),
    unordered_flow.Flow('u').add(
        linear_flow.Flow('l1').add(
            Give('two', 2), Take('t2', provides='second')
        ),
        linear_flow.Flow('l2').add(Take('t1', provides='first')),
    ),
    Take('t3', provides='third'),
)
result = engines.run(flow)
print(result['first'], result['second'], result['third'] in (1, 2))
print(engines.run(flow, store={'v': 'stored'})['first'])
