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


"""What is stored of owners, as the rules of ownership see it."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
import enum
import typing

from taskflow_service import exceptions
from taskflow_service.persistence import unit

#: Seconds of the owner lease where nothing is configured.
LEASE = 15.0


class Standing(typing.NamedTuple):
    """Who owns a flow, as its row says."""

    owner: str | None
    epoch: int
    turn: int


class Lease(typing.NamedTuple):
    """An owner's row."""

    #: Counts up from a number that is never 0.
    renewals: int
    #: Seconds for which it has to be unchanged before its flows are taken.
    length: float
    name: str | None


class Proof(enum.Enum):
    """Why a flow may be claimed."""

    RELEASED = 'released'
    #: The row names this process, and nothing in it drives the flow: a claim
    #: whose reply was lost.
    OWN = 'own'
    DEAD = 'dead'
    SILENT = 'silent'


class Registry(typing.Protocol):
    """The rows of owners and what flows' rows say of theirs. Thread-safe.

    Each call is a transaction; each may raise StorageOutage.
    """

    def stand(self, flow_uuid: str) -> Standing | None:
        """Read who owns a flow; None if there is no such flow."""

    def owners(self) -> Mapping[str, Lease]:
        """Read the rows of all owners: one for each process."""

    def renew(self, owner: str, name: str, length: float) -> tuple[int, bool]:
        """Raise the owner's counter of renewals; insert a missing row.

        Returns its ``claims``, and whether the row was missing.
        """

    def take_free(
        self, flow_uuids: Sequence[str], owner: str
    ) -> Mapping[str, unit.Claim]:
        """Claim those flows that have no owner, in one transaction."""

    def take(
        self,
        flow_uuid: str,
        standing: Standing,
        owner: str,
        proof: Proof,
        seen: int,
    ) -> bool:
        """Make ``owner`` the owner, and raise the flow's epoch by one.

        Only if the flow's row still is as ``standing`` says and, for
        ``Proof.SILENT``, the former owner's renewals are those ``seen`` (0:
        there is no row, in which case it is inserted, so that a renewal that
        comes at the same moment finds it). The former owner's ``claims`` are
        raised in the same transaction.
        """

    def mine(self, owner: str) -> Mapping[str, int]:
        """Read the flows of an owner and their epochs."""

    def asked(self, owner: str) -> Mapping[str, str]:
        """Read what is asked of the flows of an owner."""

    def release(self, flow_uuid: str, epoch: int, owner: str) -> None:
        """Give a flow up, if it still is the owner's at that epoch."""

    def retire(self, owner: str) -> None:
        """Delete an owner's row, unless it owns flows."""


class Driver(typing.Protocol):
    """Who drives a flow; called from the keeper's thread, must not block."""

    def asked(self, flow_uuid: str, what: str) -> None:
        """Somebody asked for 'cancel', 'cancel_keep' or 'suspend'."""

    def lost(self, flow_uuid: str) -> None:
        """Another process has taken the flow over."""


def owned(
    flow_uuid: str, owner: str | None, name: str | None
) -> exceptions.FlowOwned:
    """Make the error of one who would have what another process runs."""
    who = f'{name} ({owner})' if name else owner
    return exceptions.FlowOwned(
        f'Flow {flow_uuid} is run by process {who}; wait for it to end, or '
        'ask it to stop with connection.ask()',
        flow_uuid=flow_uuid,
        owner=owner,
    )
