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

"""The contract of a persistence backend.

A backend has two faces. :class:`Connection` is TaskFlow's: logbooks, flow
and atom details as objects, for clients that read or edit a logbook. The
:class:`Writer` is the loop's: whole rows, one transaction a turn, fenced by
the owner's epoch.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import typing

from taskflow_service import exceptions
from taskflow_service.persistence import leases
from taskflow_service.persistence import models
from taskflow_service.persistence import queries
from taskflow_service.persistence import unit


def ownership_lost(flow_uuid: str) -> exceptions.FlowOwnershipLost:
    """Make the error of a flow that another process has taken over."""
    return exceptions.FlowOwnershipLost(
        f'Flow {flow_uuid} was taken over by another process: what this one '
        f'would have written since is dropped, the flow goes on there',
        flow_uuid=flow_uuid,
    )


def handed_over(flow_uuid: str) -> exceptions.FlowHandedOver:
    """Make the error of a flow that was left for another process."""
    return exceptions.FlowHandedOver(
        f'Flow {flow_uuid} was handed over, because its loop ends: another '
        f'process that adopts flows, or that runs this one, goes on with it',
        flow_uuid=flow_uuid,
    )


class Writer(abc.ABC):
    """Writes units for one loop; not thread-safe, keeps its connection."""

    @abc.abstractmethod
    def commit(self, changes: Sequence[unit.FlowChange]) -> unit.Committed:
        """Apply the changes in one transaction; blocks.

        The fate of an unclear commit is resolved by reading before this
        returns. Raises ``exceptions.StorageOutage`` when the server cannot
        be reached or its disk is full: nothing is known to be written, and
        the same changes may be given again.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Give the connection back; idempotent."""


class Backend(abc.ABC):
    """Where logbooks rest. Thread-safe."""

    #: True if a logbook outlives this process, so that runs claim flows.
    durable: typing.ClassVar[bool] = False

    def __init__(self, conf: Mapping[str, typing.Any] | None = None) -> None:
        self._conf = dict(conf or {})

    def pack(self, value: typing.Any) -> typing.Any:
        """Turn a value into what rows carry.

        Raises ``ValueNotStorable`` or ``ValueTooLarge``. The default keeps
        the object itself.
        """
        return value

    def unpack(self, packed: typing.Any) -> typing.Any:
        """Turn what a row carries back into the value."""
        return packed

    @property
    def writes(self) -> bool:
        """Whether rows are written; else the live record is what is kept."""
        return True

    @abc.abstractmethod
    def open_writer(self) -> Writer:
        """Make the writer of one loop."""

    @abc.abstractmethod
    def get_connection(self) -> Connection:
        """Open a connection; the caller closes it."""

    @abc.abstractmethod
    def claim(
        self,
        flow_uuid: str,
        timeout: float | None = None,
        driver: leases.Driver | None = None,
    ) -> unit.Claim:
        """Become the owner of a flow; blocks up to ``timeout`` seconds.

        ``driver`` is told, from the keeper's thread, what is asked of the
        flow and when it was lost. Raises ``FlowOwned`` when another process
        keeps it, ``NotFound`` when there is no such flow. Backends that are
        not durable give a claim of epoch 0.
        """

    def claim_free(
        self, drivers: Mapping[str, leases.Driver]
    ) -> Mapping[str, unit.Claim]:
        """Claim those of some flows that have no owner, in one transaction.

        What is absent from the result is to be claimed by itself, which
        tells why or waits. Raises ``StorageFailure``; then none is claimed.
        """
        return {}

    def watch_owners(self) -> None:
        """Keep an eye on other processes, also while nothing is driven."""

    def is_gone(self, owner: str) -> bool:
        """Whether a process that owns flows is dead or silent for long."""
        return False

    def may_speak(self) -> bool:
        """Whether this process is sure to own the flows that it claimed."""
        return True

    def release(self, claim: unit.Claim) -> None:
        """Give up a flow whose last change did not release it."""

    @abc.abstractmethod
    def close(self) -> None:
        """Release everything; idempotent."""


class Connection(abc.ABC):
    """Reads and edits logbooks as objects; every call commits."""

    @property
    @abc.abstractmethod
    def backend(self) -> Backend:
        """The backend that this connection belongs to."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close it; idempotent."""

    @abc.abstractmethod
    def upgrade(self) -> None:
        """Bring the schema to the newest version."""

    @abc.abstractmethod
    def clear_all(self) -> None:
        """Delete every logbook, flow and atom."""

    @abc.abstractmethod
    def validate(self) -> None:
        """Raise if the backend cannot be used as it stands."""

    @abc.abstractmethod
    def update_atom_details(
        self, atom_detail: models.AtomDetail
    ) -> models.AtomDetail:
        """Write an atom that is already stored; return it merged."""

    @abc.abstractmethod
    def update_flow_details(
        self, flow_detail: models.FlowDetail
    ) -> models.FlowDetail:
        """Write a flow that is already stored; return it merged."""

    @abc.abstractmethod
    def save_logbook(self, book: models.LogBook) -> models.LogBook:
        """Create or update a logbook with all it holds; return it merged."""

    @abc.abstractmethod
    def destroy_logbook(self, book_uuid: str) -> None:
        """Delete a logbook and all it holds; NotFound if unknown."""

    @abc.abstractmethod
    def get_logbook(
        self, book_uuid: str, lazy: bool = False
    ) -> models.LogBook:
        """Read a logbook; ``lazy`` leaves its flows out."""

    @abc.abstractmethod
    def get_logbooks(self, lazy: bool = False) -> Iterator[models.LogBook]:
        """Read all logbooks."""

    @abc.abstractmethod
    def get_flows_for_book(
        self, book_uuid: str
    ) -> Iterator[models.FlowDetail]:
        """Read the flows of a book."""

    @abc.abstractmethod
    def get_flow_details(
        self, fd_uuid: str, lazy: bool = False
    ) -> models.FlowDetail:
        """Read a flow; ``lazy`` leaves its atoms out."""

    @abc.abstractmethod
    def get_atom_details(self, ad_uuid: str) -> models.AtomDetail:
        """Read an atom."""

    @abc.abstractmethod
    def get_atoms_for_flow(self, fd_uuid: str) -> Iterator[models.AtomDetail]:
        """Read the atoms of a flow."""

    @abc.abstractmethod
    def find_flows(
        self, state: queries.Several = None, **options: typing.Any
    ) -> list[queries.FlowSummary]:
        """Read a page of flows, without metadata and atoms.

        :param state: a state, or several
        :param options: the fields of
            :class:`~taskflow_service.persistence.queries.FlowQuery`
        """

    @abc.abstractmethod
    def find_atoms(
        self, state: queries.Several = None, **options: typing.Any
    ) -> list[queries.AtomSummary]:
        """Read a page of atoms, without results and failures.

        :param state: a state, or several
        :param options: the fields of
            :class:`~taskflow_service.persistence.queries.AtomQuery`
        """

    @abc.abstractmethod
    def ask(self, flow_uuid: str, what: str) -> None:
        """Ask a flow's owner for 'cancel', 'cancel_keep' or 'suspend'.

        The owner hears of it at its next renewal. Raises NotFound, and
        InvalidState for a flow that has ended and that nobody runs.
        """

    @abc.abstractmethod
    def store_late(self, late: queries.LateOutcome) -> queries.Late:
        """Keep an outcome that came too late as evidence.

        In one transaction with the reading that its request is not its
        atom's current one.
        """
