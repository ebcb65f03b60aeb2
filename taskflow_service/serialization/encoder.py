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

"""A value as a tree of what JSON has words for.

``encode()`` refuses what would not come back equal, and says where in the
value it is.  ``is_plain()`` tells quickly whether a value is such a tree
already, which most are.
"""

from __future__ import annotations

import collections
from collections.abc import Callable
from collections.abc import Iterable
import enum
import math
import re
from typing import Any
from typing import TypeAlias

from taskflow_service import exceptions
from taskflow_service.serialization import classes
from taskflow_service.serialization import failures
from taskflow_service.serialization import types
from taskflow_service.types import failure as failure_types

#: How deep a value may be nested.  A bound that no sane value meets, and
#: that ends those which contain themselves.
MAX_DEPTH = 100

#: What begins a key that stands for a type.
TAG = '$'

_SCALARS = frozenset((str, int, float, bool, type(None)))

# JSON writes the two halves of a surrogate pair as it writes the character
# that they would encode together.
_PAIR = re.compile('[\ud800-\udbff][\udc00-\udfff]')

# Python refuses decimal numbers of more than 4,300 digits in text.
_LONG = 1 << 2048

_MAX_SHOWN = 200

# Called with the value, its depth, and whether a text may stand for what has
# no stored form.
_Writer: TypeAlias = Callable[[Any, int, bool], Any]


