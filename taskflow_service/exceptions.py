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

"""Every error that this package raises, in one tree.

::

    TaskFlowException
      StorageFailure              the logbook cannot be read or written
        StorageOutage               the server is away; try again later
        SchemaMismatch              the schema is older or newer than the code
        ValueNotStorable            a value has no faithful stored form
          ValueTooLarge               it has one, but over the bound
        ValueUnreadable             stored text that cannot be made a value
      ConductorFailure
      JobFailure
        UnclaimableJob
      ExecutionFailure            a flow or an atom cannot go on
        InvalidState
        FlowOwned                   another process runs the flow
        FlowOwnershipLost           another process has taken the flow over
        FlowEnded                   another process has taken it to its end
        FlowHandedOver              left for another process to go on with
        WorkerLost                  what ran the task is gone
        Cancelled
        Timeout
          RequestTimeout
            StartTimeout              nobody could start it in time
          RunTimeout
          HeartbeatTimeout            it gave no sign of life
          DeadlineExceeded            the flow's own deadline
      DependencyFailure
        AmbiguousDependency
        MissingDependencies
      CompilationFailure
        TaskNotRemotable            a task cannot travel to a worker
      ConfigurationError          an operator's mistake, in one line
      IncompatibleVersion
      Duplicate
      NotFound
        UnknownTask
      Empty
      MultipleChoices
      InvalidFormat
      DisallowedAccess
    NotImplementedError           (also Python's own)
    WrappedFailure                several failures, or one without its
                                  exception

Up to the names that TaskFlow has, the tree is TaskFlow's: who catches there
what it caught, catches it here.  A message names what it is about and says
what to do; ids are attributes besides, given by keyword, so that ``args``
stays the message alone and an exception can be made again from it.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from collections.abc import Iterator
import sys
from typing import Any
from typing import NoReturn
from typing import Protocol


def raise_with_cause(
    exc_cls: type[TaskFlowException],
    message: str,
    *args: Any,
    **kwargs: Any,
) -> NoReturn:
    """Raise an exception whose cause is the one being handled.

    ``cause=`` among the keywords takes precedence.  Raises ValueError if the
    class is not one of this package.
    """
    if not issubclass(exc_cls, TaskFlowException):
        raise ValueError(
            f'{exc_cls.__name__} is not a subclass of TaskFlowException:'
            ' only those keep a cause'
        )
    cause = kwargs.setdefault('cause', sys.exc_info()[1])
    raise exc_cls(message, *args, **kwargs) from cause


class TaskFlowException(Exception):
    """What all errors of this package are.

    ``cause`` is the exception that led to this one, and part of its text.
    """

    def __init__(
        self, message: str, cause: BaseException | None = None
    ) -> None:
        super().__init__(message)
        self._cause = cause

    @property
    def cause(self) -> BaseException | None:
        return self._cause

    def __str__(self) -> str:
        return self.pformat()

    def pformat(
        self,
        indent: int = 2,
        indent_text: str = ' ',
        show_root_class: bool = False,
    ) -> str:
        """Format this error and its causes, each on a line further in.

        Raises ValueError if the indent is negative.
        """
        if indent < 0:
            raise ValueError(f'indent must be zero or more, not {indent}')
        text = _own_text(self)
        lines = [f'{_name(self)}: {text}' if show_root_class else text]
        seen = {id(self)}
        error = self.cause
        while error is not None and id(error) not in seen:
            margin = indent_text * (indent * len(seen))
            seen.add(id(error))
            lines.append(f'{margin}{_name(error)}: {_own_text(error)}')
            error = (
                error.cause if isinstance(error, TaskFlowException) else None
            )
        return '\n'.join(lines)


def _name(error: BaseException) -> str:
    return type(error).__name__


def _own_text(error: BaseException) -> str:
    # str() of ours would bring its causes along.
    if isinstance(error, TaskFlowException):
        return Exception.__str__(error)
    return str(error)


# Storage


class StorageFailure(TaskFlowException):
    """The logbook could not be read or written."""


class StorageOutage(StorageFailure):
    """The logbook cannot be reached for now; nothing is known to be wrong."""


class SchemaMismatch(StorageFailure):
    """The database's schema is not the one that this code is for."""


class ValueNotStorable(StorageFailure):
    """A value has no stored form from which it would come back equal.

    ``type_name`` is the type of the part that cannot be stored, ``path``
    where in the value it is (``['a'][3].x``, empty for the value itself),
    ``reason`` what is wrong and what to do; ``task`` and ``key`` say whose
    value it is, once ``of()`` has added them.
    """

    def __init__(
        self,
        message: str,
        cause: BaseException | None = None,
        *,
        reason: str = '',
        type_name: str = '',
        path: str = '',
        size: int | None = None,
        task: str | None = None,
        key: str | None = None,
    ) -> None:
        super().__init__(message, cause)
        self.reason = reason
        self.type_name = type_name
        self.path = path
        self.size = size
        self.task = task
        self.key = key

    def of(self, task: str, key: str = 'result') -> ValueNotStorable:
        """Return the same error, naming the task and which of its values."""
        named = type(self)(
            f'Of task {task!r}, {key}: {Exception.__str__(self)}', self.cause
        )
        named.__dict__.update(self.__dict__)
        named.task = task
        named.key = key
        return named


class ValueTooLarge(ValueNotStorable):
    """A value's stored form is over the bound; ``size`` is in bytes."""


class ValueUnreadable(StorageFailure):
    """Stored text that cannot be made the value that it once was."""


# Jobs and conductors


class ConductorFailure(TaskFlowException):
    """A conductor cannot go on."""


class JobFailure(TaskFlowException):
    """A job, or the board it is on, cannot be worked with."""


