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

"""A failure as a value: kept, compared, stored, sent, and raised again.

A task that raises costs its flow one of these.  Making one keeps the
exception and its traceback as they are; names, texts and causes are worked
out when somebody asks, because most failures are only looked at by a retry
controller that wants to know their type.

A failure that comes from the logbook or from a worker has no traceback
object, only its text.  It has its exception again if the exception's class
was found there (``serialization.classes`` decides), and is then raised as
that; else it is known by the names of its classes only, and raised as a
``WrappedFailure``.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
import sys
import traceback
import types
from typing import Any
from typing import ClassVar
from typing import NoReturn
from typing import TypeAlias

from oslo_utils import reflection

from taskflow_service import exceptions

# A loop that raises each new error from its last would grow without bound.
_MAX_CAUSES = 32

_HEADER = 'Traceback (most recent call last):'

ExcInfo: TypeAlias = tuple[
    type[BaseException], BaseException, types.TracebackType | None
]


class Failure:
    """An exception that was caught, or what is left of one.

    Without arguments it captures the exception being handled.  Given keywords
    (``exception_str, traceback_str, exc_type_names, exc_args, causes``) it is
    one without its exception.  Raises TypeError if what is captured is not an
    ``Exception``: ``KeyboardInterrupt`` and its like are not a task's
    failure.

    It iterates over the names of the exception's classes, from its own to
    ``Exception``.  Two are equal if they say the same and both have their
    exception, or neither has; one that comes from storage is equal to what
    was stored, whether its exception could be rebuilt or not.
    """

    __slots__ = (
        '_causes',
        '_exc_args',
        '_exc_info',
        '_exc_type_names',
        '_exception_str',
        '_stored',
        '_traceback_str',
    )

    #: Version of the form that to_dict() returns.
    DICT_VERSION: ClassVar[int] = 1

    #: What the last of the type names has to be.
    BASE_EXCEPTIONS: ClassVar[tuple[str, ...]] = ('BaseException', 'Exception')

    _exc_info: ExcInfo | None
    _exc_args: tuple[Any, ...] | None
    _exc_type_names: tuple[str, ...] | None
    _exception_str: str | None
    _traceback_str: str | None
    _causes: tuple[Failure, ...] | None
    _stored: Any

    def __init__(
        self,
        exc_info: tuple[Any, Any, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self._stored = None
        if kwargs:
            self._exc_info = None
            self._exc_args = tuple(kwargs.pop('exc_args', ()))
            self._exc_type_names = tuple(kwargs.pop('exc_type_names', ()))
            self._exception_str = kwargs.pop('exception_str', None)
            self._traceback_str = kwargs.pop('traceback_str', None)
            self._causes = tuple(kwargs.pop('causes', ()))
            if kwargs:
                unknown = ', '.join(sorted(kwargs))
                raise TypeError(
                    'Failure.__init__ got unexpected keyword argument(s): '
                    f'{unknown}'
                )
            return
        self._exc_info = _checked(
            sys.exc_info() if exc_info is None else exc_info
        )
        self._exc_args = None
        self._exc_type_names = None
        self._exception_str = None
        self._traceback_str = None
        self._causes = None

    @classmethod
    def from_exception(cls, exception: Exception) -> Failure:
        """Make one of an exception, with the traceback that it has."""
        return cls(
            (
                type(exception),
                exception,
                getattr(exception, '__traceback__', None),
            )
        )

    @classmethod
    def restored(
        cls,
        data: Mapping[str, Any],
        exception: Exception | None,
        stored_form: Any,
    ) -> Failure:
        """Make one again from what it was stored as.

        ``data`` is what ``to_dict()`` returned; the exception, if it could be
        made again, is raised by ``reraise()`` with the stored traceback as a
        note; ``stored_form`` is kept for who stores it again.
        """
        failure = cls.from_dict(data)
        failure._stored = stored_form
        if exception is not None:
            failure._exc_info = (type(exception), exception, None)
        return failure

    @classmethod
    def validate(cls, data: Any) -> None:
        """Raise InvalidFormat unless from_dict() can read this."""
        _validate(data)
        root = data['exc_type_names'][-1]
        if root not in cls.BASE_EXCEPTIONS:
            raise exceptions.InvalidFormat(
                "'exc_type_names' of a failure must end with one of"
                f' {cls.BASE_EXCEPTIONS}, not {root!r}'
            )

    @property
    def stored_form(self) -> Any:
        """What it was stored as; None of one that was made here."""
        return self._stored

    @property
    def exception(self) -> BaseException | None:
        """The exception itself; None if it is not here."""
        return self._exc_info[1] if self._exc_info else None

    @property
    def exc_info(self) -> ExcInfo | None:
        """Type, exception and traceback; None if they are not here."""
        return self._exc_info

    @property
    def exception_str(self) -> str | None:
        """The exception's text."""
        if self._exception_str is None and self._exc_info:
            self._exception_str = _text(self._exc_info[1])
        return self._exception_str

    @property
    def exception_args(self) -> tuple[Any, ...]:
        """What the exception was made of."""
        if self._exc_args is None:
            self._exc_args = tuple(getattr(self.exception, 'args', ()))
        return self._exc_args

    @property
    def traceback_str(self) -> str | None:
        """The traceback as text, without its heading; may be empty."""
        if self._traceback_str is None and self._exc_info:
            lines = traceback.format_tb(self._exc_info[2])
            self._traceback_str = ''.join(lines)
        return self._traceback_str

    @property
    def causes(self) -> tuple[Failure, ...]:
        """The exceptions that led to this one, the nearest first."""
        if self._causes is None:
            chain = [
                Failure.from_exception(error)
                for error in _chain(self.exception)
            ]
            # The causes of each are those that come after it.
            for index, one in enumerate(chain):
                one._causes = tuple(chain[index + 1 :])
            self._causes = tuple(chain)
        return self._causes

    def _type_names(self) -> tuple[str, ...]:
        if self._exc_type_names is None:
            self._exc_type_names = (
                tuple(
                    reflection.get_all_class_names(
                        self._exc_info[0], up_to=Exception
                    )
                )
                if self._exc_info
                else ()
            )
        return self._exc_type_names

    def __iter__(self) -> Iterator[str]:
        return iter(self._type_names())

    def check(self, *exc_classes: type | str) -> type | str | None:
        """Return the first of the classes that the exception is one of.

        Classes may be given by their names, and are compared by them, so
        that this works without the exception; None if there is none.
        """
        names = self._type_names()
        for cls in exc_classes:
            name = cls if isinstance(cls, str) else _class_name(cls)
            if name in names:
                return cls
        return None

    def matches(self, other: object) -> bool:
        """Tell whether the other says the same, with its exception or not."""
        return self is other or (
            isinstance(other, Failure) and self._says_the_same(other)
        )

    def _says_the_same(self, other: Failure) -> bool:
        # Arguments that have no stored form come back as texts.
        with_args = self._stored is None and other._stored is None
        mine = (self, *self.causes)
        others = (other, *other.causes)
        return len(mine) == len(others) and all(
            one._type_names() == another._type_names()
            and one.exception_str == another.exception_str
            and one.traceback_str == another.traceback_str
            and not (
                with_args and one.exception_args != another.exception_args
            )
            for one, another in zip(mine, others, strict=True)
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Failure):
            return NotImplemented
        if self is other:
            return True
        if self._stored is None and other._stored is None:
            if (self._exc_info is None) != (other._exc_info is None):
                return False
        return self._says_the_same(other)

    # Equality reads texts; and a failure is not meant to be a key.
    __hash__ = None  # type: ignore[assignment]

    @staticmethod
    def reraise_if_any(failures: Iterable[Failure]) -> None:
        """Raise the one failure, or all of them in a WrappedFailure."""
        failures = list(failures)
        if len(failures) == 1:
            failures[0].reraise()
        elif failures:
            raise exceptions.WrappedFailure(failures)

    def reraise(self) -> NoReturn:
        """Raise the exception, or a WrappedFailure if it is not here."""
        if self._exc_info is None:
            raise exceptions.WrappedFailure([self])
        _, error, trace = self._exc_info
        if self._stored is not None:
            _note(error, self.traceback_str)
        raise error.with_traceback(trace)

    def __str__(self) -> str:
        return self.pformat()

    def __repr__(self) -> str:
        return f'<{self.pformat()}>'

    def pformat(self, traceback: bool = False) -> str:
        """Format it in a line, or with its traceback."""
        names = self._type_names()
        text = ': '.join(
            ('Failure', *names[:1], str(self.exception_str)),
        )
        if not traceback:
            return text
        if not self.traceback_str:
            return f'{text}\nTraceback not available.'
        return f'{text}\n{_HEADER}\n{self.traceback_str.rstrip()}'

    def to_dict(self, include_args: bool = True) -> dict[str, Any]:
        """Return it as plain data.

        Without the arguments only texts are left, whatever the exception was
        made of.
        """
        found = self._own_dict(include_args)
        causes = [one._own_dict(include_args) for one in self.causes]
        # As many nestings as causes, yet each of them only once.
        for index, one in enumerate(causes):
            one['causes'] = causes[index + 1 :]
        found['causes'] = causes
        return found

    def _own_dict(self, include_args: bool) -> dict[str, Any]:
        return {
            'exception_str': self.exception_str,
            'traceback_str': self.traceback_str,
            'exc_type_names': list(self._type_names()),
            'version': self.DICT_VERSION,
            'exc_args': self.exception_args if include_args else (),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Failure:
        """Make one from what to_dict() returned.

        Raises ValueError if that is of another version, TypeError if it has
        unknown parts; validate() says more.
        """
        parts = dict(data)
        version = parts.pop('version', None)
        if version != cls.DICT_VERSION:
            raise ValueError(
                f'Version {version} of a failure cannot be read, only'
                f' {cls.DICT_VERSION}'
            )
        below = list(parts.pop('causes', ()))
        causes: list[Failure] = []
        for index in range(len(below) - 1, -1, -1):
            one = dict(below[index])
            # Where its causes are those after it they are not made twice.
            if len(one.get('causes', ())) == len(causes):
                one['causes'] = ()
                made = cls.from_dict(one)
                made._causes = tuple(causes)
            else:
                made = cls.from_dict(one)
            causes.insert(0, made)
        return cls(causes=causes, **parts)

    def copy(self) -> Failure:
        """Return a failure equal to this one."""
        twin = type(self).__new__(type(self))
        twin.__setstate__(self.__getstate__())
        twin._exc_info = self._exc_info
        return twin

    __copy__ = copy

    def __deepcopy__(self, memo: object) -> Failure:
        return self.copy()

    def __getstate__(self) -> dict[str, Any]:
        # Tracebacks do not leave their process; all texts are made first.
        state = {
            '_exc_type_names': self._type_names(),
            '_exc_args': self.exception_args,
            '_exception_str': self.exception_str,
            '_traceback_str': self.traceback_str,
            '_causes': self.causes,
            '_stored': self._stored,
            '_exc_info': None,
        }
        if self._exc_info is not None:
            state['_exc_info'] = (*self._exc_info[:2], None)
        return state

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)


