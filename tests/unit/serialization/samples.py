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

"""Classes whose members and objects are stored by the tests."""

from __future__ import annotations

import collections
import enum
from typing import Any
from typing import NamedTuple


class Colour(enum.Enum):
    RED = 1
    ROUGE = 1
    GREEN = 'g'


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Level(enum.IntEnum):
    LOW = 1


class Pair(NamedTuple):
    x: Any
    y: Any


Old = collections.namedtuple('Old', 'name size')


class Point:
    """Something that a user registers."""

    def __init__(self, x: Any, y: Any) -> None:
        self.x = x
        self.y = y

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


class Text(str):
    """A string that is more than one, as a translated message is."""

    extra = 1

    def __str__(self) -> str:
        return 'translated'


class Teapot(Exception):
    """An exception whose arguments are not its constructor's."""

    def __init__(self, code: int, **details: Any) -> None:
        super().__init__(f'teapot {code}')
        self.code = code
        self.details = details


class Unpicklable(Exception):
    """An exception that cannot be made from its arguments at all."""

    def __init__(self, first: Any, second: Any) -> None:
        super().__init__()
        self.first = first
        self.second = second
