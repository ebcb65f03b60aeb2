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
"""Compiled checks between frozen dataclasses and plain JSON values.

A message is described once, by the annotations of its dataclass.  From them
this module builds, at import, one checking converter per field, so that a
message from the bus costs one look-up and one call a field and nothing is
ever read off a class while messages flow.

The wire form of a dataclass is an object that leaves out what equals the
default: small when little is said, and open in both directions within a
major version (an unknown key is skipped, a missing one has its default).
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
import enum
import math
import types
import typing

_T = typing.TypeVar('_T')
_Convert = Callable[[typing.Any], typing.Any]

#: No identifier or label of the protocol is longer than this.
MAX_LABEL = 255
#: Integers stay below what every JSON reader keeps exact.
MAX_COUNT = 2**53


class Malformed(ValueError):
    """A plain value is not what its field asks for."""


def _label(value: object) -> str:
    if type(value) is str and 0 < len(value) <= MAX_LABEL:
        return value
    raise Malformed(f'wants a text of 1 to {MAX_LABEL} characters')


def _count(value: object) -> int:
    if type(value) is int and 0 <= value <= MAX_COUNT:
        return value
    raise Malformed(f'wants an integer from 0 to {MAX_COUNT}')


#: A name or an identifier.
Label = typing.Annotated[str, _label]
#: A number that counts or orders something.
Count = typing.Annotated[int, _count]


def _exactly(kind: type) -> _Convert:
    def convert(value: object) -> object:
        if type(value) is kind:
            return value
        raise Malformed(f'wants {kind.__name__}')

    return convert


def _number(value: object) -> float:
    if type(value) in (int, float) and math.isfinite(
        typing.cast(float, value)
    ):
        return float(typing.cast(float, value))
    raise Malformed('wants a finite number')


def _member(kind: type[enum.Enum]) -> _Convert:
    members = {member.value: member for member in kind}

    def convert(value: object) -> object:
        try:
            return members[value]
        except (KeyError, TypeError):
            raise Malformed(f'wants one of {sorted(members)}') from None

    return convert


def _optional(inner: _Convert) -> _Convert:
    return lambda value: None if value is None else inner(value)


def _sequence(inner: _Convert) -> _Convert:
    def convert(value: object) -> object:
        if type(value) is list:
            return tuple([inner(item) for item in value])
        raise Malformed('wants a list')

    return convert


def _fixed(inners: list[_Convert]) -> _Convert:
    def convert(value: object) -> object:
        if type(value) is list and len(value) == len(inners):
            return tuple(
                [inner(item) for inner, item in zip(inners, value)]  # noqa: B905
            )
        raise Malformed(f'wants a list of {len(inners)}')

    return convert


def _mapping(key: _Convert, inner: _Convert) -> _Convert:
    def convert(value: object) -> object:
        if type(value) is dict:
            return {key(k): inner(v) for k, v in value.items()}
        raise Malformed('wants an object')

    return convert


def _converter(hint: typing.Any) -> _Convert:
    """Build the converter of one annotation."""
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin is typing.Annotated:
        return typing.cast(_Convert, arguments[1])
    if origin in (types.UnionType, typing.Union):
        (inner,) = [a for a in arguments if a is not types.NoneType]
        return _optional(_converter(inner))
    if origin is tuple and arguments[-1] is Ellipsis:
        return _sequence(_converter(arguments[0]))
    if origin is tuple:
        return _fixed([_converter(argument) for argument in arguments])
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(_converter(arguments[0]), _converter(arguments[1]))
    if hint is float:
        return _number
    if issubclass(hint, enum.Enum):
        return _member(hint)
    if dataclasses.is_dataclass(hint):
        return reader(typing.cast('type[typing.Any]', hint))
    return _exactly(hint)


def reader(cls: type[_T]) -> Callable[[typing.Any], _T]:
    """Compile the function that makes a ``cls`` from a plain object.

    The function raises :class:`Malformed` with the path of the field.
    """
    hints = typing.get_type_hints(cls, include_extras=True)
    fields = dataclasses.fields(typing.cast(typing.Any, cls))
    converters = {
        field.name: _converter(hints[field.name]) for field in fields
    }

    def read(plain: typing.Any) -> _T:
        if type(plain) is not dict:
            raise Malformed('wants an object')
        values = {}
        for name, value in plain.items():
            convert = converters.get(name)
            if convert is None:
                continue
            try:
                values[name] = convert(value)
            except Malformed as exc:
                raise Malformed(f'{name}: {exc}') from None
        try:
            return cls(**values)
        except TypeError:
            missing = [name for name in required if name not in values]
            raise Malformed(f'lacks {", ".join(missing)}') from None

    required = [
        field.name for field in fields if field.default is dataclasses.MISSING
    ]
    return read


def _plain(hint: typing.Any) -> _Convert | None:
    """Build what makes a field plain; None if JSON takes it as it is."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is tuple and arguments[-1] is Ellipsis:
        inner = _plain(arguments[0])
        if inner is not None:
            return lambda values: [inner(value) for value in values]
        return None
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        (some,) = [a for a in arguments if a is not types.NoneType]
        return _plain(some)
    if dataclasses.is_dataclass(hint):
        return writer(typing.cast(type, hint))
    return None


def writer(cls: type[_T]) -> Callable[[_T], dict[str, typing.Any]]:
    """Compile the function that makes a plain object of a ``cls``."""
    hints = typing.get_type_hints(cls, include_extras=True)
    layout = [
        (field.name, field.default, _plain(hints[field.name]))
        for field in dataclasses.fields(typing.cast(typing.Any, cls))
    ]

    def write(message: _T) -> dict[str, typing.Any]:
        plain = {}
        for name, default, convert in layout:
            value = getattr(message, name)
            if value is None or value == default:
                continue
            plain[name] = value if convert is None else convert(value)
        return plain

    return write
