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


"""The connection's side: rows read and edited in a transaction."""

from __future__ import annotations

from collections.abc import Sequence
import typing

import sqlalchemy as sa

from taskflow_service.persistence import queries
from taskflow_service.persistence import rows
from taskflow_service.persistence import unit
from taskflow_service.persistence.backends.sqlalchemy import (
    queries as sql_queries,  # noqa: H301
)
from taskflow_service.persistence.backends.sqlalchemy import schema
from taskflow_service.persistence.backends.sqlalchemy import statements

#: Rows of one page of a listing, and of one batch of deletions.
PAGE = 100


class Store:
    """Row operations over an open transaction."""

    def __init__(
        self, conn: sa.Connection, dialect: statements.Statements
    ) -> None:
        self._conn = conn
        self._dialect = dialect

    def read_book(self, uuid: str) -> rows.Row | None:
        """Read a book's row."""
        return self._one(
            sa.select(*schema.BOOK_COLUMNS).where(
                schema.logbooks.c.uuid == uuid
            )
        )

    def page_books(self, after: rows.Row | None) -> Sequence[rows.Row]:
        """Read the next rows of books, oldest first."""
        table = schema.logbooks.c
        query = sa.select(*schema.BOOK_COLUMNS)
        if after is not None:
            query = query.where(
                follows(table.created_at, table.uuid, after[3], after[0])
            )
        return self._all(
            query.order_by(table.created_at, table.uuid).limit(PAGE)
        )

    def read_flow(self, uuid: str) -> rows.Row | None:
        """Read a flow's row."""
        return self._one(
            sa.select(*schema.FLOW_COLUMNS).where(schema.flows.c.uuid == uuid)
        )

    def page_flows(
        self, book_uuid: str, after: rows.Row | None
    ) -> Sequence[rows.Row]:
        """Read the next flows of a book, oldest first."""
        table = schema.flows.c
        query = sa.select(*schema.FLOW_COLUMNS).where(
            table.parent == book_uuid
        )
        if after is not None:
            created = rows.flow_field(after, 'created_at')
            query = query.where(
                follows(table.created_at, table.uuid, created, after[0])
            )
        return self._all(
            query.order_by(table.created_at, table.uuid).limit(PAGE)
        )

    def read_atom(self, uuid: str) -> rows.Row | None:
        """Read an atom's row."""
        return self._one(
            sa.select(*schema.ATOM_COLUMNS)
            .where(schema.atoms.c.uuid == uuid)
            .limit(1)
        )

    def read_atoms(self, flow_uuid: str) -> Sequence[rows.Row]:
        """Read a flow's atoms in the order in which they were added."""
        return self._all(
            sa.select(*schema.ATOM_COLUMNS)
            .where(schema.atoms.c.flow_uuid == flow_uuid)
            .order_by(schema.atoms.c.id)
        )

    def read_tries(self, flow_uuid: str) -> Sequence[rows.Row]:
        """Read the tries of a flow's retries, by atom and number."""
        table = schema.tries.c
        return self._all(
            sa.select(*schema.TRY_COLUMNS)
            .where(table.flow_uuid == flow_uuid)
            .order_by(table.atom_uuid, table.number)
        )

    def put_book(self, row: rows.Row) -> None:
        """Insert a book, or update its metadata and its time."""
        uuid, name, meta, created_at, updated_at = row
        table = schema.logbooks
        done = self._conn.execute(
            sa.update(table)
            .where(table.c.uuid == uuid)
            .values(meta=meta, updated_at=updated_at)
        )
        if not done.rowcount:
            self._conn.execute(
                sa.insert(table),
                {
                    'uuid': uuid,
                    'name': name,
                    'meta': meta,
                    'created_at': created_at,
                    'updated_at': updated_at,
                },
            )

    def add_flow(self, row: rows.Row) -> None:
        """Insert a flow."""
        self._conn.execute(
            sa.insert(schema.flows),
            dict(zip(rows.FLOW_COLUMNS, row, strict=True)),
        )

    def edit_flow(
        self, uuid: str, state: str | None, meta: typing.Any, now: float
    ) -> bool:
        """Update a flow that nobody owns; it stays so until the commit."""
        table = schema.flows
        done = self._conn.execute(
            sa.update(table)
            .where(table.c.uuid == uuid, table.c.owner.is_(None))
            .values(state=state, meta=meta, updated_at=now)
        )
        return bool(done.rowcount)

    def put_atoms(self, atoms: Sequence[unit.AtomRow]) -> None:
        """Insert or update atoms."""
        self._dialect.put_atoms(self._conn, atoms)

    def put_tries(
        self,
        flow_uuid: str,
        atom_uuids: Sequence[str],
        tries: Sequence[unit.TryRow],
    ) -> None:
        """Replace the tries of these atoms."""
        table = schema.tries
        for chunk in statements.chunks(atom_uuids):
            self._conn.execute(
                sa.delete(table).where(
                    table.c.flow_uuid == flow_uuid,
                    table.c.atom_uuid.in_(chunk),
                )
            )
        self._dialect.put_tries(
            self._conn, [(flow_uuid, *row) for row in tries]
        )

    def find_flows(
        self, query: queries.FlowQuery
    ) -> list[queries.FlowSummary]:
        """Read a page of flows."""
        return sql_queries.find_flows(self._conn, query)

    def find_atoms(
        self, query: queries.AtomQuery
    ) -> list[queries.AtomSummary]:
        """Read a page of atoms."""
        return sql_queries.find_atoms(self._conn, query)

    def ask(self, uuid: str, what: str) -> bool:
        """Ask something of a flow."""
        return sql_queries.ask(self._conn, uuid, what)

    def store_late(
        self, late: queries.LateOutcome, packed: typing.Any
    ) -> queries.Late:
        """Keep an outcome that is not a current request's."""
        return sql_queries.store_late(self._conn, late, packed)

    def owner_name(self, owner: str) -> str | None:
        """Read what an owner is called."""
        table = schema.owners.c
        name: str | None = self._conn.execute(
            sa.select(table.name).where(table.uuid == owner)
        ).scalar()
        return name

    def delete_book(self, uuid: str) -> bool:
        """Delete a book; what it holds goes with it."""
        table = schema.logbooks
        done = self._conn.execute(sa.delete(table).where(table.c.uuid == uuid))
        return bool(done.rowcount)

    def clear(self) -> None:
        """Delete every book; what they hold goes with them."""
        self._conn.execute(sa.delete(schema.logbooks))

    def _one(self, query: sa.Select[typing.Any]) -> rows.Row | None:
        return self._conn.execute(query).first()

    def _all(self, query: sa.Select[typing.Any]) -> Sequence[rows.Row]:
        return self._conn.execute(query).all()


def follows(
    time_column: sa.ColumnElement[typing.Any],
    key_column: sa.ColumnElement[typing.Any],
    time: float,
    key: str,
) -> sa.ColumnElement[bool]:
    """Make the condition of the page that follows a row.

    Spelled so that every database reads on in its index of both columns.
    """
    return sa.and_(
        time_column >= time,
        sa.or_(time_column > time, key_column > key),
    )
