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

"""The types that have a stored form.

==================  ========================================================
as JSON has them    ``None``, ``bool``, ``int``, finite ``float``, ``str``,
                    ``list``, ``dict`` with string keys
with a tag          ``tuple``, ``set``, ``frozenset``, any other ``dict``,
                    ``OrderedDict``, ``bytes``, ``bytearray``, NaN and the
                    infinities, ``complex``, very long integers, strings with
                    surrogates that JSON would join, ``Decimal``, ``UUID``,
                    ``datetime``, ``date``, ``time``, ``timedelta``,
                    ``Failure``
by their class      members of enumerations and flags, named tuples: the
                    class must be at the top of a module, see ``classes``
by registration     whatever was given to ``register()``
==================  ========================================================

Time zones: UTC, fixed offsets and those of ``zoneinfo`` come back as they
were; of any other kind (pytz, dateutil) the offset comes back, so the moment
is equal.

*Subclasses* of these are another type, and what they add would be lost.  Two
rules, by what a reader could notice:

* A subclass of a plain scalar (``str, int, float, complex, bytes``, the dates
  and times, ``Decimal``, ``UUID``) is stored as that scalar, provided it is
  equal to it.  Lazily translated messages of oslo.i18n, quoted names of
  SQLAlchemy and numpy's floats come so; they come back equal, and plain.
* A subclass of a container (``dict``, ``list``, ``tuple``, ``set``), and
  everything else, is refused unless it was registered itself: a
  ``defaultdict`` that comes back as a ``dict`` behaves differently.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
import datetime
import decimal
import re
from typing import Any
from typing import NamedTuple
from typing import TypeVar
import uuid
import zoneinfo

from taskflow_service import exceptions

_T = TypeVar('_T')


class Codec(NamedTuple):
    """How a type is written; ``encode`` returns a value that can be stored."""

    name: str
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


# No lock: each change is one operation of a dict, which Python does whole.
_BY_TYPE: dict[type, Codec] = {}
_BY_NAME: dict[str, Codec] = {}

_NAME = re.compile(r'[A-Za-z_][\w-]*(\.[\w-]+)+', re.ASCII)


def register(
    cls: type[_T],
    name: str,
    encode: Callable[[_T], Any],
    decode: Callable[[Any], _T],
) -> None:
    """Give a type of one's own a stored form.

    ``encode`` returns a value of types that can be stored, ``decode`` makes
    an equal object of what comes back of it.  The name stands in the stored
    text and must stay; it has a dot in it (``mypackage.Point``), so that it
    meets none of ours.  Whoever reads must have registered it too, so do it
    where the type is defined.  Applies to this very class only.  Thread-safe.
    Raises ValueError for a name without a dot, Duplicate if the type or the
    name is taken.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f'{name!r} cannot name a type: use your package and a dot, as in'
            ' mypackage.Point'
        )
    if cls in _BUILT_IN:
        raise exceptions.Duplicate(f'{cls.__name__} has a stored form already')
    _add(cls, Codec(name, encode, decode))


def _add(cls: type, codec: Codec) -> None:
    if _BY_NAME.setdefault(codec.name, codec) is not codec:
        raise exceptions.Duplicate(
            f'A type is registered under {codec.name} already'
        )
    if _BY_TYPE.setdefault(cls, codec) is not codec:
        del _BY_NAME[codec.name]
        raise exceptions.Duplicate(
            f'{cls.__qualname__} is registered already, as'
            f' {_BY_TYPE[cls].name}'
        )


def unregister(cls: type) -> None:
    """Take a registration back; of a type without one, do nothing."""
    codec = None if cls in _BUILT_IN else _BY_TYPE.pop(cls, None)
    if codec is not None:
        _BY_NAME.pop(codec.name, None)


def of_type(cls: type) -> Codec | None:
    """Return how a type is written; None if it is not registered."""
    return _BY_TYPE.get(cls)


def of_name(name: str) -> Codec | None:
    """Return what is written under a name; None if nobody registered it."""
    return _BY_NAME.get(name)


def plain(value: Any) -> Any:
    """Return a scalar's subclass as the scalar; None if it is none.

    Looks past what the subclass overrides.
    """
    for base in type(value).__mro__[1:]:
        strip = _SCALARS.get(base)
        if strip is not None:
            return strip(value)
    return None


