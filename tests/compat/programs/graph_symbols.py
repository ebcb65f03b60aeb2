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

"""Symbols of a graph flow: inside, outside, in nested flows."""

from taskflow import engines
from taskflow import exceptions
from taskflow import retry
from taskflow import task
from taskflow.patterns import graph_flow
from taskflow.patterns import linear_flow


class T(task.Task):
    def execute(self, **kwargs):
        return sorted(kwargs.items())


def t(name, requires=(), provides=None):
    return T(name, requires=list(requires), provides=provides)


flow = graph_flow.Flow('g', retry=retry.Times(1, 'r', provides='n'))
flow.add(
    linear_flow.Flow('l').add(t('l1', ['x'], 'y'), t('l2', ['y', 'n'], 'z')),
    t('needs', ['z']),
    t('gives', [], 'x'),
)
print(sorted(flow.requires), sorted(flow.provides))
print(
    sorted(
        (u.name, v.name, sorted(meta['reasons']))
        for u, v, meta in flow.iter_links()
    )
)
print(sorted(engines.run(flow).items()))
flow.add(t('more', ['q'], 'w'))
print(sorted(flow.requires))
flow.add(t('q', [], 'q'))
print(sorted(flow.requires), len(list(flow.iter_links())))
self_needing = graph_flow.Flow('s')
try:
    self_needing.add(t('self', ['a'], 'a'))
    print(len(self_needing), sorted(self_needing.requires))
except exceptions.DependencyFailure:
    print('DependencyFailure')
for group in (
    [('a', ['y'], 'x'), ('b', ['x'], 'y')],
    [('a', ['z'], 'x'), ('b', ['x'], 'y'), ('c', ['y'], 'z')],
):
    loop = graph_flow.Flow('loop')
    try:
        loop.add(*[t(*each) for each in group])
        print('added')
    except exceptions.DependencyFailure:
        print('DependencyFailure', len(loop))
