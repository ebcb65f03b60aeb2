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


"""The rows of owners, and of flows as far as they name theirs."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import functools
import time
import typing

from oslo_db import exception as db_exc
import sqlalchemy as sa

from taskflow_service.persistence import leases
from taskflow_service.persistence import unit
from taskflow_service.persistence.backends.sqlalchemy import dialects
from taskflow_service.persistence.backends.sqlalchemy import poison
from taskflow_service.persistence.backends.sqlalchemy import schema
from taskflow_service.persistence.backends.sqlalchemy import statements

_P = typing.ParamSpec('_P')
_R = typing.TypeVar('_R')

Transaction = Callable[[], contextlib.AbstractContextManager[sa.Connection]]

_OWNERS = schema.owners
_FLOWS = schema.flows


def _again(call: Callable[_P, _R]) -> Callable[_P, _R]:
    """Do again what was rolled back for another transaction's sake.

    Two nodes of a Galera cluster that claim the same flow find out at COMMIT.
    """

    @functools.wraps(call)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        for _ in range(poison.CONFLICTS - 1):
            with contextlib.suppress(dialects.Conflict):
                return call(*args, **kwargs)
        return call(*args, **kwargs)

    return wrapper


class Registry:
    """Owners in a database."""

    def __init__(self, reading: Transaction, writing: Transaction) -> None:
        self._reading = reading
        self._writing = writing

    @_again
    def stand(self, flow_uuid: str) -> leases.Standing | None:
        """Read who owns a flow."""
        query = sa.select(_FLOWS.c.owner, _FLOWS.c.epoch, _FLOWS.c.turn).where(
            _FLOWS.c.uuid == flow_uuid
        )
        with self._reading() as conn:
            row = conn.execute(query).first()
        return None if row is None else leases.Standing(*row)

    @_again
    def owners(self) -> Mapping[str, leases.Lease]:
        """Read the rows of all owners."""
        query = sa.select(
            _OWNERS.c.uuid, _OWNERS.c.renewals, _OWNERS.c.lease, _OWNERS.c.name
        )
        with self._reading() as conn:
            return {
                row[0]: leases.Lease(*row[1:]) for row in conn.execute(query)
            }

    @_again
    def renew(self, owner: str, name: str, length: float) -> tuple[int, bool]:
        """Raise the owner's counter of renewals; insert a missing row."""
        now = time.time()
        with self._writing() as conn:
            done = conn.execute(
                sa.update(_OWNERS)
                .where(_OWNERS.c.uuid == owner)
                .values(
                    renewals=_OWNERS.c.renewals + 1,
                    lease=length,
                    name=name,
                    renewed_at=now,
                )
            )
            if not done.rowcount:
                conn.execute(
                    sa.insert(_OWNERS),
                    {
                        'uuid': owner,
                        'name': name,
                        # Never a number that it had before.
                        'renewals': int(now),
                        'claims': 0,
                        'lease': length,
                        'renewed_at': now,
                    },
                )
                return 0, True
            claims = conn.execute(
                sa.select(_OWNERS.c.claims).where(_OWNERS.c.uuid == owner)
            ).scalar_one()
            return int(claims), False

    @_again
    def take_free(
        self, flow_uuids: Sequence[str], owner: str
    ) -> Mapping[str, unit.Claim]:
        """Claim those flows that have no owner, in one transaction."""
        taken: dict[str, unit.Claim] = {}
        # Tells what this transaction wrote from what stood there.
        now = time.time()
        with self._writing() as conn:
            for chunk in statements.chunks(sorted(flow_uuids)):
                done = conn.execute(
                    sa.update(_FLOWS)
                    .where(
                        _FLOWS.c.uuid.in_(chunk),
                        _FLOWS.c.owner.is_(None),
                    )
                    .values(
                        owner=owner,
                        epoch=_FLOWS.c.epoch + 1,
                        updated_at=now,
                    )
                )
                if not done.rowcount:
                    continue
                rows = conn.execute(
                    sa.select(
                        _FLOWS.c.uuid, _FLOWS.c.epoch, _FLOWS.c.turn
                    ).where(
                        _FLOWS.c.uuid.in_(chunk),
                        _FLOWS.c.owner == owner,
                        _FLOWS.c.updated_at == now,
                    )
                )
                taken.update((row[0], unit.Claim(*row)) for row in rows)
        return taken

    @_again
    def take(
        self,
        flow_uuid: str,
        standing: leases.Standing,
        owner: str,
        proof: leases.Proof,
        seen: int,
    ) -> bool:
        """Make ``owner`` the owner, in one transaction with all it proves."""
        with self._writing() as conn:
            if not _prove(conn, standing.owner, proof, seen):
                return False
            former = (
                _FLOWS.c.owner.is_(None)
                if standing.owner is None
                else _FLOWS.c.owner == standing.owner
            )
            done = conn.execute(
                sa.update(_FLOWS)
                .where(
                    _FLOWS.c.uuid == flow_uuid,
                    _FLOWS.c.epoch == standing.epoch,
                    _FLOWS.c.turn == standing.turn,
                    former,
                )
                .values(
                    owner=owner,
                    epoch=_FLOWS.c.epoch + 1,
                    updated_at=time.time(),
                )
            )
            if not done.rowcount:
                conn.rollback()
                return False
            return True

    @_again
    def mine(self, owner: str) -> Mapping[str, int]:
        """Read the flows of an owner and their epochs."""
        query = sa.select(_FLOWS.c.uuid, _FLOWS.c.epoch).where(
            _FLOWS.c.owner == owner
        )
        with self._reading() as conn:
            return {uuid: epoch for uuid, epoch in conn.execute(query)}

    @_again
    def asked(self, owner: str) -> Mapping[str, str]:
        """Read what is asked of the flows of an owner."""
        query = sa.select(_FLOWS.c.uuid, _FLOWS.c.asked).where(
            _FLOWS.c.owner == owner, _FLOWS.c.asked.is_not(None)
        )
        with self._reading() as conn:
            return {uuid: asked for uuid, asked in conn.execute(query)}

    @_again
    def release(self, flow_uuid: str, epoch: int, owner: str) -> None:
        """Give a flow up, if it still is the owner's at that epoch."""
        with self._writing() as conn:
            conn.execute(
                sa.update(_FLOWS)
                .where(
                    _FLOWS.c.uuid == flow_uuid,
                    _FLOWS.c.epoch == epoch,
                    _FLOWS.c.owner == owner,
                )
                .values(owner=None)
            )

    @_again
    def retire(self, owner: str) -> None:
        """Delete an owner's row, unless it owns flows."""
        with self._writing() as conn:
            conn.execute(
                sa.delete(_OWNERS).where(
                    _OWNERS.c.uuid == owner,
                    ~sa.exists().where(_FLOWS.c.owner == owner),
                )
            )


def _prove(
    conn: sa.Connection,
    former: str | None,
    proof: leases.Proof,
    seen: int,
) -> bool:
    """Raise the former owner's counter; False if it is not as it was seen."""
    if proof in (leases.Proof.RELEASED, leases.Proof.OWN):
        return True
    update = (
        sa.update(_OWNERS)
        .where(_OWNERS.c.uuid == former)
        .values(claims=_OWNERS.c.claims + 1)
    )
    if proof is leases.Proof.DEAD:
        conn.execute(update)
        return True
    if conn.execute(update.where(_OWNERS.c.renewals == seen)).rowcount:
        return True
    return seen == 0 and _insert_missing(conn, former)


def _insert_missing(conn: sa.Connection, owner: str | None) -> bool:
    """Insert the row of an owner that has none; False if it has one now.

    A renewal that would insert it at this moment waits, and then finds a
    number that it has not verified.
    """
    try:
        conn.execute(
            sa.insert(_OWNERS),
            {
                'uuid': owner,
                'renewals': 0,
                'claims': 1,
                'lease': leases.LEASE,
                'renewed_at': time.time(),
            },
        )
    except db_exc.DBDuplicateEntry:
        conn.rollback()
        return False
    return True
