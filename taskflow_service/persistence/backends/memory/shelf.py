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


"""The objects themselves: what is read is what was saved."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
import threading
import typing

from taskflow_service import exceptions
from taskflow_service.persistence import base
from taskflow_service.persistence import connection
from taskflow_service.persistence import models
from taskflow_service.persistence import queries
from taskflow_service.persistence import rows
from taskflow_service.persistence import unit
from taskflow_service.persistence.backends.memory import tables


class Shelf:
    """The objects themselves: books by uuid, and flows by uuid."""

    def __init__(self) -> None:
        self.books: dict[str, models.LogBook] = {}
        self.flows: dict[str, models.FlowDetail] = {}


class ShelfWriter(base.Writer):
    """Writes nothing: the engine's own record is what is kept."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def commit(self, changes: Sequence[unit.FlowChange]) -> unit.Committed:
        """Do nothing: who holds the flow detail sees the live run."""
        return unit.Committed()

    def close(self) -> None:
        """Do nothing."""


class ShelfConnection(base.Connection):
    """A connection to objects: what is read is what was saved."""

    def __init__(
        self, backend: base.Backend, shelf: Shelf, lock: threading.RLock
    ) -> None:
        self._backend = backend
        self._shelf = shelf
        self._lock = lock

    @property
    def backend(self) -> base.Backend:
        """The backend that this connection belongs to."""
        return self._backend

    def close(self) -> None:
        """Do nothing."""

    def upgrade(self) -> None:
        """Do nothing."""

    def validate(self) -> None:
        """Do nothing."""

    def clear_all(self) -> None:
        """Forget every book and flow."""
        with self._lock:
            self._shelf.books.clear()
            self._shelf.flows.clear()

    def save_logbook(self, book: models.LogBook) -> models.LogBook:
        """Keep a book and its flows, or bring the kept one up to date."""
        with self._lock:
            kept = self._shelf.books.setdefault(book.uuid, book)
            kept.merge(book)
            changed = kept.updated_at
            for flow in book:
                if kept.find(flow.uuid) is None:
                    kept.add(flow)
                self._shelf.flows[flow.uuid] = _merged(
                    kept.find(flow.uuid) or flow, flow
                )
            kept.updated_at = changed
            return kept

    def destroy_logbook(self, book_uuid: str) -> None:
        """Forget a book and its flows."""
        with self._lock:
            for flow in self.get_logbook(book_uuid):
                self._shelf.flows.pop(flow.uuid, None)
            del self._shelf.books[book_uuid]

    def get_logbook(
        self, book_uuid: str, lazy: bool = False
    ) -> models.LogBook:
        """Give a book; ``lazy`` gives a copy without its flows."""
        try:
            book = self._shelf.books[book_uuid]
        except KeyError:
            raise connection.not_found('logbook', book_uuid) from None
        return book.copy(retain_contents=False) if lazy else book

    def get_logbooks(self, lazy: bool = False) -> Iterator[models.LogBook]:
        """Give all books."""
        for uuid in list(self._shelf.books):
            yield self.get_logbook(uuid, lazy)

    def get_flows_for_book(
        self, book_uuid: str
    ) -> Iterator[models.FlowDetail]:
        """Give the flows of a book."""
        yield from self.get_logbook(book_uuid)

    def get_flow_details(
        self, fd_uuid: str, lazy: bool = False
    ) -> models.FlowDetail:
        """Give a flow; ``lazy`` gives a copy without its atoms."""
        try:
            flow = self._shelf.flows[fd_uuid]
        except KeyError:
            raise connection.not_found('flow details', fd_uuid) from None
        return flow.copy(retain_contents=False) if lazy else flow

    def update_flow_details(
        self, flow_detail: models.FlowDetail
    ) -> models.FlowDetail:
        """Bring a kept flow up to date."""
        with self._lock:
            return _merged(
                self.get_flow_details(flow_detail.uuid), flow_detail
            )

    def get_atom_details(self, ad_uuid: str) -> models.AtomDetail:
        """Give an atom."""
        with self._lock:
            for flow in self._shelf.flows.values():
                atom = flow.find(ad_uuid)
                if atom is not None:
                    return atom
        raise connection.not_found('atom details', ad_uuid)

    def get_atoms_for_flow(self, fd_uuid: str) -> Iterator[models.AtomDetail]:
        """Give the atoms of a flow."""
        yield from self.get_flow_details(fd_uuid)

    def update_atom_details(
        self, atom_detail: models.AtomDetail
    ) -> models.AtomDetail:
        """Bring a kept atom up to date."""
        with self._lock:
            return self.get_atom_details(atom_detail.uuid).update(atom_detail)

    def find_flows(
        self, state: queries.Several = None, **options: typing.Any
    ) -> list[queries.FlowSummary]:
        """Find flows by what their objects say now."""
        with self._lock:
            found = [
                rows.flow_summary(rows.flow_row(flow, book.uuid, 0.0, _same))
                for book in self._shelf.books.values()
                for flow in book
            ]
        return tables.find_flows(found, queries.flow_query(state, **options))

    def find_atoms(
        self, state: queries.Several = None, **options: typing.Any
    ) -> list[queries.AtomSummary]:
        """Find atoms by what their objects say now."""
        query = queries.atom_query(state, **options)
        with self._lock:
            found = [
                atom
                for book in self._shelf.books.values()
                for flow in book
                for atom in map(
                    rows.atom_summary,
                    (rows.atom_row(flow.uuid, each, _same) for each in flow),
                )
                if query.accepts(atom, book.uuid)
            ]
        return queries.page(found, query.limit, query.marker)

    def ask(self, flow_uuid: str, what: str) -> None:
        """Refuse: who can reach these objects can reach the engine."""
        queries.check_ask(what)
        self.get_flow_details(flow_uuid)
        raise exceptions.InvalidState(
            f'Flow {flow_uuid} is kept as an object of this process: call '
            'suspend() or cancel() of its engine'
        )

    def store_late(self, late: queries.LateOutcome) -> queries.Late:
        """Keep nothing; say what would be kept."""
        flow = self._shelf.flows.get(late.flow_uuid)
        if flow is None:
            return queries.Late.UNKNOWN
        if any(atom.request_uuid == late.request_uuid for atom in flow):
            return queries.Late.CURRENT
        return queries.Late.STORED


def _same(value: typing.Any) -> typing.Any:
    return value


def _merged(
    kept: models.FlowDetail, flow: models.FlowDetail
) -> models.FlowDetail:
    if kept is not flow:
        kept.merge(flow)
        for atom in flow:
            stored = kept.find(atom.uuid)
            if stored is None:
                kept.add(atom)
            else:
                stored.update(atom)
    return kept
