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

"""PostgreSQL: a unit in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set
import json
import typing

import sqlalchemy as sa

from taskflow_service.persistence import unit
from taskflow_service.persistence.backends.sqlalchemy import statements

#: Most bytes of packed values in one statement. PostgreSQL takes arrays of
#: jsonb up to a quarter of a gigabyte.
MAX_BYTES = 64 * 2**20

_to_text = json.JSONEncoder(separators=(',', ':')).encode


class PostgreSQL(statements.Statements):
    """PostgreSQL: the fence and all rows in one statement.

    It is its own transaction, so that a unit is one round trip. executemany
    would be one for each row.
    """

    autocommit = True
    _types: typing.ClassVar[dict[str, str]] = {
        'attempt': 'bigint',
        'losses': 'bigint',
        'seq': 'bigint',
        'number': 'bigint',
        'epoch': 'bigint',
        'turn': 'bigint',
        'new_turn': 'bigint',
        'released': 'boolean',
        'driven': 'boolean',
        **dict.fromkeys(
            (
                'start_by',
                'finish_by',
                'not_before',
                'started_at',
                'finished_at',
                'deadline',
                'next_action_at',
                'ended_at',
            ),
            'float8',
        ),
    }
    _fenced = (
        'uuid',
        'epoch',
        'turn',
        'new_turn',
        'state',
        'meta',
        'deadline',
        'next_action_at',
        'ended_at',
        'released',
        'driven',
    )

    #: Moves the rows of the flows that stand where they are thought to.
    #: The ids are asked for twice: by a join alone the planner may come to
    #: read all flows, by the list it goes to those of the unit.
    _FENCE = (
        f'UPDATE {statements.FLOWS} f'
        ' SET turn = g.new_turn, state = g.state,'
        ' meta = COALESCE(g.meta, f.meta), deadline = g.deadline,'
        ' next_action_at = g.next_action_at, ended_at = g.ended_at,'
        ' updated_at = %(now)s,'
        ' owner = CASE WHEN g.released THEN NULL ELSE f.owner END,'
        ' asked = CASE WHEN g.released THEN NULL ELSE f.asked END'
        ' FROM given g'
        ' WHERE f.uuid = ANY (ARRAY (SELECT uuid FROM given))'
        ' AND f.uuid = g.uuid AND f.epoch = g.epoch AND f.turn = g.turn'
        ' AND (f.owner IS NULL OR g.driven) RETURNING f.uuid'
    )

    def __init__(self) -> None:
        given = f'given AS ({self._rows("flows", self._fenced)})'
        fence = f'{given}, fence AS ({self._FENCE})'
        upsert_atoms = self._upsert(
            statements.ATOMS,
            unit.ATOM_COLUMNS,
            'atoms',
            'flow_uuid, uuid',
            statements.ATOM_UPDATES,
        )
        upsert_tries = self._upsert(
            statements.TRIES,
            statements.TRY_COLUMNS,
            'tries',
            'flow_uuid, atom_uuid, number',
            statements.TRY_UPDATES,
        )
        within = ' JOIN fence ON fence.uuid = g.flow_uuid'
        only_fence = f'WITH {fence} SELECT uuid FROM fence'
        with_atoms = (
            f'WITH {fence}, atoms AS ('
            + upsert_atoms.format(join=within)
            + ') SELECT uuid FROM fence'
        )
        with_tries = (
            f'WITH {fence}, atoms AS ('
            + upsert_atoms.format(join=within)
            + '), tries AS ('
            + upsert_tries.format(join=within)
            + ') SELECT uuid FROM fence'
        )
        self._only_fence = only_fence
        self._with_atoms = with_atoms
        self._with_tries = with_tries
        self._put_atoms = upsert_atoms.format(join='')
        self._put_tries = upsert_tries.format(join='')
        self._forget = (
            f'DELETE FROM {statements.TRIES} WHERE flow_uuid = %s'
            ' AND atom_uuid = %s'
        )

    def _upsert(
        self,
        table: str,
        columns: Sequence[str],
        parameter: str,
        keys: str,
        updates: Sequence[str],
    ) -> str:
        return (
            f'INSERT INTO {table} ({statements.listed(columns)})'
            f' SELECT {statements.listed(columns, "g.{}")}'
            f' FROM ({self._rows(parameter, columns)}) AS g'
            '{join}' + statements.on_conflict(keys, updates)
        )

    def _rows(self, parameter: str, columns: Sequence[str]) -> str:
        """Rows out of an array of arrays.

        Half the work for both sides that an array of objects is; arrays of
        PostgreSQL's own are dear to make for the driver.
        """
        taken = ', '.join(
            f'(v->>{at})::{self._types.get(name, "text")} AS {name}'
            for at, name in enumerate(columns)
        )
        return (
            f'SELECT {taken}'
            f' FROM jsonb_array_elements(%({parameter})s::jsonb) AS e(v)'
        )

    def prepare(self, conn: sa.Connection) -> sa.Connection:
        return conn.execution_options(isolation_level='AUTOCOMMIT')

    def apply(
        self,
        conn: sa.Connection,
        changes: statements.Changes,
        now: float,
        driven: Set[str],
    ) -> set[str]:
        atoms = statements.atom_rows(changes)
        tries = statements.try_rows(changes)
        forgotten = statements.forgotten(changes)
        if not forgotten and _fit(changes, atoms, tries):
            return self._at_once(conn, changes, atoms, tries, now, driven)
        conn.exec_driver_sql('BEGIN')
        passed: set[str] = set()
        for chunk in statements.bounded(changes, _length, MAX_BYTES):
            passed |= self._at_once(conn, chunk, [], [], now, driven)
        if len(passed) < len(changes):
            changes = [each for each in changes if each.flow_uuid in passed]
        self.put_atoms(conn, statements.atom_rows(changes))
        for pair in statements.forgotten(changes):
            conn.exec_driver_sql(self._forget, pair)
        self.put_tries(conn, statements.try_rows(changes))
        conn.exec_driver_sql('COMMIT')
        return passed

    def _at_once(
        self,
        conn: sa.Connection,
        changes: statements.Changes,
        atoms: Sequence[unit.AtomRow],
        tries: Sequence[tuple[typing.Any, ...]],
        now: float,
        driven: Set[str],
    ) -> set[str]:
        parameters: dict[str, typing.Any] = {
            'now': now,
            'flows': _to_text(
                [
                    (
                        each.flow_uuid,
                        each.epoch,
                        each.turn,
                        each.new_turn,
                        each.state,
                        each.meta,
                        each.deadline,
                        each.next_action_at,
                        each.ended_at,
                        each.release,
                        each.flow_uuid in driven,
                    )
                    for each in changes
                ]
            ),
        }
        text = self._only_fence
        if atoms or tries:
            text = self._with_atoms
            parameters['atoms'] = _to_text(atoms)
        if tries:
            text = self._with_tries
            parameters['tries'] = _to_text(tries)
        result = conn.exec_driver_sql(text, parameters)
        return {row[0] for row in result}

    def put_atoms(
        self, conn: sa.Connection, atoms: Sequence[unit.AtomRow]
    ) -> None:
        for chunk in statements.bounded(
            atoms, statements.length_of_atom, MAX_BYTES
        ):
            conn.exec_driver_sql(self._put_atoms, {'atoms': _to_text(chunk)})

    def put_tries(
        self, conn: sa.Connection, tries: Sequence[tuple[typing.Any, ...]]
    ) -> None:
        for chunk in statements.bounded(
            tries, statements.length_of_try, MAX_BYTES
        ):
            conn.exec_driver_sql(self._put_tries, {'tries': _to_text(chunk)})


def _length(change: unit.FlowChange) -> int:
    return len(change.meta or '')


def _fit(
    changes: statements.Changes,
    atoms: Sequence[unit.AtomRow],
    tries: Sequence[tuple[typing.Any, ...]],
) -> bool:
    """Whether one statement takes it all."""
    if len(changes) + len(atoms) + len(tries) > statements.MAX_ROWS:
        return False
    size = sum(map(_length, changes))
    size += sum(map(statements.length_of_atom, atoms))
    size += sum(map(statements.length_of_try, tries))
    return size <= MAX_BYTES
