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

# Statements are made of names of this package's own tables and columns, once,
# when a module is imported; values are parameters.
# ruff: noqa: S608

"""SQLite and MySQL: the fence, then the driver's executemany."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set
import json
import typing

import sqlalchemy as sa

from taskflow_service.persistence import unit
from taskflow_service.persistence.backends.sqlalchemy import statements

#: Most bytes of metadata of one statement of several flows.
_MAX_BYTES = 1_000_000
#: Where it is among the parameters of the fence.
_META = 2


class _RowByRow(statements.Statements):
    """Fence, then executemany: SQLite and MySQL."""

    mark = '?'
    fence = ''
    upsert_atoms = ''
    upsert_tries = ''

    def __init__(self) -> None:
        mark = self.mark
        self._forget = (
            f'DELETE FROM {statements.TRIES} WHERE flow_uuid = {mark}'
            f' AND atom_uuid = {mark}'
        )

    def apply(
        self,
        conn: sa.Connection,
        changes: statements.Changes,
        now: float,
        driven: Set[str],
    ) -> set[str]:
        with conn.begin():
            passed = self._fence(conn, changes, now, driven)
            if len(passed) < len(changes):
                changes = [
                    each for each in changes if each.flow_uuid in passed
                ]
            self.put_atoms(conn, statements.atom_rows(changes))
            forgotten = statements.forgotten(changes)
            if forgotten:
                conn.exec_driver_sql(self._forget, forgotten)
            self.put_tries(conn, statements.try_rows(changes))
        return passed

    def _fence(
        self,
        conn: sa.Connection,
        changes: statements.Changes,
        now: float,
        driven: Set[str],
    ) -> set[str]:
        done = self._move(conn, changes, now, driven)
        if done == len(changes):
            return {each.flow_uuid for each in changes}
        # A turn number belongs to one unit: who has ours now got it here.
        found, _ = statements.landed(conn, changes)
        return {
            each.flow_uuid
            for each in changes
            if found.get(each.flow_uuid) == (each.epoch, each.new_turn)
        }

    def _move(
        self,
        conn: sa.Connection,
        changes: statements.Changes,
        now: float,
        driven: Set[str],
    ) -> int:
        """Write the rows of flows; return how many stood as expected."""
        given = [
            (
                each.new_turn,
                each.state,
                each.meta,
                each.deadline,
                each.next_action_at,
                each.ended_at,
                now,
                each.release,
                each.release,
                each.flow_uuid,
                each.epoch,
                each.turn,
                each.flow_uuid in driven,
            )
            for each in changes
        ]
        return self._update(conn, given)

    def _update(
        self, conn: sa.Connection, given: list[tuple[typing.Any, ...]]
    ) -> int:
        return _run(conn, self.fence, given)

    def put_atoms(
        self, conn: sa.Connection, atoms: Sequence[unit.AtomRow]
    ) -> None:
        for chunk in statements.chunks(atoms):
            conn.exec_driver_sql(self.upsert_atoms, chunk)

    def put_tries(
        self, conn: sa.Connection, tries: Sequence[tuple[typing.Any, ...]]
    ) -> None:
        for chunk in statements.chunks(tries):
            conn.exec_driver_sql(self.upsert_tries, chunk)


def _run(
    conn: sa.Connection, text: str, given: list[tuple[typing.Any, ...]]
) -> int:
    one = given[0] if len(given) == 1 else given
    return conn.exec_driver_sql(text, one).rowcount


def _fence_text(mark: str) -> str:
    return (
        f'UPDATE {statements.FLOWS} SET turn = {mark}, state = {mark},'
        f' meta = COALESCE({mark}, meta), deadline = {mark},'
        f' next_action_at = {mark}, ended_at = {mark}, updated_at = {mark},'
        f' owner = CASE WHEN {mark} THEN NULL ELSE owner END,'
        f' asked = CASE WHEN {mark} THEN NULL ELSE asked END'
        f' WHERE uuid = {mark} AND epoch = {mark} AND turn = {mark}'
        f' AND (owner IS NULL OR {mark})'
    )


def _insert_text(table: str, columns: Sequence[str], mark: str) -> str:
    marks = ', '.join([mark] * len(columns))
    return (
        f'INSERT INTO {table} ({statements.listed(columns)}) VALUES ({marks})'
    )


class SQLite(_RowByRow):
    """SQLite: no round trips, so the cheapest way to bind rows wins.

    An UPDATE writes every index of a column that it sets, also to what it
    was, and each is another page to be on disk. So what stays is not set.
    """

    mark = '?'
    fence = _fence_text('?')
    upsert_atoms = _insert_text(
        statements.ATOMS, unit.ATOM_COLUMNS, '?'
    ) + statements.on_conflict('flow_uuid, uuid', statements.ATOM_UPDATES)
    upsert_tries = _insert_text(
        statements.TRIES, statements.TRY_COLUMNS, '?'
    ) + statements.on_conflict(
        'flow_uuid, atom_uuid, number', statements.TRY_UPDATES
    )
    steady = (
        f'UPDATE {statements.FLOWS} SET turn = ?, meta = COALESCE(?, meta),'
        ' deadline = ?, updated_at = ?'
        ' WHERE uuid = ? AND epoch = ? AND turn = ?'
        ' AND (owner IS NULL OR ?)'
    )

    def _move(
        self,
        conn: sa.Connection,
        changes: statements.Changes,
        now: float,
        driven: Set[str],
    ) -> int:
        done = 0
        steady = [
            (
                each.new_turn,
                each.meta,
                each.deadline,
                now,
                each.flow_uuid,
                each.epoch,
                each.turn,
                each.flow_uuid in driven,
            )
            for each in changes
            if each.steady
        ]
        if steady:
            done += _run(conn, self.steady, steady)
        if len(steady) < len(changes):
            moved = [each for each in changes if not each.steady]
            done += super()._move(conn, moved, now, driven)
        return done


def _length(row: tuple[typing.Any, ...]) -> int:
    return len(row[_META] or '')


class MySQL(_RowByRow):
    """MySQL and MariaDB: rows by executemany, many flows by JSON_TABLE.

    The drivers make one statement of an executemany of INSERT; of an UPDATE
    they do not.
    """

    mark = '%s'
    fence = _fence_text('%s')
    upsert_atoms = (
        _insert_text(statements.ATOMS, unit.ATOM_COLUMNS, '%s')
        + ' ON DUPLICATE KEY UPDATE '
        + statements.listed(statements.ATOM_UPDATES, '{0} = VALUES({0})')
    )
    upsert_tries = (
        _insert_text(statements.TRIES, statements.TRY_COLUMNS, '%s')
        + ' ON DUPLICATE KEY UPDATE '
        + statements.listed(statements.TRY_UPDATES, '{0} = VALUES({0})')
    )
    fence_many = (
        f'UPDATE {statements.FLOWS} f JOIN JSON_TABLE(%s, \'$[*]\' COLUMNS ('
        " new_turn BIGINT PATH '$[0]', state VARCHAR(32) PATH '$[1]',"
        " meta LONGTEXT PATH '$[2]', deadline DOUBLE PATH '$[3]',"
        " next_action_at DOUBLE PATH '$[4]', ended_at DOUBLE PATH '$[5]',"
        " updated_at DOUBLE PATH '$[6]', released INT PATH '$[7]',"
        " uuid VARCHAR(64) PATH '$[9]', epoch BIGINT PATH '$[10]',"
        " turn BIGINT PATH '$[11]', driven INT PATH '$[12]')) g"
        ' ON f.uuid = g.uuid AND f.epoch = g.epoch AND f.turn = g.turn'
        ' AND (f.owner IS NULL OR g.driven)'
        ' SET f.turn = g.new_turn, f.state = g.state,'
        ' f.meta = COALESCE(g.meta, f.meta), f.deadline = g.deadline,'
        ' f.next_action_at = g.next_action_at, f.ended_at = g.ended_at,'
        ' f.updated_at = g.updated_at,'
        ' f.owner = CASE WHEN g.released THEN NULL ELSE f.owner END,'
        ' f.asked = CASE WHEN g.released THEN NULL ELSE f.asked END'
    )

    def _update(
        self, conn: sa.Connection, given: list[tuple[typing.Any, ...]]
    ) -> int:
        if len(given) == 1:
            return super()._update(conn, given)
        done = 0
        # As the drivers do for an executemany: MySQL bounds what it is sent.
        for chunk in statements.bounded(given, _length, _MAX_BYTES):
            rows = [
                [
                    int(each) if each is True or each is False else each
                    for each in row
                ]
                for row in chunk
            ]
            text = json.dumps(rows)
            done += conn.exec_driver_sql(self.fence_many, (text,)).rowcount
        return done
