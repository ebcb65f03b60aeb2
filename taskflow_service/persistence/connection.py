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


"""A connection over any store of rows.

What TaskFlow's connection promises, once, in terms of a handful of row
operations that each backend offers within a transaction. A write of a flow
or of its atoms first proves that nobody runs the flow; who runs it writes
through a :class:`~taskflow_service.persistence.base.Writer` instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import time
import typing

from taskflow_service import exceptions
from taskflow_service.persistence import base
from taskflow_service.persistence import leases
from taskflow_service.persistence import models
from taskflow_service.persistence import queries
from taskflow_service.persistence import rows
from taskflow_service.persistence import unit


class Store(typing.Protocol):
    """The row operations of one transaction."""

    def read_book(self, uuid: str) -> rows.Row | None:
        """Read a book's row."""

    def page_books(self, after: rows.Row | None) -> Sequence[rows.Row]:
        """Read the next rows of books, oldest first; none at the end."""

    def read_flow(self, uuid: str) -> rows.Row | None:
        """Read a flow's row."""

    def page_flows(
        self, book_uuid: str, after: rows.Row | None
    ) -> Sequence[rows.Row]:
        """Read the next flows of a book, oldest first; none at the end."""

    def read_atom(self, uuid: str) -> rows.Row | None:
        """Read an atom's row."""

    def read_atoms(self, flow_uuid: str) -> Sequence[rows.Row]:
        """Read a flow's atoms in the order in which they were added."""

    def read_tries(self, flow_uuid: str) -> Sequence[rows.Row]:
        """Read the tries of a flow's retries, by atom and number."""

    def put_book(self, row: rows.Row) -> None:
        """Insert a book, or update its metadata and its time."""

    def add_flow(self, row: rows.Row) -> None:
        """Insert a flow."""

    def edit_flow(
        self, uuid: str, state: str | None, meta: typing.Any, now: float
    ) -> bool:
        """Update a flow that nobody owns; False if there is none such."""

    def put_atoms(self, atoms: Sequence[unit.AtomRow]) -> None:
        """Insert or update atoms."""

    def put_tries(
        self,
        flow_uuid: str,
        atom_uuids: Sequence[str],
        tries: Sequence[unit.TryRow],
    ) -> None:
        """Replace the tries of these atoms."""

    def find_flows(
        self, query: queries.FlowQuery
    ) -> list[queries.FlowSummary]:
        """Read a page of flows."""

    def find_atoms(
        self, query: queries.AtomQuery
    ) -> list[queries.AtomSummary]:
        """Read a page of atoms."""

    def ask(self, uuid: str, what: str) -> bool:
        """Ask something of a flow; False if none such is there to hear."""

    def store_late(
        self, late: queries.LateOutcome, packed: typing.Any
    ) -> queries.Late:
        """Keep an outcome that is not a current request's."""

    def owner_name(self, owner: str) -> str | None:
        """Read what an owner is called."""

    def delete_book(self, uuid: str) -> bool:
        """Delete a book with all it holds; False if there is none such."""

    def clear(self) -> None:
        """Delete every book with all it holds."""


