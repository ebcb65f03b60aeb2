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

"""Options of engines."""

from concurrent import futures

from taskflow import engines
from taskflow import exceptions
from taskflow import task
from taskflow.patterns import linear_flow


class T(task.Task):
    def __init__(self, name, fail=False, **kwargs):
        super().__init__(name, **kwargs)
        self.fail = fail

    def execute(self, **kwargs):
        if self.fail:
            raise OSError('fail')
        return self.name

    def revert(self, **kwargs):
        print('revert', self.name)


def flow():
    return linear_flow.Flow('f').add(T('a'), T('b', fail=True))


for options in (
    {},
    {'never_resolve': True},
    {'defer_reverts': True},
    {'gather_statistics': False},
):
    engine = engines.load(flow(), **options)
    print(sorted(engine.options.items()))
    try:
        engine.run()
    except OSError as error:
        print('raised', error)
    print(
        engine.storage.get_flow_state(),
        engine.storage.get_atom_state('a'),
        engine.storage.get_atom_state('b'),
    )

good = linear_flow.Flow('good').add(T('a', provides='a'))
for name in ('default', 'serial', 'parallel'):
    print(name, engines.run(good, engine=name))
print(engines.run(good, engine='parallel', max_workers=2))
print(engines.run(good, engine='parallel', executor='threads'))
print(engines.run(good, engine='parallel', executor='threaded'))
print(engines.run(good, engine='parallel', executor='thread'))
print(engines.run(good, engine='serial', executor=None, max_workers=3))
with futures.ThreadPoolExecutor(2) as pool:
    print(engines.run(good, engine='parallel', executor=pool))
    print(engines.run(good, engine='parallel', executor=pool))
    print(pool.submit(lambda: 'still open').result())
print(engines.run(good, engine='parallel://?max_workers=2'))
for wrong in ('nonsense', 'nonsense://x'):
    try:
        engines.load(good, engine=wrong)
    except exceptions.NotFound:
        print('NotFound')
for wrong in (5, 'nonsense'):
    try:
        engines.run(good, engine='parallel', executor=wrong)
        print('ran')
    except Exception as error:
        print(type(error).__name__)
try:
    engines.load(good, namespace='nobody.engines')
except exceptions.NotFound:
    print('NotFound')
