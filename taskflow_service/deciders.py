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

"""How far the no of a decider reaches.

A decider guards a link of a graph flow. If it says no, what it guards is not
executed, and the depth says how much more is not.
"""

from __future__ import annotations

from collections.abc import Iterable
import enum
import typing


class Depth(enum.StrEnum):
    """What is ignored after a no, from the widest to the narrowest."""

    #: The guarded atom and everything after it.
    ALL = 'ALL'
    #: The guarded atom and everything after it in the same flow.
    FLOW = 'FLOW'
    #: The guarded atom and those directly after it.
    NEIGHBORS = 'NEIGHBORS'
    #: The guarded atom alone.
    ATOM = 'ATOM'

    @classmethod
    def translate(  # type: ignore[override]
        cls, desired_depth: Depth | str
    ) -> Depth:
        """Return the depth of a name, whatever its case.

        :raises TypeError: it is not a string
        :raises ValueError: there is no such depth
        """
        if isinstance(desired_depth, cls):
            return desired_depth
        if not isinstance(desired_depth, str):
            raise TypeError(
                f'A decider depth is a string, not {desired_depth!r}'
            )
        try:
            return cls(desired_depth.upper())
        except ValueError:
            raise ValueError(
                f'{desired_depth!r} is not a decider depth: it is one of '
                f'{[depth.value for depth in cls]}, in any case'
            ) from None


_WIDTH: typing.Final = {depth: place for place, depth in enumerate(Depth)}


def pick_widest(depths: Iterable[Depth]) -> Depth:
    """Return the depth that reaches furthest; ValueError if there is none."""
    depths = list(depths)
    for depth in depths:
        if depth not in _WIDTH:
            raise ValueError(f'{depth!r} is not a decider depth')
    return min(depths, key=_WIDTH.__getitem__)
