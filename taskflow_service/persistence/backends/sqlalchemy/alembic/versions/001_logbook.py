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


"""The logbook: books, flows, atoms, tries, owners, late outcomes."""

from __future__ import annotations

import typing

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

revision = '001'
down_revision = None
branch_labels = None
depends_on = None

_VALUE = sa.Text().with_variant(mysql.LONGTEXT(), 'mysql', 'mariadb')
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
_OPTIONS: dict[str, typing.Any] = {
    'mysql_engine': 'InnoDB',
    'mysql_charset': 'utf8mb4',
    'mysql_collate': 'utf8mb4_bin',
}


def _count(name: str) -> sa.Column[typing.Any]:
    return sa.Column(
        name, sa.BigInteger(), nullable=False, server_default=sa.text('0')
    )


def _of_flow(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ['flow_uuid'],
        ['tfs_flow_details.uuid'],
        name=f'fk_{table}_flow_uuid',
        ondelete='CASCADE',
    )


def upgrade() -> None:
    """Make the tables."""
    _books_and_flows()
    _atoms_and_tries()
    _owners_and_late_outcomes()
    if op.get_bind().dialect.name == 'postgresql':
        # Rows are updated soon after they were written: with room on their
        # page that touches no index.
        for table in ('tfs_flow_details', 'tfs_atom_details'):
            op.execute(f'ALTER TABLE {table} SET (fillfactor = 50)')


def _books_and_flows() -> None:
    op.create_table(
        'tfs_logbooks',
        sa.Column('uuid', sa.String(64), nullable=False),
        sa.Column('name', sa.String(255)),
        sa.Column('meta', _VALUE),
        sa.Column('created_at', sa.Double(), nullable=False),
        sa.Column('updated_at', sa.Double()),
        sa.PrimaryKeyConstraint('uuid', name='pk_tfs_logbooks'),
        **_OPTIONS,
    )
    _index('tfs_logbooks', 'name')
    _index('tfs_logbooks', 'created_at', 'uuid')
    op.create_table(
        'tfs_flow_details',
        sa.Column('uuid', sa.String(64), nullable=False),
        sa.Column('parent', sa.String(64), nullable=False),
        sa.Column('name', sa.String(255)),
        sa.Column('state', sa.String(32)),
        sa.Column('meta', _VALUE),
        sa.Column('owner', sa.String(64)),
        _count('epoch'),
        _count('turn'),
        sa.Column('asked', sa.String(32)),
        sa.Column('deadline', sa.Double()),
        sa.Column('next_action_at', sa.Double()),
        sa.Column('project', sa.String(64)),
        sa.Column('created_at', sa.Double(), nullable=False),
        sa.Column('updated_at', sa.Double()),
        sa.Column('ended_at', sa.Double()),
        sa.PrimaryKeyConstraint('uuid', name='pk_tfs_flow_details'),
        sa.ForeignKeyConstraint(
            ['parent'],
            ['tfs_logbooks.uuid'],
            name='fk_tfs_flow_details_parent',
            ondelete='CASCADE',
        ),
        **_OPTIONS,
    )
    _index('tfs_flow_details', 'parent', 'created_at', 'uuid')
    _index('tfs_flow_details', 'state', 'next_action_at')
    _index('tfs_flow_details', 'state', 'ended_at')
    _index('tfs_flow_details', 'state', 'created_at', 'uuid')
    _index('tfs_flow_details', 'ended_at')
    _index('tfs_flow_details', 'created_at', 'uuid')
    _index('tfs_flow_details', 'owner')
    _index('tfs_flow_details', 'name', 'created_at', 'uuid')


def _atoms_and_tries() -> None:
    op.create_table(
        'tfs_atom_details',
        sa.Column('id', _NUMBER, nullable=False, autoincrement=True),
        sa.Column('flow_uuid', sa.String(64), nullable=False),
        sa.Column('uuid', sa.String(64), nullable=False),
        sa.Column('name', sa.String(255)),
        sa.Column('kind', sa.String(16), nullable=False),
        sa.Column('version', sa.String(64)),
        sa.Column('state', sa.String(32)),
        sa.Column('intention', sa.String(16)),
        _count('attempt'),
        _count('losses'),
        sa.Column('direction', sa.String(16)),
        sa.Column('request_uuid', sa.String(64)),
        sa.Column('worker', sa.String(255)),
        sa.Column('incarnation', sa.String(64)),
        sa.Column('start_by', sa.Double()),
        sa.Column('finish_by', sa.Double()),
        sa.Column('not_before', sa.Double()),
        sa.Column('started_at', sa.Double()),
        sa.Column('finished_at', sa.Double()),
        sa.Column('seq', sa.BigInteger()),
        sa.Column('results', _VALUE),
        sa.Column('failure', _VALUE),
        sa.Column('revert_results', _VALUE),
        sa.Column('revert_failure', _VALUE),
        sa.Column('meta', _VALUE),
        sa.PrimaryKeyConstraint('id', name='pk_tfs_atom_details'),
        sa.UniqueConstraint(
            'flow_uuid', 'uuid', name='uq_tfs_atom_details_flow_uuid_uuid'
        ),
        _of_flow('tfs_atom_details'),
        **_OPTIONS,
    )
    _index('tfs_atom_details', 'uuid')
    op.create_table(
        'tfs_tries',
        sa.Column('flow_uuid', sa.String(64), nullable=False),
        sa.Column('atom_uuid', sa.String(64), nullable=False),
        sa.Column('number', sa.BigInteger(), nullable=False),
        sa.Column('value', _VALUE),
        sa.Column('failures', _VALUE),
        sa.PrimaryKeyConstraint(
            'flow_uuid', 'atom_uuid', 'number', name='pk_tfs_tries'
        ),
        _of_flow('tfs_tries'),
        **_OPTIONS,
    )


def _owners_and_late_outcomes() -> None:
    op.create_table(
        'tfs_owners',
        sa.Column('uuid', sa.String(64), nullable=False),
        sa.Column('name', sa.String(255)),
        _count('renewals'),
        _count('claims'),
        sa.Column('lease', sa.Double(), nullable=False),
        sa.Column('renewed_at', sa.Double()),
        sa.PrimaryKeyConstraint('uuid', name='pk_tfs_owners'),
        **_OPTIONS,
    )
    op.create_table(
        'tfs_late_outcomes',
        sa.Column('flow_uuid', sa.String(64), nullable=False),
        sa.Column('request_uuid', sa.String(64), nullable=False),
        sa.Column('atom_name', sa.String(255)),
        sa.Column('worker', sa.String(255)),
        sa.Column('incarnation', sa.String(64)),
        sa.Column('outcome', _VALUE),
        sa.Column('received_at', sa.Double()),
        sa.PrimaryKeyConstraint(
            'flow_uuid', 'request_uuid', name='pk_tfs_late_outcomes'
        ),
        _of_flow('tfs_late_outcomes'),
        **_OPTIONS,
    )


def _index(table: str, *columns: str) -> None:
    op.create_index(f'ix_{table}_{"_".join(columns)}', table, list(columns))
