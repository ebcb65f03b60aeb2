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

"""How a unit is written, per database.

Each class applies a unit within one transaction: the fence (flow rows whose
epoch and turn are the expected ones) and then the rows of the flows that
passed it. The statements are texts, made once, whose rows travel as one JSON
parameter or by the driver's executemany: a multi-row ``insert().values()``
would be compiled anew for each number of rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from collections.abc import Set
import itertools
import json
import typing

import sqlalchemy as sa

from taskflow_service.persistence import unit
from taskflow_service.persistence.backends.sqlalchemy import dialects
from taskflow_service.persistence.backends.sqlalchemy import schema

#: Most rows of one statement.
MAX_ROWS = 1000
#: Most bytes of metadata of one statement of several flows.
MAX_BYTES = 1_000_000
#: Where it is among the parameters of the fence.
_META = 2

_FLOWS = schema.flows.name
_ATOMS = schema.atoms.name
_TRIES = schema.tries.name

_TRY_COLUMNS = ('flow_uuid', *unit.TRY_COLUMNS)
#: What identifies an atom never changes.
_ATOM_UPDATES = tuple(
    name
    for name in unit.ATOM_COLUMNS
    if name not in ('flow_uuid', 'uuid', 'name', 'kind')
)
_TRY_UPDATES = ('value', 'failures')

Changes = Sequence[unit.FlowChange]


def _listed(names: Iterable[str], form: str = '{}') -> str:
    return ', '.join(form.format(name) for name in names)


def chunks(
    rows: Iterable[typing.Any], size: int = MAX_ROWS
) -> Iterator[list[typing.Any]]:
    """Cut rows into lists of at most ``size``."""
    rows = iter(rows)
    while chunk := list(itertools.islice(rows, size)):
        yield chunk


def _atom_rows(changes: Changes) -> list[unit.AtomRow]:
    if len(changes) == 1:
        return changes[0].atoms
    return [row for change in changes for row in change.atoms]


def _try_rows(changes: Changes) -> list[tuple[typing.Any, ...]]:
    return [
        (change.flow_uuid, *row) for change in changes for row in change.tries
    ]


def _forgotten(changes: Changes) -> list[tuple[str, str]]:
    return [
        (change.flow_uuid, uuid)
        for change in changes
        for uuid in change.forget_tries
    ]


class Statements:
    """How one database takes a unit."""

    #: Whether a unit of one statement needs no transaction around it.
    autocommit = False

    def apply(
        self,
        conn: sa.Connection,
        changes: Changes,
        now: float,
        driven: Set[str],
    ) -> set[str]:
        """Write a unit in one transaction; return the flows that passed.

        A flow that is not among the ``driven`` passes only without an owner.
        """
        raise NotImplementedError

    def prepare(self, conn: sa.Connection) -> sa.Connection:
        """Set up the connection that a writer keeps."""
        return conn.execution_options(**{dialects.WRITES: True})

    def put_atoms(
        self, conn: sa.Connection, atoms: Sequence[unit.AtomRow]
    ) -> None:
        """Insert or update atoms, within a transaction of the caller's."""
        raise NotImplementedError

    def put_tries(
        self, conn: sa.Connection, tries: Sequence[tuple[typing.Any, ...]]
    ) -> None:
        """Insert or update tries, within a transaction of the caller's."""
        raise NotImplementedError


