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


"""The schema's versions, by alembic, in a version table of their own."""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
import functools
import pathlib
import threading

import alembic.command
import alembic.config
import alembic.script
import sqlalchemy as sa

from taskflow_service import exceptions
from taskflow_service.persistence.backends.sqlalchemy import dialects
from taskflow_service.persistence.backends.sqlalchemy import schema

_SCRIPTS = pathlib.Path(__file__).parent / 'alembic'
_alembic = threading.Lock()
_LOCK = 'tfs_migration'
#: Seconds to wait for another process's migration.
_LOCK_TIMEOUT = 300


def _config() -> alembic.config.Config:
    config = alembic.config.Config()
    config.set_main_option('script_location', str(_SCRIPTS).replace('%', '%%'))
    return config


@functools.cache
def _versions() -> tuple[str, ...]:
    """Name the versions that this code knows, the newest first."""
    scripts = alembic.script.ScriptDirectory.from_config(_config())
    return tuple(script.revision for script in scripts.walk_revisions())


def head() -> str:
    """Name the newest version that this code knows."""
    return _versions()[0]


def version(conn: sa.Connection) -> str | None:
    """Name the version of a database, None for one without a schema."""
    if not sa.inspect(conn).has_table(schema.VERSION_TABLE):
        return None
    table = sa.table(schema.VERSION_TABLE, sa.column('version_num'))
    found: str | None = conn.execute(sa.select(table.c.version_num)).scalar()
    return found


def is_known(found: str | None) -> bool:
    """Whether this code knows a version; it knows that there is none."""
    return found is None or found in _versions()


def check(conn: sa.Connection) -> None:
    """Raise SchemaMismatch unless the database has the newest version.

    The message names the version that was found and what to do.
    """
    found = version(conn)
    newest = head()
    if found == newest:
        return
    if found is None:
        raise exceptions.SchemaMismatch(
            'The database has no logbook schema (this code needs version '
            f'{newest}): run taskflow-manage db sync'
        )
    if is_known(found):
        raise exceptions.SchemaMismatch(
            f'The schema of the database is version {found}, older than '
            f'version {newest} of this code: run taskflow-manage db sync'
        )
    raise exceptions.SchemaMismatch(
        f'The schema of the database is version {found}, which this code '
        f'does not know (its newest is {newest}): upgrade taskflow-service on '
        'this host'
    )


def db_sync(conn: sa.Connection | sa.Engine, revision: str = 'head') -> None:
    """Bring a database to a version; blocks.

    Of several processes that do so at once, all but one wait and find it
    done. Raises SchemaMismatch if the database is newer than this code.
    """
    if isinstance(conn, sa.Engine):
        with conn.connect() as opened:
            db_sync(opened.execution_options(**{dialects.WRITES: True}))
        return
    config = _config()
    # alembic keeps what it works on in globals.
    with _alembic, conn.begin():
        with _locked(conn):
            if not is_known(version(conn)):
                check(conn)
            config.attributes['connection'] = conn
            alembic.command.upgrade(config, revision)


@contextlib.contextmanager
def _locked(conn: sa.Connection) -> Iterator[None]:
    """Keep other migrations out. SQLite's transaction does by itself."""
    if conn.dialect.name == 'postgresql':
        conn.execute(
            sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(_LOCK)))
        )
        yield
    elif conn.dialect.name == 'mysql':
        # Its statements commit by themselves; this lock is the session's.
        lock = sa.func.get_lock(_LOCK, _LOCK_TIMEOUT)
        if not conn.execute(sa.select(lock)).scalar():
            raise exceptions.StorageFailure(
                'Another process has been changing the schema for '
                f'{_LOCK_TIMEOUT} s; see SHOW PROCESSLIST'
            )
        try:
            yield
        finally:
            conn.execute(sa.select(sa.func.release_lock(_LOCK)))
    else:
        yield