class _Refusal(Exception):
    """There is no stored form; gathers the way to it from the inside out."""

    def __init__(self, value: Any, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.type_name = type_name(value)
        self.steps: list[str] = []


def is_plain(value: Any, depth: int = MAX_DEPTH) -> bool:
    """Tell whether JSON by itself would keep a value as it is.

    Floats that are not finite and surrogates are not looked for: the former
    JSON's encoder refuses, the latter show in its text.
    """
    kind = type(value)
    if kind in _SCALARS:
        return True
    if depth == 0:
        return False
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                return False
            if type(item) not in _SCALARS and not is_plain(item, depth - 1):
                return False
        return len(value) != 1 or not key.startswith(TAG)
    if kind is list:
        for item in value:
            if type(item) not in _SCALARS and not is_plain(item, depth - 1):
                return False
        return True
    return False


def encode(value: Any) -> Any:
    """Return a value as a tree; raise ValueNotStorable if it has none."""
    try:
        return _encode(value, 0, False)
    except _Refusal as refusal:
        path = _short(''.join(reversed(refusal.steps)))
        where = f'{path} of the value' if path else 'the value'
        raise exceptions.ValueNotStorable(
            f'{where}, of type {refusal.type_name}, cannot be stored:'
            f' {refusal.reason}',
            reason=refusal.reason,
            type_name=refusal.type_name,
            path=path,
        ) from refusal.__cause__
    except RuntimeError as error:
        # What Python says of a dict that another thread adds to meanwhile.
        raise exceptions.ValueNotStorable(
            'the value changed while it was being stored; do not change a'
            ' result after it was returned',
            cause=error,
            reason=str(error),
            type_name=type_name(value),
        ) from error


def encode_brief(failure: failure_types.Failure) -> Any:
    """Return as much of a failure as fits in any reasonable bound."""
    return {'$failure': failures.write_brief(failure)}


def type_name(value: Any) -> str:
    """Return the name of a value's type, as errors show it."""
    kind = type(value)
    if kind.__module__ == 'builtins':
        return kind.__qualname__
    return f'{kind.__module__}.{kind.__qualname__}'


def _encode(value: Any, depth: int, lossy: bool) -> Any:
    if depth > MAX_DEPTH:
        return _refuse(
            value,
            f'it is nested deeper than {MAX_DEPTH} levels, or contains itself',
            lossy,
        )
    write = _WRITERS.get(type(value)) or _writer_of_other(value)
    return write(value, depth + 1, lossy)


def _refuse(
    value: Any, reason: str, lossy: bool, cause: Exception | None = None
) -> str:
    if lossy:
        return _shown(value)
    raise _Refusal(value, reason) from cause


def _shown(value: Any) -> str:
    try:
        return _short(repr(value))
    # A value's own code, of a value that is refused anyway.
    except Exception:
        return f'<{type_name(value)} object>'


def _short(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f'{text[:_MAX_SHOWN]}...'


def _encode_each(
    items: Iterable[tuple[Any, Any]],
    step: Callable[[Any], str],
    depth: int,
    lossy: bool,
) -> list[Any]:
    """Encode what is given with its place; ``step`` writes a place."""
    found = []
    for place, item in items:
        try:
            found.append(_encode(item, depth, lossy))
        except _Refusal as refusal:
            refusal.steps.append(step(place))
            raise
    return found


def _in_brackets(place: Any) -> str:
    return f'[{_shown(place)}]'


def _in_braces(place: Any) -> str:
    return f'{{{_shown(place)}}}'


def _after_dot(place: Any) -> str:
    return f'.{place}'


# Containers


def _list(value: Any, depth: int, lossy: bool) -> Any:
    return _encode_each(enumerate(value), _in_brackets, depth, lossy)


def _tuple(value: Any, depth: int, lossy: bool) -> Any:
    return {'$tuple': _list(value, depth, lossy)}


def _members(value: Any, depth: int, lossy: bool) -> Any:
    items = ((item, item) for item in value)
    return _encode_each(items, _in_braces, depth, lossy)


def _set(value: Any, depth: int, lossy: bool) -> Any:
    return {'$set': _members(value, depth, lossy)}


def _frozenset(value: Any, depth: int, lossy: bool) -> Any:
    return {'$frozenset': _members(value, depth, lossy)}


def _dict(value: Any, depth: int, lossy: bool) -> Any:
    if _keys_are_plain(value):
        return _object(value, depth, lossy)
    return {'$dict': _pairs(value, depth, lossy)}


def _keys_are_plain(value: dict[Any, Any]) -> bool:
    for key in value:
        if type(key) is not str or _PAIR.search(key):
            return False
    return len(value) != 1 or not key.startswith(TAG)


def _object(value: Any, depth: int, lossy: bool) -> dict[str, Any]:
    found = _encode_each(value.items(), _in_brackets, depth, lossy)
    return dict(zip(value, found, strict=True))


def _pairs(value: Any, depth: int, lossy: bool) -> list[Any]:
    keys = _members(value, depth, lossy)
    found = _encode_each(value.items(), _in_brackets, depth, lossy)
    return [list(pair) for pair in zip(keys, found, strict=True)]


def _ordered_dict(value: Any, depth: int, lossy: bool) -> Any:
    return {'$ordereddict': _pairs(value, depth, lossy)}


# Scalars


def _as_it_is(value: Any, depth: int, lossy: bool) -> Any:
    return value


def _int(value: int, depth: int, lossy: bool) -> Any:
    return value if -_LONG < value < _LONG else {'$int': hex(value)}


def _float(value: float, depth: int, lossy: bool) -> Any:
    return value if math.isfinite(value) else {'$float': repr(value)}


def _str(value: str, depth: int, lossy: bool) -> Any:
    if _PAIR.search(value) is None:
        return value
    return {'$str': value.encode('utf-8', 'surrogatepass').hex()}


# By class, by registration, and the rules for what is neither


def _writer_of_other(value: Any) -> _Writer:
    kind = type(value)
    if types.of_type(kind) is not None:
        return _registered
    if isinstance(value, enum.Flag):
        return _flag
    if isinstance(value, enum.Enum):
        return _enum
    if isinstance(value, tuple) and hasattr(kind, '_fields'):
        return _named_tuple
    if isinstance(value, failure_types.Failure):
        return _failure
    return _plain


def _registered(value: Any, depth: int, lossy: bool) -> Any:
    codec = types.of_type(type(value))
    if codec is None:
        return _refuse(value, 'it was unregistered just now', lossy)
    try:
        data = codec.encode(value)
    # It is a plug-in's.
    except Exception as error:
        return _refuse(
            value,
            f'its encoder {codec.name} failed: {error!r}',
            lossy,
            error,
        )
    # Where it writes no more than JSON has words for, nothing is added.
    items = [(f'<{codec.name}>', data)]
    return {TAG + codec.name: _encode_each(items, _after_dot, depth, lossy)[0]}


def _by_class(
    tag: str, value: Any, data: Any, lossy: bool
) -> dict[str, Any] | str:
    try:
        return {tag: [classes.path_of(type(value)), data]}
    except LookupError as error:
        return _refuse(value, str(error), lossy)


def _enum(value: enum.Enum, depth: int, lossy: bool) -> Any:
    if type(value).__members__.get(value.name) is not value:
        return _refuse(value, 'it is not a member of its own class', lossy)
    return _by_class('$enum', value, value.name, lossy)


def _flag(value: enum.Flag, depth: int, lossy: bool) -> Any:
    return _by_class('$flag', value, _encode(value.value, depth, lossy), lossy)


def _named_tuple(value: Any, depth: int, lossy: bool) -> Any:
    items = zip(type(value)._fields, value, strict=True)
    data = _encode_each(items, _after_dot, depth, lossy)
    return _by_class('$namedtuple', value, data, lossy)


def _failure(value: failure_types.Failure, depth: int, lossy: bool) -> Any:
    form = value.stored_form
    if form is None:
        # Lossy, because a failure has to be storable whatever it holds.
        form = _object(failures.write(value), depth, True)
    return {'$failure': form}


def _plain(value: Any, depth: int, lossy: bool) -> Any:
    scalar = types.plain(value)
    if scalar is not None:
        if scalar == value:
            return _encode(scalar, depth, lossy)
        return _refuse(
            value,
            f'it is not equal to the plain {type_name(scalar)} in it; convert'
            ' it, or register its type',
            lossy,
        )
    if lossy and isinstance(value, Exception):
        form = failures.write_exception(value)
        return {'$exception': _object(form, depth, True)}
    return _refuse(value, _advice(value), lossy)


def _advice(value: Any) -> str:
    for base in (dict, list, tuple, set, frozenset):
        if isinstance(value, base):
            name = base.__name__
            return (
                f'it may hold more than a {name} does; convert it with'
                f' {name}(), or register its type'
            )
    if isinstance(value, Exception):
        return 'an exception is stored as a Failure.from_exception() of it'
    return (
        'its type has no stored form; return plain data, or register the type'
        ' with taskflow_service.serialization.types.register()'
    )


_WRITERS: dict[type, _Writer] = {
    type(None): _as_it_is,
    bool: _as_it_is,
    int: _int,
    float: _float,
    str: _str,
    list: _list,
    tuple: _tuple,
    set: _set,
    frozenset: _frozenset,
    dict: _dict,
    collections.OrderedDict: _ordered_dict,
    failure_types.Failure: _failure,
}
