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

"""A linear flow passes results along and returns all of them."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow


class Provide(task.Task):
    default_provides = 'a'

    def execute(self):
        print('provide')
        return 5


class Add(task.Task):
    def execute(self, a, b=10):
        print('add', a, b)
        return a + b


class Pair(task.Task):
    default_provides = ('x', 'y')

    def execute(self, total):
        return total, total * 2


class Keyed(task.Task):
    default_provides = {'k1', 'k2'}

    def execute(self, x, y):
        return {'k1': x, 'k2': y, 'more': 0}


flow = linear_flow.Flow('numbers').add(
    Provide(), Add('add', provides='total'), Pair(), Keyed()
)
print(flow)
print(len(flow), sorted(flow.requires), sorted(flow.provides))
print([item.name for item in flow])
print([(u.name, v.name, dict(meta)) for u, v, meta in flow.iter_links()])
print([(n.name, meta) for n, meta in flow.iter_nodes()])
result = engines.run(flow)
for name in sorted(result):
    print(name, result[name])
print(
    sorted(
        engines.run(
            linear_flow.Flow('again').add(
                Provide(), Add('add', provides='total')
            ),
            store={'b': 1},
        ).items()
    )
)