class RowConnection(base.Connection):
    """TaskFlow's connection on a :class:`Store`."""

    def __init__(self, backend: base.Backend) -> None:
        self._backend = backend

    @property
    def backend(self) -> base.Backend:
        """The backend that this connection belongs to."""
        return self._backend

    def _reading(self) -> contextlib.AbstractContextManager[Store]:
        raise NotImplementedError

    def _writing(self) -> contextlib.AbstractContextManager[Store]:
        raise NotImplementedError

    def close(self) -> None:
        """Close it; nothing is held between calls."""

    def validate(self) -> None:
        """Raise if the backend cannot be used as it stands."""

    def upgrade(self) -> None:
        """Bring the schema to the newest version."""

    def clear_all(self) -> None:
        """Delete every logbook, flow and atom."""
        with self._writing() as store:
            store.clear()

    # -- reading ----------------------------------------------------------

    def _details(
        self,
        flow_uuid: str,
        atoms: Sequence[rows.Row],
        store: Store,
    ) -> list[models.AtomDetail]:
        tries: dict[str, list[rows.Row]] = {}
        if any(row[rows.ATOM_KIND] == 'RETRY_DETAIL' for row in atoms):
            for each in store.read_tries(flow_uuid):
                tries.setdefault(each[0], []).append(each)
        return [
            rows.atom_detail(
                row, tries.get(row[rows.ATOM_UUID], ()), self._backend.unpack
            )
            for row in atoms
        ]

    def _flow(
        self, row: rows.Row, store: Store, lazy: bool = False
    ) -> models.FlowDetail:
        flow = rows.flow_detail(row, self._backend.unpack)
        if not lazy:
            for atom in self._details(
                flow.uuid, store.read_atoms(flow.uuid), store
            ):
                flow.add(atom)
        return flow

    def get_atom_details(self, ad_uuid: str) -> models.AtomDetail:
        """Read an atom; NotFound for an unknown one."""
        with self._reading() as store:
            row = store.read_atom(ad_uuid)
            if row is None:
                raise not_found('atom details', ad_uuid)
            return self._details(row[rows.ATOM_FLOW], [row], store)[0]

    def get_atoms_for_flow(self, fd_uuid: str) -> Iterator[models.AtomDetail]:
        """Read the atoms of a flow, none for an unknown one."""
        with self._reading() as store:
            return iter(
                self._details(fd_uuid, store.read_atoms(fd_uuid), store)
            )

    def get_flow_details(
        self, fd_uuid: str, lazy: bool = False
    ) -> models.FlowDetail:
        """Read a flow; ``lazy`` leaves its atoms out."""
        with self._reading() as store:
            row = store.read_flow(fd_uuid)
            if row is None:
                raise not_found('flow details', fd_uuid)
            return self._flow(row, store, lazy)

    def get_flows_for_book(
        self, book_uuid: str, lazy: bool = False
    ) -> Iterator[models.FlowDetail]:
        """Read the flows of a book, page by page; none for an unknown one."""
        last: rows.Row | None = None
        while True:
            with self._reading() as store:
                page = store.page_flows(book_uuid, last)
                flows = [self._flow(row, store, lazy) for row in page]
            if not page:
                return
            last = page[-1]
            yield from flows

    def get_logbook(
        self, book_uuid: str, lazy: bool = False
    ) -> models.LogBook:
        """Read a logbook; ``lazy`` leaves its flows out."""
        with self._reading() as store:
            row = store.read_book(book_uuid)
        if row is None:
            raise not_found('logbook', book_uuid)
        return self._book(row, lazy)

    def _book(self, row: rows.Row, lazy: bool) -> models.LogBook:
        book = rows.logbook(row, self._backend.unpack)
        if not lazy:
            changed = book.updated_at
            for flow in self.get_flows_for_book(book.uuid):
                book.add(flow)
            book.updated_at = changed
        return book

    def get_logbooks(self, lazy: bool = False) -> Iterator[models.LogBook]:
        """Read all logbooks, page by page, oldest first."""
        last: rows.Row | None = None
        while True:
            with self._reading() as store:
                page = store.page_books(last)
            if not page:
                return
            last = page[-1]
            for row in page:
                yield self._book(row, lazy)

    def find_flows(
        self, state: queries.Several = None, **options: typing.Any
    ) -> list[queries.FlowSummary]:
        """Read a page of flows, without metadata and atoms."""
        query = queries.flow_query(state, **options)
        with self._reading() as store:
            return store.find_flows(query)

    def find_atoms(
        self, state: queries.Several = None, **options: typing.Any
    ) -> list[queries.AtomSummary]:
        """Read a page of atoms, without results and failures."""
        query = queries.atom_query(state, **options)
        with self._reading() as store:
            return store.find_atoms(query)

    # -- writing ----------------------------------------------------------

    def save_logbook(self, book: models.LogBook) -> models.LogBook:
        """Create or update a logbook with all it holds; return it.

        Flows that are stored but that the book does not hold yet are added
        to it. A flow that someone runs is left alone where the book says
        the same of it, else FlowOwned is raised and nothing is written.
        """
        pack = self._backend.pack
        row = rows.book_row(book, pack)
        packed = [self._packed(flow) for flow in book]
        now = time.time()
        missing: list[models.FlowDetail] = []
        with self._writing() as store:
            store.put_book(row)
            for nth, (flow, meta, atoms, tries) in enumerate(packed):
                if store.read_flow(flow.uuid) is None:
                    # Flows saved together keep their order.
                    when = now + nth * 1e-6
                    store.add_flow(rows.flow_row(flow, book.uuid, when, pack))
                elif not store.edit_flow(flow.uuid, flow.state, meta, now):
                    _refuse_change(store, flow, atoms)
                    continue
                _put(store, flow.uuid, atoms, tries)
            last: rows.Row | None = None
            while page := store.page_flows(book.uuid, last):
                last = page[-1]
                missing.extend(
                    self._flow(each, store)
                    for each in page
                    if book.find(each[0]) is None
                )
        changed = book.updated_at
        for flow in missing:
            book.add(flow)
        book.updated_at = changed
        return book

    def _packed(
        self, flow: models.FlowDetail
    ) -> tuple[
        models.FlowDetail,
        typing.Any,
        list[unit.AtomRow],
        dict[str, list[unit.TryRow]],
    ]:
        pack = self._backend.pack
        atoms: list[unit.AtomRow] = []
        tries: dict[str, list[unit.TryRow]] = {}
        for atom in flow:
            atoms.append(rows.atom_row(flow.uuid, atom, pack))
            if isinstance(atom, models.RetryDetail):
                tries[atom.uuid] = rows.try_rows(atom, pack)
        meta = pack(flow.meta) if flow.meta else None
        return flow, meta, atoms, tries

    def update_flow_details(
        self, flow_detail: models.FlowDetail
    ) -> models.FlowDetail:
        """Write a flow that is already stored, and its atoms; return it.

        Raises NotFound for one that is not stored and FlowOwned for one
        that someone runs.
        """
        flow, meta, atoms, tries = self._packed(flow_detail)
        with self._writing() as store:
            if not store.edit_flow(flow.uuid, flow.state, meta, time.time()):
                raise _refusal(store, flow.uuid)
            _put(store, flow.uuid, atoms, tries)
        return flow_detail

    def update_atom_details(
        self, atom_detail: models.AtomDetail
    ) -> models.AtomDetail:
        """Write an atom that is already stored; return it.

        Raises NotFound for one that is not stored and FlowOwned if someone
        runs its flow.
        """
        pack = self._backend.pack
        tries = {}
        if isinstance(atom_detail, models.RetryDetail):
            tries[atom_detail.uuid] = rows.try_rows(atom_detail, pack)
        with self._writing() as store:
            stored = store.read_atom(atom_detail.uuid)
            if stored is None:
                raise not_found('atom details', atom_detail.uuid)
            flow_uuid = stored[rows.ATOM_FLOW]
            flow = store.read_flow(flow_uuid)
            if flow is None or not store.edit_flow(
                flow_uuid,
                rows.flow_field(flow, 'state'),
                rows.flow_field(flow, 'meta'),
                time.time(),
            ):
                raise _refusal(store, flow_uuid)
            row = rows.atom_row(flow_uuid, atom_detail, pack)
            _put(store, flow_uuid, [row], tries)
        return atom_detail

    def ask(self, flow_uuid: str, what: str) -> None:
        """Ask a flow's owner for 'cancel', 'cancel_keep' or 'suspend'."""
        queries.check_ask(what)
        with self._writing() as store:
            if store.ask(flow_uuid, what):
                return
            row = store.read_flow(flow_uuid)
        if row is None:
            raise not_found('flow details', flow_uuid)
        raise queries.not_askable(flow_uuid, rows.flow_field(row, 'state'))

    def store_late(self, late: queries.LateOutcome) -> queries.Late:
        """Keep an outcome that came too late as evidence."""
        packed = self._backend.pack(late.outcome)
        with self._writing() as store:
            return store.store_late(late, packed)

    def destroy_logbook(self, book_uuid: str) -> None:
        """Delete a logbook and all it holds; NotFound if unknown."""
        with self._writing() as store:
            if not store.delete_book(book_uuid):
                raise not_found('logbook', book_uuid)


