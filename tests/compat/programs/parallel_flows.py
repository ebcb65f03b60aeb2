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

"""The parallel engine and the shapes of flows: results are the same."""

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.patterns import graph_flow
from taskflow.patterns import linear_flow
from taskflow.patterns import unordered_flow


class Add(task.Task):
    def execute(self, **kwargs):
        return sum(kwargs.values()) + 1


class Sometimes(task.Task):
    def execute(self, n):
        if n < 3:
            raise OSError(f'try {n}')
        return n


def make():
    return linear_flow.Flow('f').add(
        Add('a', provides='a'),
        unordered_flow.Flow('u').add(
            *[Add(f'u{n}', provides=f'u{n}', requires=['a']) for n in range(5)]
        ),
        graph_flow.Flow('g').add(
            Add('g2', provides='g2', requires=['g1', 'u0']),
            Add('g1', provides='g1', requires=['u1']),
        ),
        linear_flow.Flow('r', retry=retry.Times(4, 't', provides='n')).add(
            Sometimes('s', provides='s')
        ),
    )


for options in (
    {},
    {'engine': 'parallel'},
    {'engine': 'parallel', 'max_workers': 1},
    {'engine': 'parallel', 'max_workers': 8},
):
    engine = engines.load(make(), **options)
    engine.run()
    print(sorted(engine.storage.fetch_all().items()))
    print(engine.storage.get_flow_state())
