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

"""A set that remembers the order in which its members came.

What an atom requires and provides is a set to whoever asks, yet it is shown,
bound and resolved in the order in which it was written down.
"""

from __future__ import annotations

from collections.abc import Hashable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Set
import itertools
from typing import Any
from typing import TypeVar

_T = TypeVar('_T')


class OrderedSet(Set[_T], Hashable):
    """An immutable set in order of insertion; equal to any set alike."""

    __slots__ = ('_members',)

    def __init__(self, iterable: Iterable[_T] | None = None) -> None:
        self._members: dict[_T, None] = (
            {} if iterable is None else dict.fromkeys(iterable)
        )

    def __contains__(self, value: object) -> bool:
        return value in self._members

    def __iter__(self) -> Iterator[_T]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __hash__(self) -> int:
        return self._hash()

    def __repr__(self) -> str:
        return f'{type(self).__name__}({list(self._members)!r})'

    def copy(self) -> OrderedSet[_T]:
        """Return a set with the same members."""
        return type(self)(self)

    def union(self, *sets: Iterable[_T]) -> OrderedSet[_T]:
        """Return the members of this one, then those of the others."""
        return type(self)(itertools.chain(self, *sets))

    def intersection(self, *sets: Iterable[Any]) -> OrderedSet[_T]:
        """Return those members that all the others have."""
        others = [frozenset(other) for other in sets]
        return type(self)(
            value for value in self if all(value in other for other in others)
        )

    def difference(self, *sets: Iterable[Any]) -> OrderedSet[_T]:
        """Return those members that none of the others has."""
        others = frozenset(itertools.chain.from_iterable(sets))
        return type(self)(value for value in self if value not in others)

    def issubset(self, other: Iterable[Any]) -> bool:
        """Tell whether the other has all of these members."""
        return frozenset(other).issuperset(self)

    def issuperset(self, other: Iterable[Any]) -> bool:
        """Tell whether this one has all the members of the other."""
        return all(value in self for value in other)
