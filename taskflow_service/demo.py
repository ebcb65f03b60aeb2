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
"""Two tasks and a flow that every installation can run.

Registered as ``demo.hello``, ``demo.goodbye`` and ``demo.hello_goodbye``: a
deployment is tried with them before there are tasks of its own, and they are
the first thing that a developer reads.
"""

from __future__ import annotations

import datetime
import logging

from oslo_utils import timeutils

from taskflow_service import task
from taskflow_service.patterns import linear_flow

LOG = logging.getLogger(__name__)


# begin-tasks
class Hello(task.Task):
    """Greet, and say when."""

    default_provides = 'hi_happened'

    def execute(self) -> datetime.datetime:
        LOG.info('hello world')
        return timeutils.utcnow(with_timezone=True)


class Goodbye(task.Task):
    """Take leave of whoever was greeted, and say when."""

    default_provides = 'goodbye_happened'

    def execute(self, hi_happened: datetime.datetime) -> datetime.datetime:
        LOG.info('goodbye world (hi said on %s)', hi_happened)
        return timeutils.utcnow(with_timezone=True)


# end-tasks


# begin-flow
def hello_goodbye() -> linear_flow.Flow:
    """Make the flow: hello, then goodbye with what hello provides."""
    return linear_flow.Flow('hello_goodbye').add(
        Hello('demo.hello'), Goodbye('demo.goodbye')
    )


# end-flow