def not_found(what: str, uuid: str) -> exceptions.NotFound:
    """Make the error of one who asks for what is not there."""
    return exceptions.NotFound(f"No {what} found with uuid '{uuid}'")


def _put(
    store: Store,
    flow_uuid: str,
    atoms: Sequence[unit.AtomRow],
    tries: dict[str, list[unit.TryRow]],
) -> None:
    if atoms:
        store.put_atoms(atoms)
    if tries:
        store.put_tries(
            flow_uuid,
            list(tries),
            [row for each in tries.values() for row in each],
        )


def _refusal(store: Store, flow_uuid: str) -> Exception:
    row = store.read_flow(flow_uuid)
    if row is None:
        return not_found('flow details', flow_uuid)
    owner = rows.flow_field(row, 'owner')
    return leases.owned(flow_uuid, owner, store.owner_name(owner))


def _refuse_change(
    store: Store,
    flow: models.FlowDetail,
    atoms: Iterable[unit.AtomRow],
) -> None:
    """Raise if a book says other things of a flow than its owner wrote."""
    row = store.read_flow(flow.uuid)
    stored = {
        each[rows.ATOM_UUID]: tuple(each)
        for each in store.read_atoms(flow.uuid)
    }
    same = (
        row is not None
        and rows.flow_field(row, 'state') == flow.state
        and all(stored.get(each[rows.ATOM_UUID]) == each for each in atoms)
    )
    if not same:
        raise _refusal(store, flow.uuid)
