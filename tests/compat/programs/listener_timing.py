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

"""What the listeners of times keep and print."""

from taskflow import engines
from taskflow import task
from taskflow.listeners import timing
from taskflow.patterns import linear_flow


class T(task.Task):
    def execute(self):
        return self.name


class Fail(task.Task):
    def execute(self):
        raise OSError('fail')


def meta(engine, name):
    uuid = engine.storage.get_atom_uuid(name)
    return engine.storage._flowdetail.find(uuid).meta


engine = engines.load(linear_flow.Flow('f').add(T('a'), T('b')))
with timing.DurationListener(engine):
    engine.run()
print(
    sorted(engine.storage.flow_meta), engine.storage.flow_meta['duration'] >= 0
)
print([meta(engine, name)['duration'] >= 0 for name in 'ab'])
engine = engines.load(linear_flow.Flow('f').add(T('a'), Fail('x')))
with timing.PrintingDurationListener(engine):
    try:
        engine.run()
    except OSError as error:
        print('raised', error)
lines = []
engine = engines.load(linear_flow.Flow('f').add(T('a')))
with timing.PrintingDurationListener(engine, printer=lines.append):
    engine.run()
print(len(lines))
engine = engines.load(linear_flow.Flow('f').add(T('a')))
with timing.EventTimeListener(engine):
    engine.run()
print(sorted(engine.storage.flow_meta))
print(sorted(key for key in meta(engine, 'a') if 'time' in key))
