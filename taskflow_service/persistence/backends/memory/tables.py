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


"""Rows of copies, in dictionaries."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import threading
import time
import typing

from taskflow_service.persistence import base
from taskflow_service.persistence import connection
from taskflow_service.persistence import queries
from taskflow_service.persistence import rows
from taskflow_service.persistence import unit

_NOTHING = unit.Committed()
_PAGE = 100


class Tables:
    """Rows by their keys; the transaction is the backend's lock."""

    def __init__(self) -> None:
        self.books: dict[str, rows.Row] = {}
        self.flows: dict[str, list[typing.Any]] = {}
        self.atoms: dict[str, dict[str, unit.AtomRow]] = {}
        self.tries: dict[str, dict[tuple[str, int], unit.TryRow]] = {}
        self.late: dict[tuple[str, str], queries.LateOutcome] = {}

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

    def find_flows(
        self, query: queries.FlowQuery
    ) -> list[queries.FlowSummary]:
        """Read a page of flows."""
        return find_flows(
            (rows.flow_summary(row) for row in self.flows.values()), query
        )

    def find_atoms(
        self, query: queries.AtomQuery
    ) -> list[queries.AtomSummary]:
        """Read a page of atoms."""
        found = (
            atom
            for flow_uuid, atoms in self.atoms.items()
            for atom in map(rows.atom_summary, atoms.values())
            if query.accepts(
                atom, rows.flow_field(self.flows[flow_uuid], 'parent')
            )
        )
        return queries.page(found, query.limit, query.marker)

    def ask(self, uuid: str, what: str) -> bool:
        """Ask something of a flow that has not ended."""
        row = self.flows.get(uuid)
        if row is None or rows.flow_field(row, 'ended_at') is not None:
            return False
        _set(row, asked=what)
        return True

    def store_late(
        self, late: queries.LateOutcome, packed: typing.Any
    ) -> queries.Late:
        """Keep an outcome that is not a current request's."""
        if late.flow_uuid not in self.flows:
            return queries.Late.UNKNOWN
        if any(
            rows.atom_field(row, 'request_uuid') == late.request_uuid
            for row in self.atoms.get(late.flow_uuid, {}).values()
        ):
            return queries.Late.CURRENT
        self.late[late.flow_uuid, late.request_uuid] = late
        return queries.Late.STORED

    def owner_name(self, owner: str) -> str | None:
        """Nobody owns anything here."""
        return None

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


def find_flows(
    flows: Iterable[queries.FlowSummary], query: queries.FlowQuery
) -> list[queries.FlowSummary]:
    found = sorted(
        filter(query.accepts, flows),
        key=lambda flow: (flow.created_at or 0.0, flow.uuid),
        reverse=not query.oldest_first,
    )
    return queries.page(found, query.limit, query.marker)


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
        self, backend: base.Backend, tables: Tables, lock: threading.RLock
    ) -> None:
        super().__init__(backend)
        self._tables = tables
        self._lock = lock

    @contextlib.contextmanager
    def _reading(self) -> Iterator[connection.Store]:
        with self._lock:
            yield self._tables

    _writing = _reading