class UnclaimableJob(JobFailure):
    """A job is somebody else's, or not there."""


# Execution


class ExecutionFailure(TaskFlowException):
    """A flow, or an atom of it, cannot go on."""


class InvalidState(ExecutionFailure):
    """A thing is not in a state that allows what was asked."""


class _Owned(ExecutionFailure):
    # Who has it, where that is known.

    def __init__(
        self,
        message: str,
        cause: BaseException | None = None,
        *,
        flow_uuid: str | None = None,
        owner: str | None = None,
    ) -> None:
        super().__init__(message, cause)
        self.flow_uuid = flow_uuid
        self.owner = owner


class FlowOwned(_Owned):
    """A flow is being run by somebody else; ``owner`` says by whom."""


class FlowOwnershipLost(_Owned):
    """A flow that was run here has been taken over; it goes on elsewhere."""


class FlowEnded(_Owned):
    """A flow that was to be gone on with was taken to its end elsewhere."""


class FlowHandedOver(_Owned):
    """A flow that was run here was left for another process to go on with."""


class WorkerLost(ExecutionFailure):
    """What ran a task is gone, and nobody can tell how far the task got."""

    def __init__(
        self,
        message: str,
        cause: BaseException | None = None,
        *,
        worker: str | None = None,
        incarnation: str | None = None,
    ) -> None:
        super().__init__(message, cause)
        self.worker = worker
        self.incarnation = incarnation


class Cancelled(ExecutionFailure):
    """Somebody asked for it to be stopped; ``reason`` says why."""

    def __init__(
        self,
        message: str = 'Cancelled',
        cause: BaseException | None = None,
        *,
        reason: str = '',
    ) -> None:
        super().__init__(message, cause)
        self.reason = reason


class Timeout(ExecutionFailure):
    """Something took longer than it was given."""


class RequestTimeout(Timeout):
    """A request found nobody to take it in time."""


class StartTimeout(RequestTimeout):
    """A task was ready for longer than its start timeout."""


class RunTimeout(Timeout):
    """A task ran for longer than its run timeout."""


class HeartbeatTimeout(Timeout):
    """A running task gave no sign of life for its heartbeat timeout."""


class DeadlineExceeded(Timeout):
    """A flow had not ended at its deadline."""


# Definition and compilation


class DependencyFailure(TaskFlowException):
    """What an atom needs cannot be worked out."""


class AmbiguousDependency(DependencyFailure):
    """More than one atom could provide what an atom needs."""


class MissingDependencies(DependencyFailure):
    """An entity needs values that nothing provides.

    ``missing_requirements`` are their names.
    """

    def __init__(
        self,
        who: object,
        requirements: Iterable[str],
        cause: BaseException | None = None,
        method: str | None = None,
    ) -> None:
        what = f'{str(method)!r} method on ' if method else ''
        super().__init__(
            f"{what}'{who}' requires {requirements},"
            ' but nothing that comes before it, and nothing stored,'
            ' provides these',
            cause,
        )
        self.missing_requirements = requirements


class CompilationFailure(TaskFlowException):
    """A flow cannot be made into something that can be run."""


class TaskNotRemotable(CompilationFailure):
    """A task, or an argument of it, cannot travel to a worker."""


# Setting up


class ConfigurationError(TaskFlowException):
    """An operator's mistake.

    The message is one line that names the option or object and says what to
    do; programs print it alone and exit 1.
    """

    def __init__(
        self,
        message: str,
        cause: BaseException | None = None,
        *,
        option: str | None = None,
    ) -> None:
        super().__init__(message, cause)
        self.option = option


# Things and their forms


class IncompatibleVersion(TaskFlowException):
    """Two parts that do not understand each other's version."""


class Duplicate(TaskFlowException):
    """A name or a thing is there already."""


class NotFound(TaskFlowException):
    """What was looked for is not there."""


class UnknownTask(NotFound):
    """No registered task has this name."""


class Empty(TaskFlowException):
    """There is nothing in it, and there must be something."""


class MultipleChoices(TaskFlowException):
    """One thing was to be chosen, and there are several."""


class InvalidFormat(TaskFlowException):
    """Data is not of the form that it should have."""


class DisallowedAccess(TaskFlowException):
    """A thing may not be used in the state in which it is."""

    def __init__(
        self,
        message: str,
        cause: BaseException | None = None,
        state: str | None = None,
    ) -> None:
        super().__init__(message, cause)
        self.state = state


class NotImplementedError(builtins.NotImplementedError):
    """A part that a subclass or a plugin has to provide is not there."""


class _Failure(Protocol):
    """As much of ``types.failure.Failure`` as is needed here."""

    @property
    def exception(self) -> BaseException | None: ...

    def check(self, *exc_classes: type | str) -> type | str | None: ...


class WrappedFailure(Exception):
    """Several failures raised as one, or one whose exception is not here.

    Iterates over its failures; those that are themselves such wrappers are
    replaced by what they hold.
    """

    def __init__(self, causes: Iterable[_Failure]) -> None:
        super().__init__()
        self._causes: list[_Failure] = []
        for cause in causes:
            if isinstance(cause.exception, WrappedFailure):
                self._causes.extend(cause.exception)
            else:
                self._causes.append(cause)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (list(self._causes),)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._causes)

    def __len__(self) -> int:
        return len(self._causes)

    def check(self, *exc_classes: type | str) -> type | str | None:
        """Return the first of the classes that a failure is one of.

        Classes may be given by their dotted names; None if there is none.
        """
        for cause in self._causes:
            found = cause.check(*exc_classes)
            if found is not None:
                return found
        return None

    def __str__(self) -> str:
        texts = ', '.join(str(cause) for cause in self._causes)
        return f'WrappedFailure: [{texts}]'
