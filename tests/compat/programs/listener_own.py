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

"""Listeners of one's own, and ones that raise."""

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.listeners import base
from taskflow.patterns import linear_flow


class T(task.Task):
    def execute(self):
        print('execute', self.name)


class Mine(base.Listener):
    def _flow_receiver(self, state, details):
        print('flow', details['flow_name'], state)

    def _task_receiver(self, state, details):
        print('task', details['task_name'], state)

    def _retry_receiver(self, state, details):
        print('retry', details['retry_name'], state)


class Dump(base.DumpingListener):
    def _dump(self, message, *args, **kwargs):
        print((message % args)[-30:])


class Broken(base.Listener):
    def _flow_receiver(self, state, details):
        raise OSError('flow')

    def _task_receiver(self, state, details):
        raise OSError('task')


def flow():
    return linear_flow.Flow('f', retry=retry.Times(1, 'r')).add(T('a'))


engine = engines.load(flow())
with Mine(engine) as listener:
    print(isinstance(listener, Mine))
    engine.run()
engine.run()
engine = engines.load(flow())
listener = Mine(engine, task_listen_for=['SUCCESS'], flow_listen_for=[])
listener.register()
listener.register()
engine.run()
listener.deregister()
listener.deregister()
print(len(engine.notifier), len(engine.atom_notifier))
engine = engines.load(flow())
with Dump(engine):
    with Broken(engine):
        engine.run()
print(engine.storage.get_flow_state())
try:
    base.DumpingListener(engine)
except TypeError:
    print('TypeError')
print(base.DEFAULT_LISTEN_FOR, base.FINISH_STATES)
try:
    with Mine(engines.load(flow())):
        raise KeyError('inside')
except KeyError as error:
    print('raised', error)
