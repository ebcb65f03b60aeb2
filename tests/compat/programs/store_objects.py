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

"""Without a backend any object is stored, and it stays the same one."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow


class Thing:
    def __init__(self):
        self.seen = []


class Touch(task.Task):
    default_provides = 'made'

    def execute(self, thing):
        thing.seen.append(self.name)
        return thing


class Check(task.Task):
    def execute(self, thing, made):
        print(thing is made, thing.seen)
        return lambda: 5


thing = Thing()
engine = engines.load(
    linear_flow.Flow('f').add(Touch('t'), Check('c', provides='call')),
    store={'thing': thing},
)
engine.run()
print(engine.storage.fetch('thing') is thing, thing.seen)
print(engine.storage.fetch('made') is thing, engine.storage.fetch('call')())
for engine_name in ('serial', 'parallel'):
    result = engines.run(
        linear_flow.Flow('f').add(Touch('t')),
        store={'thing': thing},
        engine=engine_name,
    )
    print(result['made'] is thing)
