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

"""TaskFlow's helpers for this and that."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import datetime
import functools
import inspect
import io
import json
import os
import re
import socket
import threading
import types
import typing

from oslo_utils import importutils
from oslo_utils import netutils

from taskflow_service.types import failure as ft

UNKNOWN_HOSTNAME = '<unknown>'
NUMERIC_TYPES = (int, float)

_SCHEME = re.compile(r'[A-Za-z][A-Za-z0-9+.-]*:')


class StringIO(io.StringIO):
    """A text buffer that takes lines."""

    def write_nl(self, value: str, linesep: str = os.linesep) -> None:
        """Write a line."""
        self.write(value)
        self.write(linesep)


class BytesIO(io.BytesIO):
    """A buffer of bytes that can be emptied."""

    def reset(self) -> None:
        """Forget what was written."""
        self.seek(0)
        self.truncate()


def get_hostname(unknown_hostname: str = UNKNOWN_HOSTNAME) -> str:
    """Return the name of this host."""
    try:
        return socket.gethostname() or unknown_hostname
    except OSError:
        return unknown_hostname


def match_type(
    obj: typing.Any, matchers: Iterable[tuple[typing.Any, typing.Any]]
) -> typing.Any:
    """Return the value of the first type that an object is of."""
    for cls, value in matchers:
        if isinstance(obj, cls):
            return value
    return None


def countdown_iter(start_at: int, decr: int = 1) -> Iterator[int]:
    """Count down to zero, without it."""
    if decr <= 0:
        raise ValueError(f'decr must be greater than zero, not {decr}')
    return iter(range(start_at, 0, -decr))


def reverse_enumerate(
    items: Sequence[typing.Any],
) -> Iterator[tuple[int, typing.Any]]:
    """Iterate over indexes and items, the last one first."""
    return zip(range(len(items) - 1, -1, -1), reversed(items), strict=True)


def parse_uri(uri: str) -> typing.Any:
    """Split a URI; ValueError if it does not start with a scheme."""
    if not isinstance(uri, str):
        raise TypeError(f"A URI is a string, not '{uri}' ({type(uri)})")
    if not _SCHEME.match(uri):
        raise ValueError(f'URI {uri!r} does not start with a scheme')
    return netutils.urlsplit(uri)


def merge_uri(
    uri: typing.Any, conf: dict[str, typing.Any]
) -> dict[str, typing.Any]:
    """Add the parts of a URI to a configuration that does not say them."""
    parts = {
        'username': uri.username,
        'password': uri.password,
        'port': uri.port,
    }
    found = {
        key: value for key, value in parts.items() if value not in (None, '')
    }
    host = uri.netloc.rpartition('@')[2]
    if host:
        found['hostname'] = host
    found.update(uri.params())
    for key, value in found.items():
        conf.setdefault(key, value)
    return conf


def extract_driver_and_conf(
    conf: typing.Any, conf_key: str
) -> tuple[str, dict[str, typing.Any]]:
    """Return the driver that a configuration, or a text, names, and it."""
    if isinstance(conf, str):
        conf = {conf_key: conf}
    named = conf[conf_key]
    try:
        uri = parse_uri(named)
    except (TypeError, ValueError):
        return named, conf
    return uri.scheme, merge_uri(uri, conf.copy())


def find_subclasses(
    locations: Iterable[typing.Any],
    base_cls: type,
    exclude_hidden: bool = True,
) -> set[type]:
    """Find classes of a kind.

    :param locations: modules, classes, names of modules, or
        ``'module:Class'``
    :param exclude_hidden: whether names with an underscore are passed over

    Raises TypeError for what is neither, or for a class of another kind;
    ImportError.
    """
    found: set[type] = set()
    for location in locations:
        thing = location
        if isinstance(location, str):
            module, _, name = location.partition(':')
            thing = (
                importutils.import_class(f'{module}.{name}')
                if name
                else importutils.import_module(module)
            )
        if isinstance(thing, types.ModuleType):
            found.update(
                cls
                for name, cls in inspect.getmembers(thing, inspect.isclass)
                if issubclass(cls, base_cls)
                and not (exclude_hidden and name.startswith('_'))
            )
        elif isinstance(thing, type) and issubclass(thing, base_cls):
            found.add(thing)
        else:
            raise TypeError(
                f'{location!r} ({type(location)}) is no module and no '
                f'subclass of {base_cls}'
            )
    return found


def pick_first_not_none(*values: typing.Any) -> typing.Any:
    """Return the first value that is one."""
    return next((value for value in values if value is not None), None)


def disallow_when_frozen(
    excp_cls: type[Exception],
) -> Callable[[Callable[..., typing.Any]], Callable[..., typing.Any]]:
    """Have a method raise where its object's ``frozen`` is true."""

    def decorate(
        method: Callable[..., typing.Any],
    ) -> Callable[..., typing.Any]:
        @functools.wraps(method)
        def guarded(
            self: typing.Any, *args: typing.Any, **kwargs: typing.Any
        ) -> typing.Any:
            if self.frozen:
                raise excp_cls()
            return method(self, *args, **kwargs)

        return guarded

    return decorate


