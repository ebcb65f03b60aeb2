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

"""What is ready of a flow, made into requests for executors."""

from __future__ import annotations

import typing

from taskflow_service import task as task_mod
from taskflow_service.decisions import run as run_mod
from taskflow_service.engines import callbacks
from taskflow_service.engines import losses as losses_mod
from taskflow_service.executors import base as executors_base
from taskflow_service.plan import plan as plan_mod
from taskflow_service.storage import record as record_mod

Action = executors_base.Action
Request = executors_base.Request


class Offering(executors_base.Run, typing.Protocol):
    """The flow whose ready tasks are offered."""

    run: run_mod.Run
    plan: plan_mod.Plan
    record: record_mod.Record
    controllers: callbacks.Controllers
    losses: losses_mod.Losses
    held: int


class Offer:
    """The ready tasks of one flow, made into requests one at a time."""

    __slots__ = ('run',)

    def __init__(self, drive: Offering) -> None:
        self.run: Offering = drive

    def __len__(self) -> int:
        return len(self.run.run.ready) + len(self.run.run.undoable)

    def take(self) -> Request:
        """Pop the best one, a revert before an execute."""
        drive = self.run
        run = drive.run
        node = run.take_revert() if run.undoable else -1
        if node >= 0:
            action = Action.REVERT
        else:
            node = run.take_execute()
            action = (
                Action.PROBE
                if node in drive.losses.probing
                else Action.EXECUTE
            )
            if node < 0:
                raise IndexError('nothing is ready')
        drive.held += 1
        attempt = drive.record.attempts[node]
        if run.is_new_attempt(node):
            attempt += 1
        request = Request(
            drive,
            node,
            typing.cast(task_mod.Task, drive.plan.items[node]),
            action,
            attempt,
            drive.controllers.try_number(drive.plan.retry_of[node]),
        )
        if drive.losses.former:
            request.former = drive.losses.former.pop(node, None)
        return request

    def put_back(self, request: Request) -> None:
        """Undo a ``take``."""
        self.run.held -= 1
        if request.former is not None:
            self.run.losses.former[request.node] = request.former
        self.run.run.put_back(request.node, request.action is Action.REVERT)
