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

"""What LoggingListener writes."""

import logging
import sys

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.listeners import logging as logging_listener
from taskflow.patterns import linear_flow

log = logging.getLogger('compat.logging')
log.propagate = False
log.setLevel(logging.DEBUG)
handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(logging.Formatter('%(levelname)s %(message)s'))
log.handlers = [handler]


class T(task.Task):
    def execute(self):
        return {'a': 1}

    def revert(self, **kwargs):
        return 'undone'


class Fail(task.Task):
    def execute(self):
        raise OSError('fail')


def run(flow, **kwargs):
    engine = engines.load(flow)
    with logging_listener.LoggingListener(engine, log=log, **kwargs):
        try:
            engine.run()
        except OSError as error:
            print('raised', error)


run(linear_flow.Flow('good').add(T('t')))
run(
    linear_flow.Flow('bad', retry=retry.AlwaysRevert('r')).add(
        T('t'), Fail('fail')
    ),
    level=logging.INFO,
)
run(
    linear_flow.Flow('some').add(T('t')),
    task_listen_for=('SUCCESS',),
    flow_listen_for=(),
)
print(logging_listener.LOG.name)