def clamp(
    value: float,
    minimum: float,
    maximum: float,
    on_clamped: Callable[[], object] | None = None,
) -> float:
    """Return the value, or the bound that it is beyond."""
    if minimum > maximum:
        raise ValueError(f'Minimum {minimum} is more than maximum {maximum}')
    clamped = min(max(value, minimum), maximum)
    if clamped != value and on_clamped is not None:
        on_clamped()
    return clamped


def fix_newlines(text: str, replacement: str = os.linesep) -> str:
    """Have all lines end the same way."""
    return replacement.join(text.splitlines())


def binary_encode(
    text: str | bytes, encoding: str = 'utf-8', errors: str = 'strict'
) -> bytes:
    """Make bytes of text; bytes stay as they are."""
    if isinstance(text, bytes):
        return text
    if not isinstance(text, str):
        raise TypeError(f"{type(text)} can't be encoded")
    return text.encode(encoding, errors)


def binary_decode(
    data: str | bytes, encoding: str = 'utf-8', errors: str = 'strict'
) -> str:
    """Make text of bytes; text stays as it is."""
    if isinstance(data, str):
        return data
    if not isinstance(data, bytes):
        raise TypeError(f"{type(data)} can't be decoded")
    return data.decode(encoding, errors)


def decode_json(
    raw_data: bytes, root_types: type | tuple[type, ...] = (dict,)
) -> typing.Any:
    """Decode JSON; ValueError if it is none, or its root of another type."""
    try:
        data = json.loads(binary_decode(raw_data))
    except UnicodeDecodeError as error:
        raise ValueError(f'Expected UTF-8 decodable data: {error}') from error
    except ValueError as error:
        raise ValueError(f'Expected JSON decodable data: {error}') from error
    if root_types and not isinstance(data, root_types):
        raise ValueError(
            f'Expected a root of type {root_types}, not {type(data)}'
        )
    return data


class cachedproperty:
    """A property that is worked out once, and kept with its object."""

    def __init__(
        self,
        fget: Callable[[typing.Any], typing.Any] | str | None = None,
        require_lock: bool = True,
    ) -> None:
        self._lock = threading.RLock() if require_lock else None
        self._fget: Callable[[typing.Any], typing.Any] | None = None
        self._name: str | None = None
        if callable(fget):
            self(fget)
        else:
            self._name = fget

    def __call__(
        self, fget: Callable[[typing.Any], typing.Any]
    ) -> cachedproperty:
        self._fget = fget
        self._name = self._name or f'_{getattr(fget, "__name__", "value")}'
        self.__doc__ = getattr(fget, '__doc__', None)
        return self

    def __set__(self, instance: typing.Any, value: typing.Any) -> None:
        raise AttributeError("can't set attribute")

    def __delete__(self, instance: typing.Any) -> None:
        raise AttributeError("can't delete attribute")

    def __get__(
        self, instance: typing.Any, owner: type | None = None
    ) -> typing.Any:
        if instance is None:
            return self
        if self._fget is None or self._name is None:
            raise AttributeError('unreadable attribute')
        kept = vars(instance)
        if self._name not in kept:
            with self._lock or contextlib.nullcontext():
                if self._name not in kept:
                    kept[self._name] = self._fget(instance)
        return kept[self._name]


def millis_to_datetime(milliseconds: float) -> datetime.datetime:
    """Make a date and time, in UTC and without saying so."""
    moment = datetime.datetime.fromtimestamp(
        milliseconds / 1000, tz=datetime.UTC
    )
    return moment.replace(tzinfo=None)


def get_version_string(obj: typing.Any) -> str | None:
    """Return an object's version as text, None if it has none."""
    version = getattr(obj, 'version', None)
    if isinstance(version, (list, tuple)):
        return '.'.join(map(str, version))
    return None if version is None else str(version)


def sequence_minus(
    seq1: Iterable[typing.Any], seq2: Iterable[typing.Any]
) -> list[typing.Any]:
    """Take each element of the second once out of the first."""
    left = list(seq1)
    for element in seq2:
        with contextlib.suppress(ValueError):
            left.remove(element)
    return left


def as_int(obj: typing.Any, quiet: bool = False) -> typing.Any:
    """Make a whole number; else TypeError, or the object if quiet."""
    for convert in (int, lambda value: int(float(value))):
        try:
            return convert(obj)
        except (TypeError, ValueError):
            continue
    if quiet:
        return obj
    raise TypeError(f"'{obj}' ({type(obj)}) is no number")


@contextlib.contextmanager
def capture_failure() -> Iterator[ft.Failure]:
    """Give the exception that is being handled as a failure."""
    try:
        failure = ft.Failure()
    except TypeError:
        raise RuntimeError('No active exception is being handled') from None
    yield failure


def is_iterable(obj: typing.Any) -> bool:
    """Tell whether it can be iterated over, and is no text."""
    return not isinstance(obj, str) and isinstance(obj, Iterable)


def safe_copy_dict(
    obj: Mapping[typing.Any, typing.Any]
    | Iterable[tuple[typing.Any, typing.Any]]
    | None,
) -> dict[typing.Any, typing.Any]:
    """Copy a dictionary; nothing gives an empty one."""
    return dict(obj) if obj else {}
