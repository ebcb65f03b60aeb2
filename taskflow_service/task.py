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

"""Tasks: the atoms that do the work of a flow.

A task is a class with an ``execute`` and usually a ``revert``, or a function
(:class:`FunctorTask`). What policy it runs under (whether it may run twice,
for how long, where) are attributes of the class that an instance may
override.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
import contextvars
import copy
import dataclasses
import enum
import logging
import typing
import uuid

from oslo_utils import reflection

from taskflow_service import atom
from taskflow_service import cancellation as cancellation_mod
from taskflow_service import retry
from taskflow_service import signatures
from taskflow_service.types import notifier as notifier_mod

LOG = logging.getLogger(__name__)

#: Under these names ``revert`` is given what execute returned, and why the
#: flow failed.
REVERT_RESULT = 'result'
REVERT_FLOW_FAILURES = 'flow_failures'

#: Tells, on a task's notifier, how far the task is.
EVENT_UPDATE_PROGRESS = 'update_progress'


class Task(atom.Atom):
    """A unit of work that an engine executes, and reverts if need be.

    Without a name it is called by the fully qualified name of its class. The
    parameters are those of :class:`taskflow_service.atom.Atom`.

    A task may have a method ``probe``, with the arguments of ``execute``: it
    is asked when the worker that ran the task was lost, and returns
    ``Done(result)`` if the work was done, ``NOT_DONE`` if it was not.
    """

    _named_after_class = True

    #: The events that may happen on the notifier; a subclass may have more.
    TASK_EVENTS: typing.ClassVar[Collection[str]] = (EVENT_UPDATE_PROGRESS,)

    #: Whether execute and revert may run twice, also at the same time: such
    #: a task is run elsewhere as soon as its worker is suspected.
    idempotent: bool = False

    #: Whether a worker must stop this task on the engine's silence alone.
    strict_fence: bool = False

    #: Whether the flow goes on if this task fails; who requires its result
    #: must have a default for it.
    ignore_failure: bool = False

    #: ``engine``: always in the process of the engine, never on a worker.
    runs_in: str | None = None

    #: Seconds from a task's being ready until it must have started.
    start_timeout: float | None = None

    #: Seconds from its start until it must have ended.
    run_timeout: float | None = None

    #: Seconds within which ``update_progress`` must be called again.
    heartbeat_timeout: float | None = None

    #: How long to wait before a failed revert is tried again; None: it is
    #: not.
    revert_backoff: retry.Backoff | None = None

    #: Bytes of memory, where tasks run in processes.
    memory_limit: int | None = None

    _notifier: _TaskNotifier | None = None

    @property
    def heard(self) -> bool:
        """Say whether anybody listens to this task's own events."""
        return self._notifier is not None and self._notifier.heard

    @property
    def notifier(self) -> notifier_mod.RestrictedNotifier:
        """Return who tells of this task's own events; made when asked for."""
        found = self._notifier
        if found is None:
            made = _TaskNotifier(self.TASK_EVENTS)
            # Of two threads that ask for the first time one wins.
            found = vars(self).setdefault('_notifier', made)
        return found

    def copy(self, retain_listeners: bool = True) -> typing.Self:
        """Return a shallow copy with a notifier of its own."""
        twin = copy.copy(self)
        if self._notifier is not None:
            twin._notifier = self._notifier.copy()
            if not retain_listeners:
                twin._notifier.reset()
        return twin

    def update_progress(self, progress: float) -> None:
        """Tell how far the task is, and that it is alive.

        :param progress: from 0.0 to 1.0; beyond it is cut, with a warning
        """
        if not 0.0 <= progress <= 1.0:
            LOG.warning(
                'Task %s reported a progress of %s, which is not between 0.0 '
                'and 1.0',
                self.name,
                progress,
            )
            progress = 1.0 if progress > 1.0 else 0.0
        self.notifier.notify(EVENT_UPDATE_PROGRESS, {'progress': progress})


class _TaskNotifier(notifier_mod.RestrictedNotifier):
    """Tells who listens, and then who runs the task."""

    __slots__ = ()

    def notify(
        self, event_type: str, details: Mapping[str, typing.Any] | None
    ) -> None:
        """Tell of an event; from within its task also who runs that."""
        super().notify(event_type, details)
        attempt = _CURRENT.get()
        if (
            attempt is not None
            and attempt.tell is not None
            and attempt.task is not None
            # A task may run an engine with tasks of its own.
            and attempt.task._notifier is self
        ):
            attempt.tell(event_type, dict(details or ()))


class FunctorTask(Task):
    """A task made of functions.

    It can run only in the process that made it, as a function does not say
    how another process would find it.

    :param execute: called with the arguments of its signature
    :param revert: called with the arguments of its signature, among them, if
        it names them, ``result`` and ``flow_failures``
    :param name: by default the name of the function
    """

    def __init__(
        self,
        execute: Callable[..., typing.Any],
        name: str | None = None,
        provides: signatures.Provides | None = None,
        requires: signatures.Requires = None,
        auto_extract: bool = True,
        rebind: signatures.Rebind = None,
        revert: Callable[..., typing.Any] | None = None,
        version: typing.Any = None,
        inject: Mapping[str, typing.Any] | None = None,
    ) -> None:
        if not callable(execute):
            raise ValueError(f'Cannot execute {execute!r}: not callable')
        if revert is not None and not callable(revert):
            raise ValueError(f'Cannot revert by {revert!r}: not callable')
        if name is None:
            name = reflection.get_callable_name(execute)
        super().__init__(name, provides=provides, inject=inject)
        self._execute = execute
        self._revert = revert
        if version is not None:
            self.version = version
        first = signatures.Signature(execute)
        second = first if revert is None else signatures.Signature(revert)
        self._binding = self._binding.shared.bind(
            name,
            signatures.Request(requires, rebind, auto_extract),
            signatures.Request(),
            (first, second),
        )

    def execute(self, *args: typing.Any, **kwargs: typing.Any) -> typing.Any:
        """Call the function."""
        return self._execute(*args, **kwargs)

    def revert(self, *args: typing.Any, **kwargs: typing.Any) -> typing.Any:
        """Call the function that undoes it, if there is one."""
        if self._revert is not None:
            return self._revert(*args, **kwargs)
        return None


