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


"""The tables of a logbook.

All are prefixed, so that they may stand beside the tables of whoever uses
the database. Values are ASCII JSON text; times are seconds since the epoch
(UTC, double precision), which sort and compare alike on every database and
know no time zone. Foreign keys delete what hangs below a deleted row.
"""

from __future__ import annotations

import typing

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from taskflow_service.persistence import rows
from taskflow_service.persistence import unit

PREFIX = 'tfs_'
VERSION_TABLE = PREFIX + 'alembic_version'

metadata = sa.MetaData(
    naming_convention={
        'ix': 'ix_%(table_name)s_%(column_0_N_name)s',
        'uq': 'uq_%(table_name)s_%(column_0_N_name)s',
        'fk': 'fk_%(table_name)s_%(column_0_N_name)s',
        'pk': 'pk_%(table_name)s',
    }
)

# MySQL's TEXT ends at 64 KiB.
_Value = sa.Text().with_variant(mysql.LONGTEXT(), 'mysql', 'mariadb')
# SQLite numbers rows by itself only in a column of this very type.
_Number = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
# Names compare by their code points, and case counts.
_MYSQL: dict[str, typing.Any] = {
    'mysql_engine': 'InnoDB',
    'mysql_charset': 'utf8mb4',
    'mysql_collate': 'utf8mb4_bin',
}


def _uuid(name: str, **options: typing.Any) -> sa.Column[typing.Any]:
    return sa.Column(name, sa.String(64), **options)


def _time(name: str, **options: typing.Any) -> sa.Column[typing.Any]:
    return sa.Column(name, sa.Double(), **options)


def _count(name: str) -> sa.Column[typing.Any]:
    return sa.Column(
        name, sa.BigInteger(), nullable=False, server_default=sa.text('0')
    )


def _of_flow(name: str = 'flow_uuid') -> sa.Column[typing.Any]:
    return sa.Column(
        name,
        sa.String(64),
        sa.ForeignKey(f'{PREFIX}flow_details.uuid', ondelete='CASCADE'),
        nullable=False,
    )


logbooks = sa.Table(
    f'{PREFIX}logbooks',
    metadata,
    _uuid('uuid', primary_key=True),
    sa.Column('name', sa.String(255), nullable=True),
    sa.Column('meta', _Value),
    _time('created_at', nullable=False),
    _time('updated_at'),
    sa.Index(None, 'name'),
    sa.Index(None, 'created_at', 'uuid'),
    **_MYSQL,
)

flows = sa.Table(
    f'{PREFIX}flow_details',
    metadata,
    _uuid('uuid', primary_key=True),
    sa.Column(
        'parent',
        sa.String(64),
        sa.ForeignKey(logbooks.c.uuid, ondelete='CASCADE'),
        nullable=False,
    ),
    sa.Column('name', sa.String(255), nullable=True),
    sa.Column('state', sa.String(32)),
    sa.Column('meta', _Value),
    _uuid('owner'),
    _count('epoch'),
    _count('turn'),
    sa.Column('asked', sa.String(32)),
    _time('deadline'),
    _time('next_action_at'),
    sa.Column('project', sa.String(64)),
    _time('created_at', nullable=False),
    _time('updated_at'),
    _time('ended_at'),
    sa.Index(None, 'parent', 'created_at', 'uuid'),
    sa.Index(None, 'state', 'next_action_at'),
    sa.Index(None, 'state', 'ended_at'),
    sa.Index(None, 'state', 'created_at', 'uuid'),
    sa.Index(None, 'ended_at'),
    sa.Index(None, 'created_at', 'uuid'),
    sa.Index(None, 'owner'),
    sa.Index(None, 'name', 'created_at', 'uuid'),
    **_MYSQL,
)

atoms = sa.Table(
    f'{PREFIX}atom_details',
    metadata,
    # Gives the order in which a flow's atoms were added.
    sa.Column('id', _Number, primary_key=True, autoincrement=True),
    _of_flow(),
    _uuid('uuid', nullable=False),
    sa.Column('name', sa.String(255), nullable=True),
    sa.Column('kind', sa.String(16), nullable=False),
    sa.Column('version', sa.String(64)),
    sa.Column('state', sa.String(32)),
    sa.Column('intention', sa.String(16)),
    _count('attempt'),
    _count('losses'),
    sa.Column('direction', sa.String(16)),
    _uuid('request_uuid'),
    sa.Column('worker', sa.String(255)),
    _uuid('incarnation'),
    _time('start_by'),
    _time('finish_by'),
    _time('not_before'),
    _time('started_at'),
    _time('finished_at'),
    sa.Column('seq', sa.BigInteger()),
    sa.Column('results', _Value),
    sa.Column('failure', _Value),
    sa.Column('revert_results', _Value),
    sa.Column('revert_failure', _Value),
    sa.Column('meta', _Value),
    sa.UniqueConstraint('flow_uuid', 'uuid'),
    sa.Index(None, 'uuid'),
    sqlite_autoincrement=False,
    **_MYSQL,
)

tries = sa.Table(
    f'{PREFIX}tries',
    metadata,
    _of_flow(),
    _uuid('atom_uuid', nullable=False),
    sa.Column('number', sa.BigInteger(), nullable=False),
    sa.Column('value', _Value),
    sa.Column('failures', _Value),
    sa.PrimaryKeyConstraint('flow_uuid', 'atom_uuid', 'number'),
    **_MYSQL,
)

#: One row and one lease per engine process.
owners = sa.Table(
    f'{PREFIX}owners',
    metadata,
    _uuid('uuid', primary_key=True),
    sa.Column('name', sa.String(255)),
    # Renewed by counting up: who watches the row sees it change, and needs
    # no clock in common with its owner.
    _count('renewals'),
    # How often flows were taken from this owner.
    _count('claims'),
    sa.Column('lease', sa.Double(), nullable=False),
    _time('renewed_at'),
    **_MYSQL,
)

#: Outcomes that were refused: evidence, deleted with their flow.
late_outcomes = sa.Table(
    f'{PREFIX}late_outcomes',
    metadata,
    _of_flow(),
    _uuid('request_uuid', nullable=False),
    sa.Column('atom_name', sa.String(255)),
    sa.Column('worker', sa.String(255)),
    _uuid('incarnation'),
    sa.Column('outcome', _Value),
    _time('received_at'),
    sa.PrimaryKeyConstraint('flow_uuid', 'request_uuid'),
    **_MYSQL,
)

BOOK_COLUMNS = tuple(logbooks.c[name] for name in rows.BOOK_COLUMNS)
FLOW_COLUMNS = tuple(flows.c[name] for name in rows.FLOW_COLUMNS)
ATOM_COLUMNS = tuple(atoms.c[name] for name in unit.ATOM_COLUMNS)
TRY_COLUMNS = tuple(tries.c[name] for name in unit.TRY_COLUMNS)
