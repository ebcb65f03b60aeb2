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


"""What books, flows and atoms share: a name, a uuid and how they print."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
import os
import typing


def new_uuid() -> str:
    """Make a random (version 4) uuid, faster than :func:`uuid.uuid4`."""
    text = os.urandom(16).hex()
    variant = '89ab'[int(text[16], 16) & 3]
    return (
        f'{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}'
        f'-{text[20:]}'
    )


class Named:
    """A thing with a name and a uuid that is made when first asked for.

    Most details of a run in memory are never looked up by their uuid, so
    one that was not given is not made up front.
    """

    __slots__ = ('__weakref__', '_name', '_uuid')

    def __init__(self, name: str, uuid: str | None = None) -> None:
        self._name = name
        self._uuid = uuid

    @property
    def name(self) -> str:
        """The name; it never changes."""
        return self._name

    @property
    def uuid(self) -> str:
        """The uuid; it never changes once it was asked for."""
        if self._uuid is None:
            self._uuid = new_uuid()
        return self._uuid

    def _title(self) -> str:
        return f"{type(self).__name__}: '{self._name}'"


def metadata_lines(meta: Mapping[typing.Any, typing.Any] | None) -> list[str]:
    """Print metadata as the indented lines below an object's title."""
    if not meta:
        return []
    lines = [' - metadata:']
    lines.extend(f'   + {key} = {value}' for key, value in meta.items())
    return lines


def indented(lines: list[str], indent: int, linesep: str) -> str:
    """Join lines, each moved right by ``indent`` columns."""
    margin = ' ' * indent
    return linesep.join(margin + line for line in lines)


def below(parts: Iterator[str], text: str, linesep: str) -> str:
    """Put the printed parts of a thing below its own text."""
    return linesep.join([text, *parts])