class _FunctorOverArguments(Task):
    """Applies a function to the values of the required symbols, in order."""

    _purpose: typing.ClassVar[str]
    _arity: typing.ClassVar[int]

    def __init__(
        self,
        functor: Callable[..., typing.Any],
        requires: Iterable[str],
        name: str | None = None,
        provides: signatures.Provides | None = None,
        auto_extract: bool = True,
        rebind: signatures.Rebind = None,
        inject: Mapping[str, typing.Any] | None = None,
    ) -> None:
        if not callable(functor):
            raise ValueError(
                f'Cannot {self._purpose} by {functor!r}: not callable'
            )
        accepted = signatures.Signature(functor)
        count = len(accepted.required) + len(accepted.optional)
        if count != self._arity:
            raise ValueError(
                f'Cannot {self._purpose} by {functor!r}: it takes {count} '
                f'arguments, not {self._arity}'
            )
        if isinstance(requires, str) or not isinstance(requires, Iterable):
            raise TypeError(
                f'Symbols to {self._purpose} are a list, not {requires!r}'
            )
        requires = tuple(requires)
        if len(requires) < self._arity and self._arity > 1:
            raise ValueError(
                f'Symbols to {self._purpose} are at least {self._arity}, '
                f'not {list(requires)}'
            )
        if name is None:
            name = reflection.get_callable_name(functor)
        super().__init__(
            name, provides, requires, auto_extract, rebind, inject
        )
        self._functor = functor
        self._over = requires


class ReduceFunctorTask(_FunctorOverArguments):
    """Folds the required values from the left by a function of two.

    :param requires: two symbols or more, in order
    """

    _purpose = 'reduce'
    _arity = 2

    def execute(self, *args: typing.Any, **kwargs: typing.Any) -> typing.Any:
        """Return the result of the last call of the function."""
        values = [kwargs[name] for name in self._over]
        result = values[0]
        for value in values[1:]:
            result = self._functor(result, value)
        return result


class MapFunctorTask(_FunctorOverArguments):
    """Applies a function of one argument to each of the required values.

    :param requires: symbols, in the order of the results
    """

    _purpose = 'map'
    _arity = 1

    def execute(self, *args: typing.Any, **kwargs: typing.Any) -> typing.Any:
        """Return the list of what the function returned."""
        return [self._functor(kwargs[name]) for name in self._over]


@dataclasses.dataclass(frozen=True, slots=True)
class Done:
    """A probe's answer: the work was done, with this result."""

    result: typing.Any = None


class Probe(enum.Enum):
    """A probe's other answer."""

    NOT_DONE = 'not done'


#: A probe's answer: the work was not done, nor can it still be.
NOT_DONE = Probe.NOT_DONE


class Attempt:
    """What a running task can know about its being run.

    :ivar flow_uuid: the flow that it is part of
    :ivar atom: the name of the task
    :ivar attempt: how often the task was started in this flow, this time
        included
    :ivar try_number: which try of the retry controller around it this is,
        from 1
    :ivar cancellation: says when the work is no longer wanted
    :ivar task: whose events on its notifier are told to who runs it,
    :ivar tell: which is called with each event and its details; None if
        nobody wants them
    """

    __slots__ = (
        'atom',
        'attempt',
        'cancellation',
        'flow_uuid',
        'task',
        'tell',
        'try_number',
    )

    def __init__(
        self,
        flow_uuid: str,
        atom: str,
        attempt: int,
        cancellation: cancellation_mod.Cancellation,
        try_number: int = 1,
    ) -> None:
        self.flow_uuid = flow_uuid
        self.atom = atom
        self.attempt = attempt
        self.cancellation = cancellation
        self.try_number = try_number
        self.task: Task | None = None
        self.tell: Callable[[str, dict[str, typing.Any]], object] | None = None

    def __repr__(self) -> str:
        return (
            f'<Attempt {self.attempt} (try {self.try_number}) of '
            f'{self.atom} in flow {self.flow_uuid}>'
        )

    @property
    def token(self) -> str:
        """Return a uuid that all attempts of one try have in common.

        Given to a service as the client's token it makes a request that is
        sent again the same request.
        """
        name = '\0'.join((self.flow_uuid, self.atom, str(self.try_number)))
        return str(uuid.uuid5(_TOKENS, name))


# Any uuid that is used for nothing else.
_TOKENS = uuid.UUID('7e1e5a44-7a0a-5d0c-9a4e-2f3d9b1c6f50')

_CURRENT: contextvars.ContextVar[Attempt | None] = contextvars.ContextVar(
    'taskflow_service.task.current', default=None
)


def current() -> Attempt | None:
    """Return the attempt that this thread is running, None outside a task.

    A thread that the task starts does not inherit it: hand it over.
    """
    return _CURRENT.get()


def set_current(
    attempt: Attempt | None,
) -> contextvars.Token[Attempt | None]:
    """Say, before a task's body is called, what :func:`current` returns."""
    return _CURRENT.set(attempt)


def reset_current(mark: contextvars.Token[Attempt | None]) -> None:
    """Take back what was said; in the same thread."""
    _CURRENT.reset(mark)
