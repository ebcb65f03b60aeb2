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


"""What happens around a task's body: from encoded request to encoded end.

It is the same in a thread and in a task process: make the task by its wire
name and constructor's arguments, decode the arguments, call it as the local
executors do, and turn what came of it into text. Whatever goes wrong on the
way, in the task or around it, is that task's failure.
"""

from __future__ import annotations

from collections.abc import Callable
import typing

from taskflow_service import cancellation as cancellation_mod
from taskflow_service import exceptions
from taskflow_service import task as task_mod
from taskflow_service.executors import attempt as attempt_mod
from taskflow_service.executors import base
from taskflow_service.messaging import codec as codec_mod
from taskflow_service.protocol import messages
from taskflow_service.types import failure
from taskflow_service.types import notifier
from taskflow_service.worker import catalogue as catalogue_mod

Progress = Callable[[str], None]
Verdict = Callable[[], exceptions.ExecutionFailure | None]
Ended = tuple[messages.End, str]


class _Run:
    """The flow of a request, as the local executors see one."""

    share = 0

    def __init__(
        self,
        request: messages.Request,
        context: dict[str, typing.Any] | None,
    ) -> None:
        self.flow_uuid = request.flow_uuid
        self.flow_name = request.flow_name or ''
        self.epoch = request.epoch
        self.context = context

    def poke(self) -> None:
        """Do nothing: its loop is elsewhere."""


class _Probe:
    """Asks a task's ``probe`` where a task's ``execute`` is called."""

    def __init__(self, task: task_mod.Task) -> None:
        self._task = typing.cast(typing.Any, task)

    def pre_execute(self) -> None:
        """Do nothing: nothing is executed."""

    post_execute = pre_execute

    def execute(self, **arguments: typing.Any) -> list[typing.Any]:
        """Return the answer in a form that can travel."""
        answer = self._task.probe(**arguments)
        if isinstance(answer, task_mod.Done):
            return [answer.result]
        if answer is task_mod.NOT_DONE:
            return []
        raise TypeError(
            f'probe() returned {type(answer).__name__}; it returns '
            'task.Done(result) or task.NOT_DONE'
        )


class Body:
    """Calls tasks. Thread-safe."""

    def __init__(
        self, catalogue: catalogue_mod.Catalogue, codec: codec_mod.Codec
    ) -> None:
        self._catalogue = catalogue
        self._codec = codec

    def run(
        self,
        request: messages.Request,
        cancellation: cancellation_mod.Cancellation,
        progress: Progress,
        verdict: Verdict,
    ) -> Ended:
        """Run a request in this thread; return how it ended, and with what.

        :param progress: takes each event of the task, encoded
        :param verdict: says why the task was told to stop, if it was
        """
        try:
            end, value = self._perform(request, cancellation, progress)
            if end is not base.End.OK:
                return self.stopped(value, verdict())
            return messages.End.OK, self._result(request, value)
        except Exception as ex:
            caught = failure.Failure.from_exception(ex)
        except BaseException as ex:
            # What ends a program must not end the thread of a worker and
            # leave its request without an outcome.
            caught = failure.Failure.from_exception(
                exceptions.ExecutionFailure(
                    f'Task {request.atom!r} raised {type(ex).__name__}: {ex}'
                )
            )
        return self.stopped(caught, verdict())

    def stopped(
        self,
        caught: failure.Failure,
        verdict: exceptions.ExecutionFailure | None,
    ) -> Ended:
        """Return the end of a request that failed, or was told to stop."""
        end = messages.End.FAILED
        if caught.check(exceptions.Cancelled):
            end = messages.End.CANCELLED
        if isinstance(verdict, exceptions.Cancelled):
            if end is not messages.End.CANCELLED:
                caught = failure.Failure.from_exception(verdict)
            end = messages.End.CANCELLED
        elif verdict is not None:
            end = messages.End.FAILED
            caught = failure.Failure.from_exception(verdict)
        # A failure always has a text: what has none in it is left out.
        return end, self._codec.encode(caught)

    def context(
        self, request: messages.Request
    ) -> dict[str, typing.Any] | None:
        """Return the captured oslo.context of a request, if it has one."""
        try:
            found = self._value(request.context)
        except exceptions.TaskFlowException:
            # It is for log lines: a task does not fail for it.
            return None
        return found if isinstance(found, dict) else None

    def _perform(
        self,
        request: messages.Request,
        cancellation: cancellation_mod.Cancellation,
        progress: Progress,
    ) -> tuple[base.End, typing.Any]:
        task: typing.Any = self._make(request)
        task.notifier.register(
            notifier.Notifier.ANY,
            lambda event, details: progress(
                self._codec.encode([event, dict(details)])
            ),
        )
        action = base.Action(request.action)
        if action is base.Action.PROBE:
            task, action = _Probe(task), base.Action.EXECUTE
        run = _Run(request, self.context(request))
        made = base.Request(run, 0, task, action, request.attempt)
        made.arguments = self._value(request.arguments)
        attempt = task_mod.Attempt(
            request.flow_uuid,
            request.atom,
            request.attempt,
            cancellation,
            request.round,
        )
        return attempt_mod.perform(made, attempt)

    def _make(self, request: messages.Request) -> task_mod.Task:
        cls = self._catalogue.find(request.task)
        args, kwargs = self._value(request.constructor) or ((), {})
        task = cls(*args, **kwargs)
        task.name = request.atom
        return task

    def _value(self, text: str | None) -> typing.Any:
        return None if text is None else self._codec.decode(text)

    def _result(self, request: messages.Request, result: typing.Any) -> str:
        try:
            return self._codec.encode(result)
        except exceptions.ValueNotStorable as ex:
            raise ex.of(request.atom) from ex
