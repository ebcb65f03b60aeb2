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

"""Links made by hand, and what cannot be linked."""

from taskflow import engines
from taskflow import exceptions
from taskflow import task
from taskflow.patterns import graph_flow


class Say(task.Task):
    def execute(self):
        print('say', self.name)


class Give(task.Task):
    def execute(self):
        return 1


class Take(task.Task):
    def execute(self, x):
        return x


a, b, c, d = (Say(name) for name in 'abcd')
flow = graph_flow.Flow('g').add(a, b, c)
print(flow.link(c, b) is flow)
flow.link(b, a)
print([(u.name, v.name, dict(meta)) for u, v, meta in flow.iter_links()])
engines.run(flow)


def attempt(what, *args, **kwargs):
    try:
        what(*args, **kwargs)
        print('fine')
    except Exception as error:
        print(
            type(error).__name__,
            isinstance(error, exceptions.DependencyFailure),
        )


attempt(flow.link, a, c)
print(len(flow), [(u.name, v.name) for u, v, _ in flow.iter_links()])
attempt(flow.link, a, d)
attempt(flow.link, d, a)
attempt(flow.link, a, b, decider='no')
attempt(flow.link, a, b, decider_depth='nonsense')

cycle = graph_flow.Flow('c').add(
    Take('p', provides='y', rebind={'x': 'z'}),
)
attempt(cycle.add, Take('q', provides='z', rebind={'x': 'y'}))
print(len(cycle), sorted(cycle.provides))

two = graph_flow.Flow('two').add(
    Give('g1', provides='x'), Give('g2', provides='x')
)
attempt(two.add, Take('t'))
print(len(two))
print(two.add(Take('t'), resolve_requires=False) is two, len(two))
print(sorted(two.requires))

late = graph_flow.Flow('late').add(Take('t'))
late.add(Give('g', provides='x'), resolve_existing=False)
print(list(late.iter_links()), sorted(late.requires))
early = graph_flow.Flow('early').add(Take('t'))
early.add(Give('g', provides='x'))
print([(u.name, v.name, dict(meta)) for u, v, meta in early.iter_links()])
print(sorted(engines.run(early).items()))