class _RowByRow(Statements):
    """Fence, then executemany: SQLite and MySQL."""

    mark = '?'
    fence = ''
    upsert_atoms = ''
    upsert_tries = ''

    def __init__(self) -> None:
        mark = self.mark
        self._forget = (
            f'DELETE FROM {_TRIES} WHERE flow_uuid = {mark}'
            f' AND atom_uuid = {mark}'
        )

    def apply(
        self,
        conn: sa.Connection,
        changes: Changes,
        now: float,
        driven: Set[str],
    ) -> set[str]:
        with conn.begin():
            passed = self._fence(conn, changes, now, driven)
            if len(passed) < len(changes):
                changes = [
                    each for each in changes if each.flow_uuid in passed
                ]
            self.put_atoms(conn, _atom_rows(changes))
            forgotten = _forgotten(changes)
            if forgotten:
                conn.exec_driver_sql(self._forget, forgotten)
            self.put_tries(conn, _try_rows(changes))
        return passed

    def _fence(
        self,
        conn: sa.Connection,
        changes: Changes,
        now: float,
        driven: Set[str],
    ) -> set[str]:
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
        done = self._update(conn, given)
        if done == len(changes):
            return {each.flow_uuid for each in changes}
        # A turn number belongs to one unit: who has ours now got it here.
        found, _ = landed(conn, changes)
        return {
            each.flow_uuid
            for each in changes
            if found.get(each.flow_uuid) == (each.epoch, each.new_turn)
        }

    def _update(
        self, conn: sa.Connection, given: list[tuple[typing.Any, ...]]
    ) -> int:
        one = given[0] if len(given) == 1 else given
        return conn.exec_driver_sql(self.fence, one).rowcount

    def put_atoms(
        self, conn: sa.Connection, atoms: Sequence[unit.AtomRow]
    ) -> None:
        for chunk in chunks(atoms):
            conn.exec_driver_sql(self.upsert_atoms, chunk)

    def put_tries(
        self, conn: sa.Connection, tries: Sequence[tuple[typing.Any, ...]]
    ) -> None:
        for chunk in chunks(tries):
            conn.exec_driver_sql(self.upsert_tries, chunk)


def _fence_text(mark: str) -> str:
    return (
        f'UPDATE {_FLOWS} SET turn = {mark}, state = {mark},'
        f' meta = COALESCE({mark}, meta), deadline = {mark},'
        f' next_action_at = {mark}, ended_at = {mark}, updated_at = {mark},'
        f' owner = CASE WHEN {mark} THEN NULL ELSE owner END,'
        f' asked = CASE WHEN {mark} THEN NULL ELSE asked END'
        f' WHERE uuid = {mark} AND epoch = {mark} AND turn = {mark}'
        f' AND (owner IS NULL OR {mark})'
    )


def _insert_text(table: str, columns: Sequence[str], mark: str) -> str:
    marks = ', '.join([mark] * len(columns))
    return f'INSERT INTO {table} ({_listed(columns)}) VALUES ({marks})'


def _on_conflict(keys: str, updates: Iterable[str]) -> str:
    sets = _listed(updates, '{0} = excluded.{0}')
    return f' ON CONFLICT ({keys}) DO UPDATE SET {sets}'


class SQLite(_RowByRow):
    """SQLite: no round trips, so the cheapest way to bind rows wins."""

    mark = '?'
    fence = _fence_text('?')
    upsert_atoms = _insert_text(_ATOMS, unit.ATOM_COLUMNS, '?') + _on_conflict(
        'flow_uuid, uuid', _ATOM_UPDATES
    )
    upsert_tries = _insert_text(_TRIES, _TRY_COLUMNS, '?') + _on_conflict(
        'flow_uuid, atom_uuid, number', _TRY_UPDATES
    )


def _bounded(
    given: Iterable[tuple[typing.Any, ...]],
) -> Iterator[list[tuple[typing.Any, ...]]]:
    """Cut flow rows into lists whose metadata fits a statement.

    As the drivers do for an executemany: MySQL bounds what it is sent.
    """
    taken: list[tuple[typing.Any, ...]] = []
    size = 0
    for row in given:
        length = len(row[_META] or '')
        if taken and (size + length > MAX_BYTES or len(taken) == MAX_ROWS):
            yield taken
            taken, size = [], 0
        taken.append(row)
        size += length
    if taken:
        yield taken