def _checked(exc_info: tuple[Any, Any, Any]) -> ExcInfo:
    if len(exc_info) != 3:
        raise ValueError(
            f'exc_info has three parts, not {len(exc_info)}: type, exception'
            ' and traceback'
        )
    kind = exc_info[0]
    if not isinstance(kind, type) or not issubclass(kind, Exception):
        raise TypeError(f'A failure is made of an Exception, not of {kind!r}')
    return exc_info


def _class_name(cls: type) -> str:
    name: str = reflection.get_class_name(cls)
    return name


def _text(error: BaseException) -> str:
    # A failure is what is left when things went wrong; it must not.
    try:
        return str(error)
    except Exception:
        return f'<unprintable {type(error).__name__} object>'


def _chain(error: BaseException | None) -> Iterator[Exception]:
    seen = {id(error)}
    while error is not None and len(seen) <= _MAX_CAUSES:
        if error.__cause__ is not None:
            error = error.__cause__
        elif error.__suppress_context__:
            return
        else:
            error = error.__context__
        if not isinstance(error, Exception) or id(error) in seen:
            return
        seen.add(id(error))
        yield error


def _note(error: BaseException, text: str | None) -> None:
    if text:
        note = f'Where it was raised first:\n{_HEADER}\n{text.rstrip()}'
        if note not in getattr(error, '__notes__', ()):
            error.add_note(note)


def _validate(data: Any) -> None:
    if not isinstance(data, Mapping):
        raise exceptions.InvalidFormat(
            f'A failure is a dict, not {type(data).__name__}'
        )
    for key in ('exception_str', 'traceback_str', 'exc_type_names'):
        if key not in data:
            raise exceptions.InvalidFormat(f'A failure must have {key!r}')
    for key in ('exception_str', 'traceback_str'):
        _must(isinstance(data[key], str), data, key, 'a string')
    names = data['exc_type_names']
    _must(
        isinstance(names, list | tuple)
        and len(names) > 0
        and all(isinstance(name, str) for name in names),
        data,
        'exc_type_names',
        'a list of at least one string',
    )
    for key in ('exc_args', 'causes'):
        _must(isinstance(data.get(key, ()), list | tuple), data, key, 'a list')
    version = data.get('version', 0)
    _must(
        isinstance(version, int) and version >= 0,
        data,
        'version',
        'a number from 0',
    )
    for cause in data.get('causes', ()):
        _validate(cause)


def _must(holds: bool, data: Mapping[str, Any], key: str, what: str) -> None:
    if not holds:
        raise exceptions.InvalidFormat(
            f'{key!r} of a failure must be {what}, not {data[key]!r}'
        )
