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

"""Progress events between the events of the states."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow


class Works(task.Task):
    def execute(self):
        print('  execute')
        self.update_progress(0.5)

    def revert(self, **kwargs):
        print('  revert')
        self.update_progress(0.5)


class Fails(task.Task):
    def execute(self):
        print('  fails')
        raise ValueError('no')

    def revert(self, **kwargs):
        raise OSError('not reverted')


def run(*tasks):
    engine = engines.load(linear_flow.Flow('f').add(*tasks))

    def watch(event, details):
        name = details.get('task_name')
        print('atom', event, name, engine.storage.get_task_progress(name))

    for atom in tasks:

        def progress(event, details, atom=atom):
            print(
                'progress',
                atom.name,
                details['progress'],
                engine.storage.get_atom_state(atom.name),
                engine.storage.get_task_progress(atom.name),
            )

        atom.notifier.register('*', progress)
    engine.atom_notifier.register('*', watch)
    try:
        engine.run()
    except (ValueError, OSError) as error:
        print('raised', error)


run(Works('works'))
run(Works('works'), Fails('fails'))
