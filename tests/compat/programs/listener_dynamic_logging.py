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

"""What DynamicLoggingListener writes."""

import logging
import sys

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.listeners import logging as logging_listener
from taskflow.patterns import linear_flow

log = logging.getLogger('compat.dynamic')
log.propagate = False
handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(logging.Formatter('%(levelname)s %(message)s'))
log.handlers = [handler]


class T(task.Task):
    default_provides = 'made'

    def execute(self, user, password):
        return {'token': 'secret', 'user': user}

    def revert(self, **kwargs):
        return 'undone'


class Fail(task.Task):
    def execute(self, made):
        raise OSError('fail')


class FailRevert(task.Task):
    def execute(self):
        return 1

    def revert(self, **kwargs):
        raise ValueError('revert')


def run(*tasks, threshold=logging.DEBUG, controller=None, **kwargs):
    print('--', sorted(kwargs), threshold)
    log.setLevel(threshold)
    flow = linear_flow.Flow('flow', retry=controller).add(*tasks)
    engine = engines.load(flow, store={'user': 'me', 'password': 'pw'})
    with logging_listener.DynamicLoggingListener(engine, log=log, **kwargs):
        try:
            engine.run()
        except (OSError, ValueError) as error:
            print('raised', error)


run(T('t'))
run(T('t'), Fail('fail'))
run(
    T('t'),
    Fail('fail'),
    mask_inputs_keys=('password',),
    mask_outputs_keys=('token',),
)
run(T('t'), Fail('fail'), hide_inputs_outputs_of=('t',))
run(T('t'), Fail('fail'), threshold=logging.WARNING)
run(
    T('t'),
    Fail('fail'),
    threshold=logging.INFO,
    level=logging.INFO,
    failure_level=logging.ERROR,
)
run(FailRevert('fr'), T('t'), Fail('fail'), threshold=logging.WARNING)
run(
    T('t'),
    Fail('fail'),
    threshold=logging.WARNING,
    controller=retry.Times(2, 'times'),
)
