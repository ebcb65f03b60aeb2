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

"""What the core asks of the loop, because only user code can answer."""

from __future__ import annotations

import enum
import typing


class Decide(typing.NamedTuple):
    """May this node run? Its guards are ``plan.guards[node]``."""

    node: int


class Resolve(typing.NamedTuple):
    """What does this retry want done about a failure in its region?

    ``failed`` is the atom that failed; ``chain`` are the retries that have
    answered REVERT so far, innermost first.
    """

    retry: int
    failed: int
    chain: tuple[int, ...] = ()

    @property
    def told(self) -> int:
        """The atom whose failure the retry is told: in its own region."""
        return self.chain[-1] if self.chain else self.failed


Question = Decide | Resolve


class Turn(enum.Enum):
    """What a retry controller itself is ready for."""

    EXECUTE = 'execute'
    REVERT = 'revert'
    #: Its region is reverted: reset it and execute the next try.
    RETRY = 'retry'
