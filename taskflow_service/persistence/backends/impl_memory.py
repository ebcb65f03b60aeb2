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


"""Logbooks in this process's memory.

Two kinds. With ``deep_copy`` (the default of one that was asked for) values
are copied on their way in and out, as a database would: nobody can change
what is stored by changing an object. Without it objects are kept as they
are, live handles included, and a flow detail read here is the very one that
was saved: this is what an engine without any backend uses.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import copy
import threading
import time
import typing

from oslo_config import cfg

from taskflow_service import exceptions
from taskflow_service.persistence import base
from taskflow_service.persistence import connection
from taskflow_service.persistence import models
from taskflow_service.persistence import ownership
from taskflow_service.persistence import rows
from taskflow_service.persistence import unit

_NOTHING = unit.Committed()
_PAGE = 100


class MemoryBackend(base.Backend):
    """Keeps logbooks in memory; ``deep_copy=False`` keeps the objects."""

    durable = False

    def __init__(self, conf: Mapping[str, typing.Any] | None = None) -> None:
        super().__init__(conf)
        self._copies = bool(self._conf.get('deep_copy', True))
        self._lock = threading.RLock()
        self._tables = Tables()
        self._shelf = Shelf()

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> MemoryBackend:
        """Make it from the configuration, which has nothing to say of it."""
        return cls()

    def pack(self, value: typing.Any) -> typing.Any:
        """Copy a value, unless objects are kept; ValueNotStorable if not."""
        if not self._copies:
            return value
        try:
            return copy.deepcopy(value)
        except Exception as error:
            raise exceptions.ValueNotStorable(
                f'A value of type {type(value).__name__} cannot be copied; '
                'configure no backend to keep objects as they are',
                error,
                type_name=type(value).__name__,
            ) from error

    def unpack(self, packed: typing.Any) -> typing.Any:
        """Copy a value on its way out, unless objects are kept."""
        return copy.deepcopy(packed) if self._copies else packed

    @property
    def writes(self) -> bool:
        """Whether values are copied into tables."""
        return self._copies

    def open_writer(self) -> base.Writer:
        """Make the writer of one loop."""
        if self._copies:
            return TablesWriter(self._tables, self._lock)
        return ShelfWriter(self._shelf)

    def get_connection(self) -> base.Connection:
        """Open a connection."""
        if self._copies:
            return TablesConnection(self, self._tables, self._lock)
        return ShelfConnection(self, self._shelf, self._lock)

    def claim(
        self,
        flow_uuid: str,
        timeout: float | None = None,
        driver: ownership.Driver | None = None,
    ) -> unit.Claim:
        """Give a claim of epoch 0: nobody else can reach this memory."""
        return unit.Claim(flow_uuid, 0, 0)

    def close(self) -> None:
        """Do nothing: what is kept lives as long as the backend."""


class Tables:
    """Rows by their keys; the transaction is the backend's lock."""

    def __init__(self) -> None:
        self.books: dict[str, rows.Row] = {}
        self.flows: dict[str, list[typing.Any]] = {}
        self.atoms: dict[str, dict[str, unit.AtomRow]] = {}
        self.tries: dict[str, dict[tuple[str, int], unit.TryRow]] = {}

    def read_book(self, uuid: str) -> rows.Row | None:
        """Read a book's row."""
        return self.books.get(uuid)

    def page_books(self, after: rows.Row | None) -> Sequence[rows.Row]:
        """Read the next rows of books."""
        return _after(list(self.books.values()), after)

    def read_flow(self, uuid: str) -> rows.Row | None:
        """Read a flow's row."""
        row = self.flows.get(uuid)
        return None if row is None else tuple(row)

    def page_flows(
        self, book_uuid: str, after: rows.Row | None
    ) -> Sequence[rows.Row]:
        """Read the next flows of a book."""
        flows = [row for row in self.flows.values() if row[1] == book_uuid]
        return [tuple(row) for row in _after(flows, after)]

    def read_atom(self, uuid: str) -> rows.Row | None:
        """Read an atom's row."""
        for atoms in self.atoms.values():
            if uuid in atoms:
                return atoms[uuid]
        return None

    def read_atoms(self, flow_uuid: str) -> Sequence[rows.Row]:
        """Read a flow's atoms in the order in which they were added."""
        return list(self.atoms.get(flow_uuid, {}).values())

    def read_tries(self, flow_uuid: str) -> Sequence[rows.Row]:
        """Read the tries of a flow's retries, by atom and number."""
        tries = self.tries.get(flow_uuid, {})
        return [tries[key] for key in sorted(tries)]

    def put_book(self, row: rows.Row) -> None:
        """Insert a book, or update its metadata and its time."""
        stored = self.books.get(row[0])
        if stored is not None:
            row = (*stored[:2], row[2], stored[3], row[4])
        self.books[row[0]] = row

    def add_flow(self, row: rows.Row) -> None:
        """Insert a flow."""
        self.flows[row[0]] = list(row)

    def edit_flow(
        self, uuid: str, state: str | None, meta: typing.Any, now: float
    ) -> bool:
        """Update a flow."""
        row = self.flows.get(uuid)
        if row is None:
            return False
        _set(row, state=state, meta=meta, updated_at=now)
        return True

    def put_atoms(self, atoms: Sequence[unit.AtomRow]) -> None:
        """Insert or update atoms."""
        for row in atoms:
            kept = self.atoms.setdefault(row[rows.ATOM_FLOW], {})
            kept[row[rows.ATOM_UUID]] = row

    def put_tries(
        self,
        flow_uuid: str,
        atom_uuids: Sequence[str],
        tries: Sequence[unit.TryRow],
    ) -> None:
        """Replace the tries of these atoms."""
        kept = self.tries.setdefault(flow_uuid, {})
        for key in [key for key in kept if key[0] in atom_uuids]:
            del kept[key]
        for row in tries:
            kept[row[0], row[1]] = row

    def delete_book(self, uuid: str) -> bool:
        """Delete a book with all it holds."""
        if self.books.pop(uuid, None) is None:
            return False
        for row in [row for row in self.flows.values() if row[1] == uuid]:
            del self.flows[row[0]]
            self.atoms.pop(row[0], None)
            self.tries.pop(row[0], None)
        return True

    def clear(self) -> None:
        """Delete every book with all it holds."""
        for table in (self.books, self.flows, self.atoms, self.tries):
            table.clear()

    def apply(self, change: unit.FlowChange, now: float) -> bool:
        """Apply a change; False if its flow is not there."""
        row = self.flows.get(change.flow_uuid)
        if row is None:
            return False
        _set(
            row,
            turn=change.new_turn,
            state=change.state,
            deadline=change.deadline,
            next_action_at=change.next_action_at,
            ended_at=change.ended_at,
            updated_at=now,
        )
        if change.meta is not None:
            _set(row, meta=change.meta)
        self.put_atoms(change.atoms)
        if change.forget_tries:
            self.put_tries(change.flow_uuid, change.forget_tries, ())
        if change.tries:
            kept = self.tries.setdefault(change.flow_uuid, {})
            kept.update(((each[0], each[1]), each) for each in change.tries)
        return True


