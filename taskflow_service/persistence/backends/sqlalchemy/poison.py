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

"""Which rows of a flow a server does not take.

They are written in transactions that are rolled back, all of them and then
ever smaller halves, until those that are refused stand alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from taskflow_service import exceptions
from taskflow_service.persistence import rows
from taskflow_service.persistence import unit
from taskflow_service.persistence.backends.sqlalchemy import dialects
from taskflow_service.persistence.backends.sqlalchemy import statements

#: How often something is done again after it was rolled back for another's
#: sake.
CONFLICTS = 10

#: How often something fails before it is its own fault. A connection may be
#: lost for other reasons, and yet some servers answer a statement that is too
#: long for them by no more than that.
FAILURES = {dialects.Meaning.REFUSED: 2, dialects.Meaning.LOST: 4}

_VALUES = ('results', 'failure', 'revert_results', 'revert_failure', 'meta')


def outage(error: BaseException) -> exceptions.StorageOutage:
    """Make the error of a server that can write nothing for now."""
    return exceptions.StorageOutage(
        f'The logbook cannot be written: {dialects.one_line(error)}'
    )


def find(
    engine: sa.Engine,
    dialect: statements.Statements,
    change: unit.FlowChange,
) -> dict[str, exceptions.ValueNotStorable]:
    """Find the atoms of a refused change that are to blame, and why.

    By name; none if every row is taken by itself. Nothing is left written.
    Raises StorageOutage.
    """
    found: dict[str, exceptions.ValueNotStorable] = {}
    _search(_Trial(engine, dialect, change), change.atoms, found)
    return found


def _search(
    trial: _Trial,
    atoms: Sequence[unit.AtomRow],
    found: dict[str, exceptions.ValueNotStorable],
) -> None:
    cause = trial.refuses(atoms)
    if cause is None:
        return
    if len(atoms) > 1:
        half = len(atoms) // 2
        _search(trial, atoms[:half], found)
        _search(trial, atoms[half:], found)
        return
    if atoms:
        words = dialects.one_line(cause)[:500]
        found[rows.atom_field(atoms[0], 'name')] = exceptions.ValueNotStorable(
            f'the database refuses it: {words}',
            reason=words,
            size=sum(len(each) for each in trial.values(atoms[0])),
        )


class _Trial:
    """Writes some rows of a change, and takes them back."""

    def __init__(
        self,
        engine: sa.Engine,
        dialect: statements.Statements,
        change: unit.FlowChange,
    ) -> None:
        self._engine = engine
        self._dialect = dialect
        self._change = change

    def refuses(self, atoms: Sequence[unit.AtomRow]) -> Exception | None:
        """Tell why these atoms, with their tries, are not taken, if so."""
        failures = conflicts = 0
        while True:
            try:
                self._write(atoms)
                return None
            except exceptions.StorageFailure:
                raise
            except Exception as error:
                meaning = dialects.meaning(error)
                if meaning is dialects.Meaning.OUTAGE:
                    raise outage(error) from error
                if meaning is dialects.Meaning.CONFLICT:
                    conflicts += 1
                    if conflicts == CONFLICTS:
                        raise outage(error) from error
                    continue
                failures += 1
                if failures == FAILURES[meaning]:
                    return error

    def values(self, atom: unit.AtomRow) -> list[str]:
        """Give the texts of all values of an atom."""
        texts = [rows.atom_field(atom, name) for name in _VALUES]
        for row in self._change.tries:
            if row[0] == atom[rows.ATOM_UUID]:
                texts.extend(row[2:])
        return [text for text in texts if text is not None]

    def _write(self, atoms: Sequence[unit.AtomRow]) -> None:
        uuids = {row[rows.ATOM_UUID] for row in atoms}
        tries = [
            (self._change.flow_uuid, *row)
            for row in self._change.tries
            if row[0] in uuids
        ]
        try:
            conn = self._engine.connect()
        except Exception as error:
            raise outage(error) from error
        with conn:
            conn = conn.execution_options(**{dialects.WRITES: True})
            transaction = conn.begin()
            self._dialect.put_atoms(conn, atoms)
            self._dialect.put_tries(conn, tries)
            transaction.rollback()
