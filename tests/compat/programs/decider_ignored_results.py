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

"""What is ignored provides nothing."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import graph_flow


class Give(task.Task):
    def __init__(self, name, value):
        super().__init__(name, provides='value')
        self.value = value

    def execute(self):
        return self.value


class Start(task.Task):
    def execute(self):
        return 'go'


class Take(task.Task):
    def execute(self, value):
        print('take', value)


def run(first):
    start, one, two, take = (
        Start('s'),
        Give('one', 1),
        Give('two', 2),
        Take('take'),
    )
    flow = graph_flow.Flow('f').add(start, one, two)
    flow.add(take, resolve_requires=False)
    flow.link(start, one, decider=lambda history: first, decider_depth='atom')
    flow.link(
        start, two, decider=lambda history: not first, decider_depth='atom'
    )
    flow.link(one, take)
    flow.link(two, take)
    engine = engines.load(flow)
    engine.run()
    print(sorted(engine.storage.fetch_all().items()))


run(True)
run(False)
