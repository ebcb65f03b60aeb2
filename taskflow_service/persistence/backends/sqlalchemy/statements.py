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

"""How a unit is written, per database.

Each class applies a unit within one transaction: the fence (flow rows whose
epoch and turn are the expected ones) and then the rows of the flows that
passed it. The statements are texts, made once, whose rows travel as one JSON
parameter or by the driver's executemany: a multi-row ``insert().values()``
would be compiled anew for each number of rows.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from collections.abc import Set
import itertools
import typing

import sqlalchemy as sa

from taskflow_service.persistence import unit
from taskflow_service.persistence.backends.sqlalchemy import dialects
from taskflow_service.persistence.backends.sqlalchemy import schema

#: Most rows of one statement.
MAX_ROWS = 1000

FLOWS = schema.flows.name
ATOMS = schema.atoms.name
TRIES = schema.tries.name

TRY_COLUMNS = ('flow_uuid', *unit.TRY_COLUMNS)
#: What identifies an atom never changes.
ATOM_UPDATES = tuple(
    name
    for name in unit.ATOM_COLUMNS
    if name not in ('flow_uuid', 'uuid', 'name', 'kind')
)
TRY_UPDATES = ('value', 'failures')

#: Where the packed values of a row are.
_PACKED_OF_ATOM = slice(unit.ATOM_COLUMNS.index('results'), None)
_PACKED_OF_TRY = slice(TRY_COLUMNS.index('value'), None)

_Row = typing.TypeVar('_Row')

Changes = Sequence[unit.FlowChange]


def listed(names: Iterable[str], form: str = '{}') -> str:
    return ', '.join(form.format(name) for name in names)


def chunks(
    rows: Iterable[typing.Any], size: int = MAX_ROWS
) -> Iterator[list[typing.Any]]:
    """Cut rows into lists of at most ``size``."""
    rows = iter(rows)
    while chunk := list(itertools.islice(rows, size)):
        yield chunk


def bounded(
    rows: Iterable[_Row], length: Callable[[_Row], int], most: int
) -> Iterator[list[_Row]]:
    """Cut rows into lists that fit a statement, by number and by length."""
    taken: list[_Row] = []
    size = 0
    for row in rows:
        more = length(row)
        if taken and (size + more > most or len(taken) == MAX_ROWS):
            yield taken
            taken, size = [], 0
        taken.append(row)
        size += more
    if taken:
        yield taken


def length_of_atom(row: unit.AtomRow) -> int:
    """Add up the packed values of a row."""
    return sum(map(len, filter(None, row[_PACKED_OF_ATOM])))


def length_of_try(row: tuple[typing.Any, ...]) -> int:
    """Add up the packed values of a row."""
    return sum(map(len, filter(None, row[_PACKED_OF_TRY])))


def atom_rows(changes: Changes) -> Sequence[unit.AtomRow]:
    if len(changes) == 1:
        return changes[0].atoms
    return [row for change in changes for row in change.atoms]


def try_rows(changes: Changes) -> list[tuple[typing.Any, ...]]:
    return [
        (change.flow_uuid, *row) for change in changes for row in change.tries
    ]


def forgotten(changes: Changes) -> list[tuple[str, str]]:
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


def on_conflict(keys: str, updates: Iterable[str]) -> str:
    sets = listed(updates, '{0} = excluded.{0}')
    return f' ON CONFLICT ({keys}) DO UPDATE SET {sets}'


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
