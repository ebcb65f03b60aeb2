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


"""Looking in, asking, late outcomes and purging, in SQL."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
import time
import typing

from oslo_db import exception as db_exc
import sqlalchemy as sa

from taskflow_service.persistence import queries
from taskflow_service.persistence.backends.sqlalchemy import schema

_FLOWS = schema.flows
_ATOMS = schema.atoms
_BOOKS = schema.logbooks

#: Flows of one batch of a purge, each a transaction.
PURGE_BATCH = 100

_SUMMARY = tuple(
    _FLOWS.c['parent' if name == 'book_uuid' else name]
    for name in queries.FlowSummary._fields
)
_ATOM_SUMMARY = tuple(_ATOMS.c[name] for name in queries.AtomSummary._fields)


def find_flows(
    conn: sa.Connection, query: queries.FlowQuery
) -> list[queries.FlowSummary]:
    """Read a page of flows."""
    select = sa.select(*_SUMMARY).where(*_flow_conditions(query))
    keys = (_FLOWS.c.created_at, _FLOWS.c.uuid)
    if query.marker is not None:
        marker = conn.execute(
            sa.select(_FLOWS.c.created_at).where(_FLOWS.c.uuid == query.marker)
        ).scalar()
        if marker is None:
            return []
        select = select.where(_beyond(query, marker))
    order = keys if query.oldest_first else [key.desc() for key in keys]
    rows = conn.execute(select.order_by(*order).limit(query.limit))
    return [queries.FlowSummary(*row) for row in rows]


def _beyond(
    query: queries.FlowQuery, created_at: float
) -> sa.ColumnElement[bool]:
    """Make the condition of the page behind the marker.

    Spelled so that every database reads on in its index of both columns.
    """
    created, uuid = _FLOWS.c.created_at, _FLOWS.c.uuid
    if query.oldest_first:
        return sa.and_(
            created >= created_at,
            sa.or_(created > created_at, uuid > query.marker),
        )
    return sa.and_(
        created <= created_at,
        sa.or_(created < created_at, uuid < query.marker),
    )


def _flow_conditions(
    query: queries.FlowQuery,
) -> Iterator[sa.ColumnElement[bool]]:
    table = _FLOWS.c
    if query.states is not None:
        yield _in(table.state, query.states)
    for column, wanted in (
        (table.name, query.name),
        (table.parent, query.book_uuid),
        (table.owner, query.owner),
        (table.project, query.project),
    ):
        if wanted is not None:
            yield column == wanted
    if query.owned is not None:
        yield (
            table.owner.is_not(None) if query.owned else table.owner.is_(None)
        )
    for column, before, after in (
        (table.created_at, query.created_before, query.created_after),
        (table.ended_at, query.ended_before, query.ended_after),
        (table.next_action_at, query.next_action_before, None),
    ):
        if before is not None:
            yield column < before
        if after is not None:
            yield column > after


def _in(
    column: sa.ColumnElement[typing.Any], values: Sequence[str]
) -> sa.ColumnElement[bool]:
    # One value by equality: an index then also gives the order.
    return column == values[0] if len(values) == 1 else column.in_(values)


def find_atoms(
    conn: sa.Connection, query: queries.AtomQuery
) -> list[queries.AtomSummary]:
    """Read a page of atoms."""
    select = sa.select(*_ATOM_SUMMARY)
    if query.book_uuid is not None:
        select = select.join(
            _FLOWS, _FLOWS.c.uuid == _ATOMS.c.flow_uuid
        ).where(_FLOWS.c.parent == query.book_uuid)
    if query.flow_uuid is not None:
        select = select.where(_ATOMS.c.flow_uuid == query.flow_uuid)
    if query.states is not None:
        select = select.where(_in(_ATOMS.c.state, query.states))
    if query.name is not None:
        select = select.where(_ATOMS.c.name == query.name)
    if query.worker is not None:
        select = select.where(_ATOMS.c.worker == query.worker)
    if query.marker is not None:
        marker = conn.execute(
            sa.select(_ATOMS.c.id).where(_ATOMS.c.uuid == query.marker)
        ).scalar()
        if marker is None:
            return []
        select = select.where(_ATOMS.c.id > marker)
    rows = conn.execute(select.order_by(_ATOMS.c.id).limit(query.limit))
    return [queries.AtomSummary(*row) for row in rows]


def ask(conn: sa.Connection, flow_uuid: str, what: str) -> bool:
    """Ask something of a flow that is owned or has not ended."""
    done = conn.execute(
        sa.update(_FLOWS)
        .where(
            _FLOWS.c.uuid == flow_uuid,
            sa.or_(_FLOWS.c.owner.is_not(None), _FLOWS.c.ended_at.is_(None)),
        )
        .values(asked=what)
    )
    return bool(done.rowcount)


def store_late(
    conn: sa.Connection, late: queries.LateOutcome, packed: str | None
) -> queries.Late:
    """Keep an outcome, once, unless its request is a current one."""
    known = conn.execute(
        sa.select(_FLOWS.c.uuid).where(_FLOWS.c.uuid == late.flow_uuid)
    ).first()
    if known is None:
        return queries.Late.UNKNOWN
    current = conn.execute(
        sa.select(_ATOMS.c.uuid).where(
            _ATOMS.c.flow_uuid == late.flow_uuid,
            _ATOMS.c.request_uuid == late.request_uuid,
        )
    ).first()
    if current is not None:
        return queries.Late.CURRENT
    try:
        with conn.begin_nested():
            conn.execute(
                sa.insert(schema.late_outcomes),
                {
                    **late._asdict(),
                    'outcome': packed,
                    'received_at': time.time(),
                },
            )
    except db_exc.DBDuplicateEntry:
        pass  # It was kept when it came before.
    return queries.Late.STORED


def count_ended(
    conn: sa.Connection, before: float, states: Sequence[str] | None
) -> int:
    """Count the flows that a purge would delete."""
    return int(
        conn.execute(
            sa.select(sa.func.count())
            .select_from(_FLOWS)
            .where(*_ended(before, states))
        ).scalar_one()
    )


def purge_batch(
    conn: sa.Connection, before: float, states: Sequence[str] | None
) -> int:
    """Delete the oldest ended flows, and books that are left empty.

    Returns how many flows were deleted; 0 at the end.
    """
    found = conn.execute(
        sa.select(_FLOWS.c.uuid, _FLOWS.c.parent)
        .where(*_ended(before, states))
        .order_by(_FLOWS.c.ended_at)
        .limit(PURGE_BATCH)
    ).all()
    if not found:
        return 0
    conn.execute(
        sa.delete(_FLOWS).where(
            _FLOWS.c.uuid.in_([row[0] for row in found]),
            # One that was claimed since is somebody's again.
            _FLOWS.c.owner.is_(None),
        )
    )
    books = sorted({row[1] for row in found})
    conn.execute(
        sa.delete(_BOOKS).where(
            _BOOKS.c.uuid.in_(books),
            ~sa.exists().where(_FLOWS.c.parent == _BOOKS.c.uuid),
        )
    )
    return len(found)


def _ended(
    before: float, states: Sequence[str] | None
) -> Iterator[sa.ColumnElement[bool]]:
    yield _FLOWS.c.ended_at < before
    yield _FLOWS.c.owner.is_(None)
    if states:
        yield _in(_FLOWS.c.state, states)


def purge_owners(conn: sa.Connection, before: float) -> int:
    """Delete the rows of processes that are long gone and own nothing."""
    owners = schema.owners
    done = conn.execute(
        sa.delete(owners).where(
            owners.c.renewed_at < before,
            ~sa.exists().where(_FLOWS.c.owner == owners.c.uuid),
        )
    )
    return int(done.rowcount)
