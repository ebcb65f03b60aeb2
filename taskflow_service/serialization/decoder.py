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

"""The value that a tree was made of."""

from __future__ import annotations

import collections
from collections.abc import Callable
import enum
from typing import Any

from taskflow_service import exceptions
from taskflow_service.serialization import classes
from taskflow_service.serialization import encoder
from taskflow_service.serialization import failures
from taskflow_service.serialization import types


def decode(tree: Any, allowed: classes.Allowed) -> Any:
    """Return the value; raise ValueUnreadable if the tree was made by none.

    Classes are looked up as ``allowed`` permits.
    """
    kind = type(tree)
    if kind is dict:
        if len(tree) == 1:
            ((key, data),) = tree.items()
            if key.startswith(encoder.TAG):
                return _tagged(key, data, allowed)
        return {key: decode(item, allowed) for key, item in tree.items()}
    if kind is list:
        return [decode(item, allowed) for item in tree]
    return tree


def _tagged(tag: str, data: Any, allowed: classes.Allowed) -> Any:
    read = _READERS.get(tag)
    try:
        if read is not None:
            return read(data, allowed)
        codec = types.of_name(tag[1:])
        if codec is not None:
            return codec.decode(decode(data, allowed))
    except exceptions.ValueUnreadable:
        raise
    # A registered decoder is a plug-in's, and a row may have been edited to
    # anything.
    except Exception as error:
        raise exceptions.ValueUnreadable(
            f'What is stored as {tag} cannot be read', cause=error
        ) from error
    raise exceptions.ValueUnreadable(
        f'What is stored as {tag} cannot be read: no type is registered under'
        ' this name here; import the module that registers it'
    )


def _all(data: Any, allowed: classes.Allowed) -> list[Any]:
    if type(data) is not list:
        raise ValueError(f'a list is expected, not {type(data).__name__}')
    return [decode(item, allowed) for item in data]


def _pairs(data: Any, allowed: classes.Allowed) -> list[tuple[Any, Any]]:
    return [(decode(k, allowed), decode(v, allowed)) for k, v in data]


def _enum(data: Any, allowed: classes.Allowed) -> Any:
    path, name = data
    return _enumeration(path, allowed, enum.Enum).__members__[name]


def _flag(data: Any, allowed: classes.Allowed) -> Any:
    path, value = data
    return _enumeration(path, allowed, enum.Flag)(decode(value, allowed))


def _enumeration(path: str, allowed: classes.Allowed, base: Any) -> Any:
    cls = allowed.find(path)
    if not issubclass(cls, base):
        raise ValueError(f'{path} is not an enumeration')
    return cls


def _named_tuple(data: Any, allowed: classes.Allowed) -> Any:
    path, items = data
    cls: Any = allowed.find(path)
    if not issubclass(cls, tuple) or len(cls._fields) != len(items):
        raise ValueError(f'{path} is not a tuple of {len(items)} fields')
    # Not the class's own constructor: nothing it does is to be done again.
    return tuple.__new__(cls, _all(items, allowed))


def _failure(data: Any, allowed: classes.Allowed) -> Any:
    return failures.read(_form(data, allowed), data, allowed)


def _exception(data: Any, allowed: classes.Allowed) -> Any:
    return failures.read_exception(_form(data, allowed), allowed)


def _form(data: Any, allowed: classes.Allowed) -> dict[str, Any]:
    """Decode the parts of a failure, without what cannot be read here."""
    form = dict(data)
    for key in ('exc_args', 'init', 'state'):
        if key in form:
            try:
                form[key] = decode(form[key], allowed)
            except exceptions.ValueUnreadable:
                form.pop('class', None)
                form[key] = ()
    if 'causes' in form:
        form['causes'] = [_form(cause, allowed) for cause in form['causes']]
    return form


_READERS: dict[str, Callable[[Any, classes.Allowed], Any]] = {
    '$tuple': lambda data, allowed: tuple(_all(data, allowed)),
    '$set': lambda data, allowed: set(_all(data, allowed)),
    '$frozenset': lambda data, allowed: frozenset(_all(data, allowed)),
    '$dict': lambda data, allowed: dict(_pairs(data, allowed)),
    '$ordereddict': lambda data, allowed: collections.OrderedDict(
        _pairs(data, allowed)
    ),
    '$int': lambda data, allowed: int(data, 16),
    '$float': lambda data, allowed: float(data),
    '$str': lambda data, allowed: bytes.fromhex(data).decode(
        'utf-8', 'surrogatepass'
    ),
    '$enum': _enum,
    '$flag': _flag,
    '$namedtuple': _named_tuple,
    '$failure': _failure,
    '$exception': _exception,
}
