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

"""A graph flow orders its tasks by what they need."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import graph_flow


class Build(task.Task):
    def execute(self, **parts):
        return self.name.upper() + ''.join(sorted(parts.values()))


def make(name, needs=()):
    return Build(name, provides=name, requires=list(needs))


flow = graph_flow.Flow('car')
flow.add(
    make('assemble', ['engine', 'body', 'doors']),
    make('engine', ['steel']),
    make('doors', ['glass', 'steel']),
    make('body', ['steel']),
    make('glass'),
    make('steel'),
)
print(flow, sorted(flow.requires), sorted(flow.provides))
print(
    sorted(
        (u.name, v.name, sorted(meta['reasons']))
        for u, v, meta in flow.iter_links()
    )
)
print([item.name for item in flow])
result = engines.run(flow)
print(sorted(result.items()))
order = [item.name for item in flow]
for early, late in (
    ('steel', 'engine'),
    ('glass', 'doors'),
    ('doors', 'assemble'),
):
    print(early, 'before', late, order.index(early) < order.index(late))
