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

"""What flows require and provide, retries included."""

from taskflow import retry
from taskflow import task
from taskflow.patterns import graph_flow
from taskflow.patterns import linear_flow
from taskflow.patterns import unordered_flow


class T(task.Task):
    def execute(self, **kwargs):
        pass


class R(retry.AlwaysRevert):
    def execute(self, conf, *args, **kwargs):
        return 1

    def on_failure(self, other, *args, **kwargs):
        return retry.REVERT


def t(name, requires=(), provides=()):
    return T(name, requires=list(requires), provides=tuple(provides))


for kind in (linear_flow, unordered_flow, graph_flow):
    flow = kind.Flow('f', retry=R('r', provides='given'))
    flow.add(t('a', ['given', 'x'], ['p']), t('b', ['p', 'y'], ['q']))
    print(
        kind.__name__.rpartition('.')[2],
        sorted(flow.requires),
        sorted(flow.provides),
        flow.retry.name,
    )

outer = linear_flow.Flow('o').add(
    t('first', [], ['x', 'conf']),
    linear_flow.Flow('i', retry=R(provides='given')).add(
        t('a', ['given', 'x', 'w'], ['p'])
    ),
)
print(sorted(outer.requires), sorted(outer.provides))
inner = list(outer)[1]
print(inner.name, inner.retry.name, inner.retry)
print(isinstance(outer.requires, frozenset))
