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

"""Values in the text that rests in the logbook and travels to workers.

``{"v":1,"d":...}``: the version of the format, and the value as ``encoder``
writes it, in ASCII JSON.  A reader refuses a version, or a part, that it does
not know; so compression or encryption can be added as parts (and a version)
that an old reader does not take for a value.

Most values are plain JSON: those cost a look at each of their members and the
C encoder, no more.  ``tests/unit/serialization`` holds the texts of version 1
fixed, because rows outlive releases.
"""

from __future__ import annotations

import json
from typing import Any

from taskflow_service import exceptions
from taskflow_service.serialization import classes
from taskflow_service.serialization import decoder
from taskflow_service.serialization import encoder
from taskflow_service.types import failure as failures

VERSION = 1

_HEAD = f'{{"v":{VERSION},"d":'
_TAIL = '}'

# No value of a tree may begin like this unless it carries a tag.
_TAGGED = f'{{"{encoder.TAG}'

# How every character outside the first plane, and every surrogate, begins.
_SURROGATE = '\\ud'


#: What a task that returns nothing has stored.
_NOTHING = f'{_HEAD}null{_TAIL}'


def _refuse_constant(name: str) -> Any:
    raise ValueError(f'{name} is not JSON')


_to_text = json.JSONEncoder(
    # encoder.py bounds the depth, which ends what contains itself.
    check_circular=False,
    allow_nan=False,
    separators=(',', ':'),
).encode
_from_text = json.JSONDecoder(parse_constant=_refuse_constant).decode


def dumps(value: Any, *, max_size: int | None = None) -> str:
    """Return a value as text.

    Raises ValueNotStorable, with the place in the value and the type, if it
    would not come back equal; ValueTooLarge if the text has more than
    ``max_size`` bytes.  A failure that is too large loses its arguments and
    most of its texts instead.
    """
    text = _NOTHING if value is None else _HEAD + _dump(value) + _TAIL
    if max_size is None or len(text) <= max_size:
        return text
    if isinstance(value, failures.Failure):
        brief = _HEAD + _to_text(encoder.encode_brief(value)) + _TAIL
        if len(brief) <= max_size:
            return brief
    name = encoder.type_name(value)
    raise exceptions.ValueTooLarge(
        f'the value, of type {name}, is too large to be stored: {len(text)}'
        f' bytes, with {max_size} allowed by [persistence] max_value_size;'
        ' store it elsewhere and return where it is',
        reason=f'larger than {max_size} bytes',
        type_name=name,
        size=len(text),
    )


def _dump(value: Any) -> str:
    if encoder.is_plain(value):
        try:
            text = _to_text(value)
        except (ValueError, RuntimeError):
            # NaN, an infinity, a very long integer; or the value changes:
            # the encoder below knows how to write or to name it.
            pass
        else:
            if _SURROGATE not in text:
                return text
    return _to_text(encoder.encode(value))


def loads(text: str, *, allowed: classes.Allowed = classes.LOADED) -> Any:
    """Return the value of a text that dumps() made.

    Enumerations, named tuples and exceptions are looked up as ``allowed``
    permits.  Raises ValueUnreadable for anything else.
    """
    try:
        tree = _open(_from_text(text))
        if _TAGGED not in text:
            return tree
        return decoder.decode(tree, allowed)
    except (ValueError, TypeError, AttributeError) as error:
        raise exceptions.ValueUnreadable(
            f'This is not a stored value: {_shown(text)}', cause=error
        ) from error
    except RecursionError as error:
        raise exceptions.ValueUnreadable(
            f'This is nested too deep for a stored value: {_shown(text)}'
        ) from error


def _open(envelope: Any) -> Any:
    """Return the tree in an envelope."""
    if type(envelope) is not dict or 'v' not in envelope:
        raise ValueError('it has no version')
    if envelope['v'] != VERSION or len(envelope) != 2 or 'd' not in envelope:
        raise exceptions.ValueUnreadable(
            f'A value of format version {envelope["v"]!r} with parts'
            f' {", ".join(sorted(envelope))} cannot be read: this release'
            f' reads version {VERSION}'
        )
    return envelope['d']


def _shown(text: Any) -> str:
    shown = repr(text)
    return shown if len(shown) <= 80 else f'{shown[:80]}...'
