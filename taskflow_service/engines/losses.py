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

"""What becomes of an atom whose request ended without an outcome.

The policy is the protocol's (``protocol.engine.turn``); here it is carried
out: a new request, a new attempt, a probe, or ``WorkerLost``.
"""

from __future__ import annotations

import typing

from taskflow_service import exceptions
from taskflow_service import task as task_mod
from taskflow_service.decisions import run as run_mod
from taskflow_service.engines import base
from taskflow_service.engines import stage as stage_mod
from taskflow_service.executors import base as executors_base
from taskflow_service.protocol.engine import turn as policy
from taskflow_service.storage import record as record_mod
from taskflow_service.types import failure as ft

Action = executors_base.Action
End = executors_base.End
Request = executors_base.Request
Next = policy.Next

#: How many workers a task may take with it before it fails, where nothing
#: is configured.
MAX_LOSSES = 3


class Losses:
    """Carries out, for one flow, what follows the loss of a worker.

    :ivar probing: atoms whose next request asks whether their work was done,
        and the request that was lost, None if that was before a resumption
    """

    def __init__(
        self,
        engine: base.Engine,
        record: record_mod.Record,
        run: run_mod.Run,
        stage: stage_mod.Stage,
    ) -> None:
        conf = getattr(engine, 'conf', None)
        most = engine.options.get('max_worker_losses')
        if most is None:
            most = conf.remote.max_worker_losses if conf else MAX_LOSSES
        self._most = int(most)
        self._record = record
        self._run = run
        self._stage = stage
        self.probing: dict[int, Request | None] = {}
        #: Requests whose places others are to take, by atom.
        self.former: dict[int, Request] = {}

    def counted(self, node: int) -> None:
        """Count a loss of an atom, also of an earlier request of it."""
        losses = self._record.losses
        losses[node] = losses.get(node, 0) + 1
        self._record.touch(node)

    def ended(self, request: Request, end: End, reason: typing.Any) -> None:
        """Do what follows an end that is no outcome."""
        node = request.node
        if policy.counts(end):
            self.counted(node)
        following = policy.after(
            request.action,
            end,
            idempotent=request.task.idempotent,
            probes=hasattr(request.task, 'probe'),
            losses=self._record.losses.get(node, 0),
            max_losses=self._most,
        )
        if following is Next.FAIL:
            self._fail(request, self._lost(request, end, reason))
            return
        if following is Next.RETRY:
            self._record.count_attempt(node)
            self.probing.pop(node, None)
        elif following is Next.PROBE:
            self.probing.setdefault(node, request)
        self._again(request)

    def probed(self, request: Request, end: End, value: typing.Any) -> None:
        """Do what a probe's answer says."""
        node = request.node
        if end not in (End.OK, End.FAILED, End.CANCELLED):
            self.ended(request, end, value)
            return
        lost = self.probing.pop(node, None)
        if end is End.OK and isinstance(value, task_mod.Done):
            self._stage.succeeded(node, value.result)
        elif end is End.OK and value is task_mod.NOT_DONE:
            self._record.count_attempt(node)
            self._again(request)
        elif isinstance(value, ft.Failure) and value.check(
            exceptions.StorageFailure
        ):
            # It was answered, with what cannot be kept.
            self._stage.failed(node, value)
        else:
            self._stage.failed(node, _unknown(request, lost, value))

    def replace(self, request: Request) -> None:
        """Have the atom's next request know the one it replaces."""
        request.former = None
        self.former[request.node] = request

    def _again(self, request: Request) -> None:
        """Have an atom, whose state stays, get a new request."""
        self._run.again.add(request.node)
        self.replace(request)
        if request.action is Action.REVERT:
            self._run.offer_revert(request.node)
        else:
            self._run.offer_execute(request.node)

    def _fail(self, request: Request, failure: ft.Failure) -> None:
        self.probing.pop(request.node, None)
        if request.action is Action.REVERT:
            self._stage.revert_failed(request.node, failure)
        else:
            self._stage.failed(request.node, failure)

    @staticmethod
    def _lost(request: Request, end: End, reason: object) -> ft.Failure:
        return ft.Failure.from_exception(
            exceptions.WorkerLost(
                f'Worker {request.worker} ({request.incarnation}) was lost '
                f'({end}) while it ran {request.action} of task '
                f'{request.task.name!r} of flow {request.run.flow_uuid}'
                + (f': {reason}' if reason else ''),
                worker=request.worker,
                incarnation=request.incarnation,
            )
        )


def _unknown(
    probe: Request, lost: Request | None, answer: object
) -> ft.Failure:
    """Say that a task may have been done, as its probe cannot tell."""
    worker = lost.worker if lost else None
    incarnation = lost.incarnation if lost else None
    what = f'Worker {worker} ({incarnation})' if lost else 'The worker'
    why = (
        f'failed: {answer}'
        if isinstance(answer, ft.Failure)
        else f'answered {answer!r}, which is neither Done nor NOT_DONE'
    )
    return ft.Failure.from_exception(
        exceptions.WorkerLost(
            f'{what} was lost while it ran execute of task '
            f'{probe.task.name!r} of flow {probe.run.flow_uuid}, and whether '
            f'that was done is not known: its probe, on worker '
            f'{probe.worker} ({probe.incarnation}), {why}',
            worker=worker,
            incarnation=incarnation,
        )
    )
