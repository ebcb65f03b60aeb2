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

"""What a task that fails at first leaves for the second run."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow

broken = True


class T(task.Task):
    def execute(self):
        print('execute', self.name)
        return self.name

    def revert(self, **kwargs):
        print('revert', self.name)


class Sometimes(T):
    def execute(self):
        print('execute', self.name)
        if broken:
            raise OSError('broken')
        return 'mended'


for options in ({},):
    broken = True
    engine = engines.load(
        linear_flow.Flow('f').add(
            T('a', provides='ra'), Sometimes('s', provides='rs'), T('z')
        ),
        **options,
    )
    try:
        engine.run()
    except OSError as error:
        print('raised', error)
    print(engine.storage.get_flow_state())
    broken = False
    try:
        engine.run()
    except Exception as error:
        print('raised', type(error).__name__, error)
    print(engine.storage.get_flow_state(), engine.storage.fetch_all())
