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

"""The engine whose tasks run on workers.

Apart from the others because it brings the message bus with it, which a
program without workers need not import.
"""

from __future__ import annotations

import typing

from taskflow_service import registry
from taskflow_service.engines import embedded
from taskflow_service.engines import engine as engine_mod
from taskflow_service.executors import base as executors_base


class WorkersEngine(engine_mod.Engine):
    """Runs tasks on workers that are reached over oslo.messaging.

    Options: ``conf``, or TaskFlow's ``url``, ``exchange``, ``topics``,
    ``transport``; ``workers_info`` (topic -> names of tasks) restricts where
    tasks run. Over a transport that reaches no other process, a worker is
    started in this one.
    """

    def make_executor(self, shared: bool = False) -> executors_base.Executor:
        """Make what reaches the workers, unless it was given."""
        given = self.options.get('executor')
        if isinstance(given, executors_base.Executor):
            return given
        made: typing.Any = registry.load(registry.Kind.EXECUTOR, 'remote')(
            self.conf, **self.options
        )
        classes = {type(task) for task in self.plan.tasks()}
        embedded.ensure(made.conf, made.url, classes)
        return typing.cast(executors_base.Executor, made)

    def executor_key(self) -> typing.Any:
        """Flows of one configuration share an executor."""
        return 'workers', id(self.conf), repr(sorted(self.options.items()))
