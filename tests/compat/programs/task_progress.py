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

"""Progress that tasks tell of, and what is kept of it."""

from taskflow import engines
from taskflow import task
from taskflow.patterns import linear_flow


class Works(task.Task):
    def execute(self):
        for step in (0.25, 0.5, 0.75):
            self.update_progress(step)

    def revert(self, **kwargs):
        self.update_progress(0.5)


class Tells(task.Task):
    def execute(self):
        self.notifier.notify(
            task.EVENT_UPDATE_PROGRESS,
            {'progress': 0.4, 'message': 'almost', 'n': 1},
        )


class Beyond(task.Task):
    def execute(self):
        self.update_progress(1.5)
        self.update_progress(-3)


class Fails(task.Task):
    def execute(self):
        self.update_progress(0.9)
        raise ValueError('no')


def watch(event, details):
    print(event, {key: details[key] for key in sorted(details)})


def run(*tasks):
    for atom in tasks:
        atom.notifier.register(task.EVENT_UPDATE_PROGRESS, watch)
    engine = engines.load(linear_flow.Flow('f').add(*tasks))
    engine.compile()
    engine.prepare()
    print([engine.storage.get_task_progress(t.name) for t in tasks])
    try:
        engine.run()
    except ValueError as error:
        print('raised', error)
    for atom in tasks:
        print(
            atom.name,
            engine.storage.get_task_progress(atom.name),
            engine.storage.get_task_progress_details(atom.name),
        )


run(Works('works'))
run(Tells('tells'))
run(Beyond('beyond'))
run(Works('works'), Fails('fails'))
