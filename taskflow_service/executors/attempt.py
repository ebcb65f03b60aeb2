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

"""Call the body of a task: one request from its start to its outcome.

Whatever a task raises is its failure, also from its hooks; only what ends
the process (KeyboardInterrupt, SystemExit) passes.
"""

from __future__ import annotations

import functools
import typing

from taskflow_service import cancellation
from taskflow_service import context
from taskflow_service import exceptions
from taskflow_service import task as task_mod
from taskflow_service.executors import base
from taskflow_service.types import failure as ft


def attempt_of(
    request: base.Request, deliver: base.Deliver
) -> task_mod.Attempt:
    """Make what ``task.current()`` gives while this request runs.

    What the task tells on its notifier is delivered as it happens.
    """
    attempt = task_mod.Attempt(
        request.run.flow_uuid,
        request.task.name,
        request.attempt,
        cancellation.Cancellation(),
        request.number,
    )
    attempt.task = request.task
    attempt.tell = functools.partial(_tell, request, deliver)
    return attempt


def _tell(
    request: base.Request,
    deliver: base.Deliver,
    event: str,
    details: dict[str, typing.Any],
) -> None:
    deliver(base.Outcome(request, None, (event, details)))


def perform(
    request: base.Request, attempt: task_mod.Attempt
) -> tuple[base.End, typing.Any]:
    """Run a request in this thread; blocks as long as its task does.

    Returns OK with the result, or FAILED or CANCELLED with the failure. The
    oslo.context of its flow, if it has one, is the thread's meanwhile.
    """
    mark = task_mod.set_current(attempt)
    try:
        if request.run.context is None:
            return base.End.OK, _call(request)
        with context.using(request.run.context):
            return base.End.OK, _call(request)
    except exceptions.Cancelled:
        return base.End.CANCELLED, ft.Failure()
    except Exception:
        return base.End.FAILED, ft.Failure()
    finally:
        task_mod.reset_current(mark)
        # It knows the request, which knows the attempt: no ring is left.
        attempt.tell = None


def _call(request: base.Request) -> typing.Any:
    task = request.task
    arguments = request.arguments or {}
    # What the first hook takes the last one gives back, come what may.
    if request.action is base.Action.EXECUTE:
        try:
            task.pre_execute()
            return task.execute(**arguments)
        finally:
            task.post_execute()
    try:
        task.pre_revert()
        return task.revert(**arguments)
    finally:
        task.post_revert()
