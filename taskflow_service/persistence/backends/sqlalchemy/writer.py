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


"""The loop's side: units, each in one transaction, whatever goes wrong.

Each unit proves with its write that its flows are still where it left them,
so a unit may be given again at any time: where it has landed already, it
finds its own turn number in the row and changes nothing. That resolves every
commit whose fate is unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from collections.abc import Set
import contextlib
import os
import time

from oslo_log import log as logging
import sqlalchemy as sa

from taskflow_service import exceptions
from taskflow_service.persistence import leases
from taskflow_service.persistence import unit
from taskflow_service.persistence.backends.sqlalchemy import dialects
from taskflow_service.persistence.backends.sqlalchemy import poison
from taskflow_service.persistence.backends.sqlalchemy import statements

LOG = logging.getLogger(__name__)

_ALL = unit.Committed()

_inherited: list[sa.Connection | None] = []


class _Refused(exceptions.StorageFailure):
    """The server does not take what a flow has to store."""


class Committer:
    """Writes units over one connection that it keeps. Not thread-safe.

    :param dialect: how the engine's database takes a unit
    :param driven: tells which of some flows are driven here; the others are
        written only as long as nobody owns them
    :param ended: told the flows that were released by a unit, or were lost
    """

    def __init__(
        self,
        engine: sa.Engine,
        dialect: statements.Statements,
        driven: Callable[[Iterable[str]], Set[str]],
        ended: Callable[[Iterable[str]], None],
    ) -> None:
        self._engine = engine
        self._driven = driven
        self._ended = ended
        self._statements = dialect
        self._conn: sa.Connection | None = None
        self._pid = os.getpid()

    def commit(self, changes: Sequence[unit.FlowChange]) -> unit.Committed:
        """Apply the changes in one transaction.

        In the order of the flows' ids, so that two writers cannot lock each
        other out. A unit that the server refuses is halved until the flow
        that is to blame stands alone; the others are then written in as many
        transactions. Of that flow it is found out which atoms' rows it is.
        """
        ordered = sorted(changes, key=lambda each: each.flow_uuid)
        lost: set[str] = set()
        refused: dict[str, Exception] = {}
        self._settle(ordered, lost, refused)
        gone = [
            each.flow_uuid
            for each in changes
            if each.release and each.flow_uuid not in refused
        ]
        if gone or lost:
            self._ended([*gone, *lost])
        if not lost and not refused:
            return _ALL
        return unit.Committed(
            frozenset(lost), refused, self._poison(ordered, refused)
        )

    def _poison(
        self,
        changes: Sequence[unit.FlowChange],
        refused: Mapping[str, Exception],
    ) -> dict[str, unit.Poison]:
        found: dict[str, unit.Poison] = {}
        for change in changes:
            if isinstance(refused.get(change.flow_uuid), _Refused):
                found[change.flow_uuid] = poison.find(
                    self._engine, self._statements, change
                )
        return found

    def close(self) -> None:
        """Give the connection back; idempotent."""
        conn, self._conn = self._conn, None
        if conn is not None:
            with contextlib.suppress(Exception):
                conn.close()

    def _settle(
        self,
        changes: Sequence[unit.FlowChange],
        lost: set[str],
        refused: dict[str, Exception],
    ) -> None:
        cause = self._write(changes, lost, refused)
        if cause is None:
            return
        if len(changes) > 1:
            half = len(changes) // 2
            self._settle(changes[:half], lost, refused)
            self._settle(changes[half:], lost, refused)
            return
        uuid = changes[0].flow_uuid
        refused[uuid] = _Refused(
            f'The database refuses what flow {uuid} has to store: '
            f'{dialects.one_line(cause)[:500]}'
        )
        LOG.warning('%s', refused[uuid])

    def _write(
        self,
        changes: Sequence[unit.FlowChange],
        lost: set[str],
        refused: dict[str, Exception],
    ) -> Exception | None:
        """Write a unit; return why it failed time and again, if it did.

        Each time over a fresh connection: so the server is there, and it is
        the unit that it does not take.
        """
        failures = conflicts = 0
        while True:
            try:
                conn = self._connected()
                driven = self._driven(each.flow_uuid for each in changes)
                passed = self._statements.apply(
                    conn, changes, time.time(), driven
                )
                if len(passed) < len(changes):
                    self._resolve(conn, changes, passed, lost, refused)
                return None
            except exceptions.StorageFailure:
                raise
            except Exception as error:
                self._drop()
                meaning = dialects.meaning(error)
                if meaning is dialects.Meaning.OUTAGE:
                    raise poison.outage(error) from error
                if meaning is dialects.Meaning.CONFLICT:
                    conflicts += 1
                    if conflicts < poison.CONFLICTS:
                        continue
                    raise poison.outage(error) from error
                failures += 1
                if failures == poison.FAILURES[meaning]:
                    return error
                LOG.info(
                    'A unit of %d flows was not written, trying it again over '
                    'a new connection: %s',
                    len(changes),
                    dialects.one_line(error),
                )

    def _resolve(
        self,
        conn: sa.Connection,
        changes: Sequence[unit.FlowChange],
        passed: set[str],
        lost: set[str],
        refused: dict[str, Exception],
    ) -> None:
        """Tell apart why flows did not pass: landed before, or lost."""
        held = [each for each in changes if each.flow_uuid not in passed]
        found, owners = statements.landed(conn, held)
        if not self._statements.autocommit:
            conn.commit()
        for each in held:
            at = found.get(each.flow_uuid)
            if at == (each.epoch, each.new_turn):
                continue
            if at is None or at[0] != each.epoch:
                lost.add(each.flow_uuid)
            elif at == (each.epoch, each.turn):
                # Written outside of a run, while another runs it.
                refused[each.flow_uuid] = leases.owned(
                    each.flow_uuid, owners[each.flow_uuid], None
                )
            else:
                refused[each.flow_uuid] = exceptions.StorageFailure(
                    f'Flow {each.flow_uuid} stands at turn {at[1]} of epoch '
                    f'{at[0]} in the database, and turn {each.turn} was '
                    'expected: its row was changed by hand; run it again'
                )

    def _connected(self) -> sa.Connection:
        """Give the connection, a fresh one if the last was dropped.

        Raises StorageOutage where none can be made.
        """
        if self._pid != os.getpid():
            # The parent's: not to be used here, nor to be closed.
            _inherited.append(self._conn)
            self._conn = None
            self._pid = os.getpid()
        if self._conn is None:
            try:
                self._conn = self._statements.prepare(self._engine.connect())
            except Exception as error:
                raise poison.outage(error) from error
        return self._conn

    def _drop(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            # Whatever state it is in, the server rolls back what is open.
            with contextlib.suppress(Exception):
                conn.invalidate()
            with contextlib.suppress(Exception):
                conn.close()