def _set(row: list[typing.Any], **values: typing.Any) -> None:
    for name, value in values.items():
        row[rows.FLOW_COLUMNS.index(name)] = value


def _after(
    ordered: Sequence[typing.Any], after: rows.Row | None
) -> Sequence[typing.Any]:
    """Give the page that follows a row."""
    start = 0
    if after is not None:
        keys = [row[0] for row in ordered]
        start = keys.index(after[0]) + 1 if after[0] in keys else len(keys)
    return ordered[start : start + _PAGE]


class TablesWriter(base.Writer):
    """Writes rows of values that were copied when they were packed."""

    def __init__(self, tables: Tables, lock: threading.RLock) -> None:
        self._tables = tables
        self._lock = lock

    def commit(self, changes: Sequence[unit.FlowChange]) -> unit.Committed:
        """Apply the changes; flows that were destroyed count as lost."""
        now = time.time()
        with self._lock:
            lost = [
                change.flow_uuid
                for change in changes
                if not self._tables.apply(change, now)
            ]
        return unit.Committed(frozenset(lost)) if lost else _NOTHING

    def close(self) -> None:
        """Do nothing."""


class TablesConnection(connection.RowConnection):
    """A connection to copies."""

    def __init__(
        self, backend: MemoryBackend, tables: Tables, lock: threading.RLock
    ) -> None:
        super().__init__(backend)
        self._tables = tables
        self._lock = lock

    @contextlib.contextmanager
    def _reading(self) -> Iterator[connection.Store]:
        with self._lock:
            yield self._tables

    _writing = _reading


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
        return _NOTHING

    def close(self) -> None:
        """Do nothing."""


class ShelfConnection(base.Connection):
    """A connection to objects: what is read is what was saved."""

    def __init__(
        self, backend: MemoryBackend, shelf: Shelf, lock: threading.RLock
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