def _strip_datetime(value: datetime.datetime) -> datetime.datetime:
    return datetime.datetime(
        value.year,
        value.month,
        value.day,
        value.hour,
        value.minute,
        value.second,
        value.microsecond,
        value.tzinfo,
        fold=value.fold,
    )


def _strip_time(value: datetime.time) -> datetime.time:
    return datetime.time(
        value.hour,
        value.minute,
        value.second,
        value.microsecond,
        value.tzinfo,
        fold=value.fold,
    )


# The base's own methods, because a subclass may override str() and the like.
_SCALARS: dict[type, Callable[[Any], Any]] = {
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
    complex: lambda v: complex(v.real, v.imag),
    bytes: lambda v: bytes.__getitem__(v, slice(None)),
    datetime.datetime: _strip_datetime,
    datetime.date: lambda v: datetime.date(v.year, v.month, v.day),
    datetime.time: _strip_time,
    datetime.timedelta: lambda v: datetime.timedelta(
        v.days, v.seconds, v.microseconds
    ),
    decimal.Decimal: decimal.Decimal,
    uuid.UUID: lambda v: uuid.UUID(int=v.int),
}


def _to_base64(value: bytes | bytearray) -> str:
    return base64.b64encode(value).decode('ascii')


def _from_base64(data: str) -> bytes:
    return base64.b64decode(data, validate=True)


_MICROSECOND = datetime.timedelta(microseconds=1)
_MINUTE = datetime.timedelta(minutes=1)


def _write_moment(value: datetime.datetime | datetime.time) -> Any:
    """Return ISO 8601 text, or where that lacks some [text, zone, fold].

    The zone is a name, an offset in microseconds, or None.
    """
    zone = value.tzinfo
    naive = value.replace(tzinfo=None).isoformat()
    if isinstance(zone, zoneinfo.ZoneInfo) and zone.key is not None:
        return [naive, zone.key, value.fold]
    offset = value.utcoffset()
    if offset is None:
        return [naive, None, value.fold] if value.fold else naive
    if value.fold or offset % _MINUTE:
        return [naive, offset // _MICROSECOND, value.fold]
    fixed = datetime.timezone(offset)
    return value.replace(tzinfo=fixed).isoformat()


def _zone(zone: str | int | None) -> datetime.tzinfo | None:
    if zone is None:
        return None
    if isinstance(zone, int):
        return datetime.timezone(zone * _MICROSECOND)
    return zoneinfo.ZoneInfo(zone)


def _read_datetime(data: Any) -> datetime.datetime:
    if isinstance(data, str):
        return datetime.datetime.fromisoformat(data)
    text, zone, fold = data
    value = datetime.datetime.fromisoformat(text)
    return value.replace(tzinfo=_zone(zone), fold=fold)


def _read_time(data: Any) -> datetime.time:
    if isinstance(data, str):
        return datetime.time.fromisoformat(data)
    text, zone, fold = data
    value = datetime.time.fromisoformat(text)
    return value.replace(tzinfo=_zone(zone), fold=fold)


for _cls, _codec in {
    bytes: Codec('bytes', _to_base64, _from_base64),
    bytearray: Codec(
        'bytearray', _to_base64, lambda data: bytearray(_from_base64(data))
    ),
    complex: Codec(
        'complex',
        lambda value: [repr(value.real), repr(value.imag)],
        lambda data: complex(float(data[0]), float(data[1])),
    ),
    decimal.Decimal: Codec('decimal', str, decimal.Decimal),
    uuid.UUID: Codec('uuid', str, uuid.UUID),
    datetime.datetime: Codec('datetime', _write_moment, _read_datetime),
    datetime.date: Codec(
        'date', datetime.date.isoformat, datetime.date.fromisoformat
    ),
    datetime.time: Codec('time', _write_moment, _read_time),
    datetime.timedelta: Codec(
        'timedelta',
        lambda value: [value.days, value.seconds, value.microseconds],
        lambda data: datetime.timedelta(*data),
    ),
}.items():
    _add(_cls, _codec)

_BUILT_IN = frozenset(_BY_TYPE) | {
    type(None),
    bool,
    int,
    float,
    str,
    list,
    dict,
    tuple,
    set,
    frozenset,
}
