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
name and constructor's arguments, decode the arguments, call it, and turn
what came of it into text. Whatever goes wrong on the way, in the task or
around it, is that task's failure.
"""

from __future__ import annotations

from collections.abc import Callable
import typing

from taskflow_service import cancellation as cancellation_mod
from taskflow_service import context
from taskflow_service import exceptions
from taskflow_service import task as task_mod
from taskflow_service.messaging import codec as codec_mod
from taskflow_service.protocol import messages
from taskflow_service.types import failure
from taskflow_service.types import notifier
from taskflow_service.worker import catalogue as catalogue_mod

Progress = Callable[[str], None]
Verdict = Callable[[], exceptions.ExecutionFailure | None]


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
    ) -> tuple[messages.End, str | None]:
        """Run a request in this thread; return how it ended, and with what.

        :param progress: takes each event of the task, encoded
        :param verdict: says why the task was told to stop, if it was
        """
        mark = task_mod.set_current(
            task_mod.Attempt(
                request.flow_uuid,
                request.atom,
                request.attempt,
                cancellation,
                request.round,
            )
        )
        try:
            with context.using(self._value(request.context)):
                result = self._call(request, progress)
            return messages.End.OK, self._result(request, result)
        except BaseException as ex:
            # Also SystemExit: what ends a program must not end the thread
            # of a worker and leave its request without an outcome.
            return self.stopped(request, _caught(ex, request), verdict())
        finally:
            task_mod.reset_current(mark)

    def stopped(
        self,
        request: messages.Request,
        caught: failure.Failure,
        verdict: exceptions.ExecutionFailure | None,
    ) -> tuple[messages.End, str]:
        """Return the end of a request that failed, or was told to stop."""
        end = messages.End.FAILED
        if isinstance(verdict, exceptions.Cancelled):
            end = messages.End.CANCELLED
            if not caught.check(exceptions.Cancelled):
                caught = failure.Failure.from_exception(verdict)
        elif verdict is not None:
            caught = failure.Failure.from_exception(verdict)
        # A failure always has a text: what has none in it is left out.
        return end, self._codec.encode(caught)

    def _call(
        self, request: messages.Request, progress: Progress
    ) -> typing.Any:
        task = self._make(request)
        task.notifier.register(
            notifier.Notifier.ANY,
            lambda event, details: progress(
                self._codec.encode([event, dict(details)])
            ),
        )
        arguments = self._value(request.arguments) or {}
        if request.action is messages.Action.REVERT:
            return self._revert(task, request, arguments)
        if request.action is messages.Action.PROBE:
            return _answer(task.probe(**arguments))
        try:
            task.pre_execute()
            return task.execute(**arguments)
        finally:
            task.post_execute()

    def _revert(
        self,
        task: task_mod.Task,
        request: messages.Request,
        arguments: dict[str, typing.Any],
    ) -> typing.Any:
        accepts = task.revert_accepts
        if task_mod.REVERT_RESULT in accepts:
            arguments[task_mod.REVERT_RESULT] = self._value(request.result)
        if task_mod.REVERT_FLOW_FAILURES in accepts:
            arguments[task_mod.REVERT_FLOW_FAILURES] = (
                self._value(request.failures) or {}
            )
        try:
            task.pre_revert()
            return task.revert(**arguments)
        finally:
            task.post_revert()

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


def _caught(ex: BaseException, request: messages.Request) -> failure.Failure:
    if isinstance(ex, Exception):
        return failure.Failure.from_exception(ex)
    return failure.Failure.from_exception(
        exceptions.ExecutionFailure(
            f'Task {request.atom!r} raised {type(ex).__name__}: {ex}'
        )
    )


def _answer(answer: object) -> list[typing.Any]:
    """Put a probe's answer into a form that can travel."""
    if isinstance(answer, task_mod.Done):
        return [answer.result]
    if answer is task_mod.NOT_DONE:
        return []
    raise TypeError(
        f'probe() returned {type(answer).__name__}; it returns '
        'task.Done(result) or task.NOT_DONE'
    )
