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

"""Targets in flows, with links and nested flows."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import graph_flow
from taskflow.patterns import linear_flow


class T(task.Task):
    def execute(self, **kwargs):
        return self.name


def t(name, requires=()):
    return T(name, requires=list(requires), provides=name)


a, b, c, d, e = (t('a'), t('b', ['a']), t('c', ['b']), t('d'), t('e', ['a']))
flow = graph_flow.TargetedFlow('t').add(a, b, c, d, e)
print(
    sorted(item.name for item in flow),
    sorted(flow.requires),
    sorted(flow.provides),
)
for target in (a, b, c, d, e):
    flow.set_target(target)
    print(
        target.name,
        sorted(engines.run(flow)),
        len(flow),
        sorted(flow.provides),
    )
flow.link(d, a)
print(sorted(item.name for item in flow))
flow.set_target(b)
print(sorted(item.name for item in flow))
flow.reset_target()
print(sorted(item.name for item in flow))
sub = linear_flow.Flow('sub').add(t('s1', ['a']), t('s2'))
flow.add(sub)
flow.set_target(sub)
print(sorted(engines.run(flow)))
outer = linear_flow.Flow('o').add(flow)
print(sorted(engines.run(outer)))