class MySQL(_RowByRow):
    """MySQL and MariaDB: the drivers make one statement of an executemany
    of INSERT; of an UPDATE they do not, so many flows go by JSON_TABLE.
    """

    mark = '%s'
    fence = _fence_text('%s')
    upsert_atoms = (
        _insert_text(_ATOMS, unit.ATOM_COLUMNS, '%s')
        + ' ON DUPLICATE KEY UPDATE '
        + _listed(_ATOM_UPDATES, '{0} = VALUES({0})')
    )
    upsert_tries = (
        _insert_text(_TRIES, _TRY_COLUMNS, '%s')
        + ' ON DUPLICATE KEY UPDATE '
        + _listed(_TRY_UPDATES, '{0} = VALUES({0})')
    )
    fence_many = (
        f'UPDATE {_FLOWS} f JOIN JSON_TABLE(%s, \'$[*]\' COLUMNS ('
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
        for chunk in _bounded(given):
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


class PostgreSQL(Statements):
    """PostgreSQL: the fence and all rows in one statement, which is its own
    transaction, so that a unit is one round trip. executemany would be one
    for each row.
    """

    autocommit = True
    _types: typing.ClassVar[dict[str, str]] = {
        'attempt': 'bigint',
        'losses': 'bigint',
        'seq': 'bigint',
        'number': 'bigint',
        **dict.fromkeys(
            (
                'start_by',
                'finish_by',
                'not_before',
                'started_at',
                'finished_at',
            ),
            'float8',
        ),
    }
    _fence = (
        f'fence AS (UPDATE {_FLOWS} f SET turn = g.new_turn, state = g.state,'
        ' meta = COALESCE(g.meta, f.meta), deadline = g.deadline,'
        ' next_action_at = g.next_action_at, ended_at = g.ended_at,'
        ' updated_at = %(now)s,'
        ' owner = CASE WHEN g.released THEN NULL ELSE f.owner END,'
        ' asked = CASE WHEN g.released THEN NULL ELSE f.asked END'
        ' FROM json_to_recordset(%(flows)s::json) AS g(uuid text,'
        ' epoch bigint, turn bigint, new_turn bigint, state text, meta text,'
        ' deadline float8, next_action_at float8, ended_at float8,'
        ' released boolean, driven boolean) WHERE f.uuid = g.uuid'
        ' AND f.epoch = g.epoch AND f.turn = g.turn'
        ' AND (f.owner IS NULL OR g.driven) RETURNING f.uuid)'
    )

    def __init__(self) -> None:
        upsert_atoms = self._upsert(
            _ATOMS,
            unit.ATOM_COLUMNS,
            'atoms',
            'flow_uuid, uuid',
            _ATOM_UPDATES,
        )
        upsert_tries = self._upsert(
            _TRIES,
            _TRY_COLUMNS,
            'tries',
            'flow_uuid, atom_uuid, number',
            _TRY_UPDATES,
        )
        within = ' JOIN fence ON fence.uuid = g.flow_uuid'
        only_fence = f'WITH {self._fence} SELECT uuid FROM fence'
        with_atoms = (
            f'WITH {self._fence}, atoms AS ('
            + upsert_atoms.format(join=within)
            + ') SELECT uuid FROM fence'
        )
        with_tries = (
            f'WITH {self._fence}, atoms AS ('
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
            f'DELETE FROM {_TRIES} WHERE flow_uuid = %s AND atom_uuid = %s'
        )

    def _upsert(
        self,
        table: str,
        columns: Sequence[str],
        parameter: str,
        keys: str,
        updates: Sequence[str],
    ) -> str:
        typed = ', '.join(
            f'{name} {self._types.get(name, "text")}' for name in columns
        )
        return (
            f'INSERT INTO {table} ({_listed(columns)})'
            f' SELECT {_listed(columns, "g.{}")}'
            f' FROM json_to_recordset(%({parameter})s::json) AS g({typed})'
            '{join}' + _on_conflict(keys, updates)
        )

    def prepare(self, conn: sa.Connection) -> sa.Connection:
        return conn.execution_options(isolation_level='AUTOCOMMIT')

    def apply(
        self,
        conn: sa.Connection,
        changes: Changes,
        now: float,
        driven: Set[str],
    ) -> set[str]:
        atoms = _atom_rows(changes)
        tries = _try_rows(changes)
        forgotten = _forgotten(changes)
        total = len(changes) + len(atoms) + len(tries)
        if total <= MAX_ROWS and not forgotten:
            return self._at_once(conn, changes, atoms, tries, now, driven)
        conn.exec_driver_sql('BEGIN')
        passed: set[str] = set()
        for chunk in chunks(changes):
            passed |= self._at_once(conn, chunk, [], [], now, driven)
        if len(passed) < len(changes):
            changes = [each for each in changes if each.flow_uuid in passed]
        self.put_atoms(conn, _atom_rows(changes))
        for pair in _forgotten(changes):
            conn.exec_driver_sql(self._forget, pair)
        self.put_tries(conn, _try_rows(changes))
        conn.exec_driver_sql('COMMIT')
        return passed

    def _at_once(
        self,
        conn: sa.Connection,
        changes: Changes,
        atoms: Sequence[unit.AtomRow],
        tries: Sequence[tuple[typing.Any, ...]],
        now: float,
        driven: Set[str],
    ) -> set[str]:
        parameters: dict[str, typing.Any] = {
            'now': now,
            'flows': json.dumps(
                [
                    {
                        'uuid': each.flow_uuid,
                        'epoch': each.epoch,
                        'turn': each.turn,
                        'new_turn': each.new_turn,
                        'state': each.state,
                        'meta': each.meta,
                        'deadline': each.deadline,
                        'next_action_at': each.next_action_at,
                        'ended_at': each.ended_at,
                        'released': each.release,
                        'driven': each.flow_uuid in driven,
                    }
                    for each in changes
                ]
            ),
        }
        text = self._only_fence
        if atoms or tries:
            text = self._with_atoms
            parameters['atoms'] = _objects(unit.ATOM_COLUMNS, atoms)
        if tries:
            text = self._with_tries
            parameters['tries'] = _objects(_TRY_COLUMNS, tries)
        result = conn.exec_driver_sql(text, parameters)
        return {row[0] for row in result}

    def put_atoms(
        self, conn: sa.Connection, atoms: Sequence[unit.AtomRow]
    ) -> None:
        for chunk in chunks(atoms):
            conn.exec_driver_sql(
                self._put_atoms, {'atoms': _objects(unit.ATOM_COLUMNS, chunk)}
            )

    def put_tries(
        self, conn: sa.Connection, tries: Sequence[tuple[typing.Any, ...]]
    ) -> None:
        for chunk in chunks(tries):
            conn.exec_driver_sql(
                self._put_tries, {'tries': _objects(_TRY_COLUMNS, chunk)}
            )


def _objects(columns: Sequence[str], rows: Iterable[typing.Any]) -> str:
    return json.dumps([dict(zip(columns, row, strict=True)) for row in rows])


def landed(
    conn: sa.Connection, changes: Changes
) -> tuple[dict[str, tuple[int, int]], dict[str, str | None]]:
    """Read the epochs and turns of the flows of a unit, and their owners."""
    table = schema.flows.c
    found: dict[str, tuple[int, int]] = {}
    owners: dict[str, str | None] = {}
    for chunk in chunks(each.flow_uuid for each in changes):
        query = sa.select(
            table.uuid, table.epoch, table.turn, table.owner
        ).where(table.uuid.in_(chunk))
        for uuid, epoch, turn, owner in conn.execute(query):
            found[uuid] = epoch, turn
            owners[uuid] = owner
    return found, owners


_STATEMENTS: dict[str, type[Statements]] = {
    'sqlite': SQLite,
    'mysql': MySQL,
    'postgresql': PostgreSQL,
}


def of(engine: sa.Engine) -> Statements:
    """Choose the statements of an engine's database."""
    return _STATEMENTS[engine.dialect.name]()
