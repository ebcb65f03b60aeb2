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

"""Revert results tell what became of a volume, as in Cinder."""

from taskflow import engines
from taskflow import exceptions
from taskflow import formatters
from taskflow import task
from taskflow.listeners import base
from taskflow.patterns import linear_flow
from taskflow.types import failure


class CinderTask(task.Task):
    def __init__(self, addons=None, **kwargs):
        super().__init__(self.make_name(addons), **kwargs)

    @classmethod
    def make_name(cls, addons=None):
        name = '.'.join((cls.__module__, cls.__name__))
        return ';'.join([name] + sorted(addons or []))


class Extract(CinderTask):
    default_provides = {'spec', 'size'}

    def __init__(self, database):
        super().__init__(addons=['ACTION'])
        self.database = database

    def execute(self, volume_id):
        return {'spec': self.database[volume_id], 'size': 5, 'other': 1}


class OnFailure(CinderTask):
    def __init__(self, database):
        super().__init__(requires=['volume_id', 'spec'])
        self.database = database

    def execute(self, **kwargs):
        return None

    def revert(self, result, flow_failures, volume_id, **kwargs):
        if isinstance(result, failure.Failure):
            return False
        causes = list(flow_failures.values())
        if any(cause.check(ValueError) for cause in causes):
            return False
        self.database[volume_id] = 'rescheduled'
        return True


class Create(CinderTask):
    default_provides = 'volume'

    def __init__(self, error=None):
        super().__init__()
        self.error = error

    def execute(self, spec, size):
        if self.error:
            raise self.error
        return f'{spec} {size}'


class Watch(base.Listener):
    def __init__(self, engine):
        super().__init__(engine, task_listen_for=('FAILURE', 'REVERTED'))
        self.formatter = formatters.FailureFormatter(engine)

    def _task_receiver(self, state, details):
        result = details['result']
        print(details['task_name'], state, str(result)[:40])


def run(error):
    database = {'v1': 'spec'}
    engine = engines.load(
        linear_flow.Flow('create').add(
            Extract(database), OnFailure(database), Create(error)
        ),
        store={'volume_id': 'v1'},
    )
    with Watch(engine):
        try:
            engine.run()
        except Exception as raised:
            print('raised', type(raised).__name__)
            try:
                print(engine.storage.fetch('volume'))
            except exceptions.NotFound:
                print(
                    engine.storage.get_revert_result(OnFailure.make_name([]))
                )
        else:
            print(engine.storage.fetch('volume'))
    print(database, engine.storage.get_flow_state())


run(None)
run(OSError('backend'))
run(ValueError('bad'))
