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

"""Retry controllers: what a flow does when one of its atoms fails.

A controller is an atom that runs before the flow it controls. Its result is
what the tasks of this try may use (the next value to try, the number of the
try), and when one of them fails it decides: try again, revert this flow, or
revert all. It always runs in the engine, and it never sleeps: how long to
wait before the next try is a number that the engine turns into a timer, so
that other branches go on.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
import dataclasses
import enum
import typing

from taskflow_service import atom
from taskflow_service import exceptions
from taskflow_service import signatures
from taskflow_service.types import failure as failure_mod


class Decision(enum.StrEnum):
    """What happens after a failure."""

    #: Revert the flow that is controlled, unless the controller of the flow
    #: around it decides otherwise.
    REVERT = 'REVERT'
    #: Revert everything, whatever controllers there are around.
    REVERT_ALL = 'REVERT_ALL'
    #: Revert the flow that is controlled and execute it again.
    RETRY = 'RETRY'


REVERT = Decision.REVERT
REVERT_ALL = Decision.REVERT_ALL
RETRY = Decision.RETRY

#: Under these names a controller is given its history, and ``revert`` why
#: the flow failed.
EXECUTE_REVERT_HISTORY = 'history'
REVERT_FLOW_FAILURES = 'flow_failures'

#: The failures of one try, by the name of the atom.
Outcomes = Mapping[str, failure_mod.Failure]

#: An exception class, or the name of one.
ErrorType = type[BaseException] | str


class Random(typing.Protocol):
    """Where a jitter comes from, such as ``random.Random(seed)``."""

    def random(self) -> float:
        """Return a number from 0.0 up to but not including 1.0."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait before the next try, and when to stop trying.

    The wait after the n-th try is ``delay * factor ** (n - 1)`` seconds, at
    most ``max_delay``; of that the fraction ``jitter`` is random, so that
    what failed together does not come back together (1.0 is the "full
    jitter", 0.5 the "equal jitter" of Brooker, "Exponential Backoff And
    Jitter", 2015).

    :param delay: seconds after the first try
    :param factor: 1.0 for a constant delay
    :param jitter: from 0.0 to 1.0
    :param max_delay: seconds
    :param max_elapsed: seconds since the first try began, beyond which no
        other try begins; None for no limit
    :raises ValueError: a number out of its range
    """

    delay: float
    factor: float = 1.0
    jitter: float = 0.0
    max_delay: float = 3600.0
    max_elapsed: float | None = None

    def __post_init__(self) -> None:
        if not (self.delay >= 0 and self.factor >= 1 and self.max_delay >= 0):
            raise ValueError(
                f'{self}: delay and max_delay must not be negative, factor '
                'must be at least 1'
            )
        if not 0 <= self.jitter <= 1:
            raise ValueError(f'{self}: jitter must be from 0 to 1')
        if self.max_elapsed is not None and not self.max_elapsed >= 0:
            raise ValueError(f'{self}: max_elapsed must not be negative')

    def delay_for(self, try_number: int, rng: Random) -> float:
        """Return the seconds to wait after a try that failed.

        :param try_number: how many tries there were, from 1
        """
        try:
            full = self.delay * self.factor ** (try_number - 1)
        except OverflowError:
            full = self.max_delay
        full = min(full, self.max_delay)
        return full * (1.0 - self.jitter * rng.random())

    def allows(self, elapsed: float, delay: float = 0.0) -> bool:
        """Tell whether another try may begin.

        :param elapsed: seconds since the first try began
        :param delay: seconds from now until the next would begin
        """
        return self.max_elapsed is None or elapsed + delay <= self.max_elapsed


class History:
    """What happened in the tries so far; read only.

    A sequence of ``(result of the controller, {atom name: Failure})``.

    :param failure: why the controller itself failed, if it did
    """

    def __init__(
        self,
        contents: Iterable[tuple[typing.Any, Outcomes]],
        failure: failure_mod.Failure | None = None,
    ) -> None:
        self._contents = list(contents)
        self._failure = failure

    @property
    def failure(self) -> failure_mod.Failure | None:
        """Return why the controller itself failed, or None."""
        return self._failure

    def outcomes_iter(
        self, index: int | None = None
    ) -> Iterator[tuple[str, failure_mod.Failure]]:
        """Iterate over the failures of all tries, or of one.

        :raises IndexError: there was no such try
        """
        tries = self._contents if index is None else [self._contents[index]]
        for _provided, outcomes in tries:
            yield from outcomes.items()

    def provided_iter(self) -> Iterator[typing.Any]:
        """Iterate over what the controller returned for each try."""
        for provided, _outcomes in self._contents:
            yield provided

    def caused_by(
        self,
        exception_cls: ErrorType,
        index: int | None = None,
        include_retry: bool = False,
    ) -> bool:
        """Tell whether something failed with an exception of a class.

        :param exception_cls: the class, or its name
        :param index: look at one try only
        :param include_retry: whether a failure of the controller counts
        """
        for _name, failure in self.outcomes_iter(index):
            if failure.check(exception_cls):
                return True
        return bool(
            include_retry
            and self._failure is not None
            and self._failure.check(exception_cls)
        )

    def __len__(self) -> int:
        return len(self._contents)

    @typing.overload
    def __getitem__(self, index: int) -> tuple[typing.Any, Outcomes]: ...

    @typing.overload
    def __getitem__(
        self, index: slice
    ) -> list[tuple[typing.Any, Outcomes]]: ...

    def __getitem__(self, index: int | slice) -> typing.Any:
        return self._contents[index]

    def __iter__(self) -> Iterator[tuple[typing.Any, Outcomes]]:
        return iter(self._contents)


class Retry(atom.Atom):
    """A retry controller; without a name it is called ``<flow>_retry``.

    The other parameters are those of :class:`taskflow_service.atom.Atom`.

    :param backoff: how long to wait between tries
    :param only: exception classes, or their names: another try is made only
        if every failure of the last one is of these; otherwise the
        controller gives up without being asked
    """

    _ignored = (
        (EXECUTE_REVERT_HISTORY,),
        (EXECUTE_REVERT_HISTORY, 'result', REVERT_FLOW_FAILURES),
    )

    #: How long to wait between tries; None: not at all.
    backoff: Backoff | None = None

    #: Of which classes a failure must be for another try; empty: of any.
    only: tuple[ErrorType, ...] = ()

    _revert_action: Decision = REVERT

    def __init__(
        self,
        name: str | None = None,
        provides: signatures.Provides | None = None,
        requires: signatures.Requires = None,
        auto_extract: bool = True,
        rebind: signatures.Rebind = None,
        *,
        backoff: Backoff | None = None,
        only: ErrorType | Iterable[ErrorType] | None = None,
    ) -> None:
        super().__init__(name, provides, requires, auto_extract, rebind)
        if backoff is not None:
            self.backoff = backoff
        if only is not None:
            self.only = (
                (only,) if isinstance(only, (str, type)) else tuple(only)
            )

    @abc.abstractmethod
    def execute(
        self, history: History, *args: typing.Any, **kwargs: typing.Any
    ) -> typing.Any:
        """Begin a try; return what its tasks may use.

        The history and the arguments are given by name.
        """

    def revert(
        self, history: History, *args: typing.Any, **kwargs: typing.Any
    ) -> typing.Any:
        """Undo what execute did in all tries; by default nothing."""

    @abc.abstractmethod
    def on_failure(
        self, history: History, *args: typing.Any, **kwargs: typing.Any
    ) -> Decision:
        """Decide what happens after a try that failed.

        The history, with that try as its last, and the arguments of execute
        are given by name.
        """

    @property
    def give_up(self) -> Decision:
        """Return the decision that ends all trying."""
        return self._revert_action

    def may_retry(self, history: History) -> bool:
        """Tell whether the last try failed in a way worth another one."""
        if not self.only or not len(history):
            return True
        return all(
            failure.check(*self.only)
            for _name, failure in history.outcomes_iter(-1)
        )

    def decide(
        self,
        history: History,
        arguments: Mapping[str, typing.Any] | None = None,
        elapsed: float = 0.0,
        delay: float = 0.0,
    ) -> Decision:
        """Ask ``on_failure``, within what ``only`` and ``backoff`` allow.

        :param arguments: those of execute
        :param elapsed: seconds since the first try began
        :param delay: seconds until the next try could begin
        :raises ValueError: the controller answered something else
        """
        if not self.may_retry(history):
            return self.give_up
        answer = self.on_failure(history=history, **(arguments or {}))
        try:
            decision = Decision(answer)
        except ValueError:
            raise ValueError(
                f'Retry controller {self.name!r} answered {answer!r}, which '
                f'is none of {[str(known) for known in Decision]}'
            ) from None
        if (
            decision is RETRY
            and self.backoff is not None
            and not self.backoff.allows(elapsed, delay)
        ):
            return self.give_up
        return decision

    def delay_for(self, try_number: int, rng: Random) -> float:
        """Return the seconds to wait after a try that failed.

        :param try_number: how many tries there were, from 1
        """
        if self.backoff is None:
            return 0.0
        return self.backoff.delay_for(try_number, rng)


class AlwaysRevert(Retry):
    """Reverts the flow that it controls."""

    def on_failure(self, *args: typing.Any, **kwargs: typing.Any) -> Decision:
        """Return ``REVERT``."""
        return REVERT

    def execute(self, *args: typing.Any, **kwargs: typing.Any) -> typing.Any:
        """Do nothing."""


class AlwaysRevertAll(Retry):
    """Reverts everything."""

    _revert_action = REVERT_ALL

    def on_failure(self, **kwargs: typing.Any) -> Decision:  # type: ignore[override]
        """Return ``REVERT_ALL``."""
        return REVERT_ALL

    def execute(self, **kwargs: typing.Any) -> typing.Any:  # type: ignore[override]
        """Do nothing."""


class Times(Retry):
    """Tries a number of times; its result is the number of the try.

    :param attempts: how many tries there are, the first included
    :param revert_all: whether everything is reverted after the last
    """

    def __init__(
        self,
        attempts: int = 1,
        name: str | None = None,
        provides: signatures.Provides | None = None,
        requires: signatures.Requires = None,
        auto_extract: bool = True,
        rebind: signatures.Rebind = None,
        revert_all: bool = False,
        **kwargs: typing.Unpack[_Options],
    ) -> None:
        super().__init__(
            name, provides, requires, auto_extract, rebind, **kwargs
        )
        self._attempts = attempts
        self._revert_action = REVERT_ALL if revert_all else REVERT

    def on_failure(
        self, history: History, *args: typing.Any, **kwargs: typing.Any
    ) -> Decision:
        """Return ``RETRY`` as long as there are tries left."""
        if len(history) < self._attempts:
            return RETRY
        return self._revert_action

    def execute(
        self, history: History, *args: typing.Any, **kwargs: typing.Any
    ) -> int:
        """Return the number of this try, from 1."""
        return len(history) + 1


class ForEachBase(Retry):
    """Tries one value after the other; its result is the value.

    :param revert_all: whether everything is reverted after the last value
    """

    def __init__(
        self,
        name: str | None = None,
        provides: signatures.Provides | None = None,
        requires: signatures.Requires = None,
        auto_extract: bool = True,
        rebind: signatures.Rebind = None,
        revert_all: bool = False,
        **kwargs: typing.Unpack[_Options],
    ) -> None:
        super().__init__(
            name, provides, requires, auto_extract, rebind, **kwargs
        )
        self._revert_action = REVERT_ALL if revert_all else REVERT

    def _get_next_value(
        self, values: Iterable[typing.Any], history: History
    ) -> typing.Any:
        remaining = list(values)
        # A value that occurs twice is tried twice; values need not be
        # hashable.
        for tried in history.provided_iter():
            if tried in remaining:
                remaining.remove(tried)
        if not remaining:
            raise exceptions.NotFound(
                f'No elements left for retry controller {self.name!r} to try '
                f'after {len(history)} tries'
            )
        return remaining[0]

    def _on_failure(
        self, values: Iterable[typing.Any], history: History
    ) -> Decision:
        try:
            self._get_next_value(values, history)
        except exceptions.NotFound:
            return self._revert_action
        return RETRY


class ForEach(ForEachBase):
    """Tries one of the given values after the other.

    :param values: any iterable, in the order of trying
    """

    def __init__(
        self,
        values: Iterable[typing.Any],
        name: str | None = None,
        provides: signatures.Provides | None = None,
        requires: signatures.Requires = None,
        auto_extract: bool = True,
        rebind: signatures.Rebind = None,
        revert_all: bool = False,
        **kwargs: typing.Unpack[_Options],
    ) -> None:
        super().__init__(
            name,
            provides,
            requires,
            auto_extract,
            rebind,
            revert_all,
            **kwargs,
        )
        # An iterator would be gone after the first try.
        self._values = list(values) if isinstance(values, Iterator) else values

    def on_failure(
        self, history: History, *args: typing.Any, **kwargs: typing.Any
    ) -> Decision:
        """Return ``RETRY`` as long as there are values left."""
        return self._on_failure(self._values, history)

    def execute(
        self, history: History, *args: typing.Any, **kwargs: typing.Any
    ) -> typing.Any:
        """Return the next value."""
        return self._get_next_value(self._values, history)


class ParameterizedForEach(ForEachBase):
    """Tries one value after the other of the symbol ``values``."""

    def on_failure(  # type: ignore[override]
        self,
        values: Iterable[typing.Any],
        history: History,
        *args: typing.Any,
        **kwargs: typing.Any,
    ) -> Decision:
        """Return ``RETRY`` as long as there are values left."""
        return self._on_failure(values, history)

    def execute(  # type: ignore[override]
        self,
        values: Iterable[typing.Any],
        history: History,
        *args: typing.Any,
        **kwargs: typing.Any,
    ) -> typing.Any:
        """Return the next value."""
        return self._get_next_value(values, history)


class _Options(typing.TypedDict, total=False):
    """The keywords that every controller takes beyond TaskFlow's."""

    backoff: Backoff | None
    only: ErrorType | Iterable[ErrorType] | None
