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


"""What differs between database servers: engines, and what errors mean.

Engines come from oslo.db with ``max_retries=0``: how long to wait for a
server is the loop's decision, and a connection that cannot be made is told
from a statement that was refused here, in one place.
"""

from __future__ import annotations

from collections.abc import Iterator
import enum
import sqlite3
import typing
import uuid

from oslo_db import exception as db_exc
from oslo_db.sqlalchemy import engines
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy import exc as sa_exc

from taskflow_service import exceptions

#: Seconds for which SQLite waits for another process's write to end.
BUSY_TIMEOUT = 30.0

#: What a database call may raise.
ERRORS: tuple[type[Exception], ...] = (db_exc.DBError, sa_exc.SQLAlchemyError)

#: Marks a connection whose SQLite transactions begin as writes.
WRITES = 'tfs_writes'

_DRIVERS = {'postgresql': 'psycopg', 'mysql': 'pymysql'}
#: What a URL says unless it says otherwise: no call waits for ever for a
#: host that has gone.
_PARAMETERS = {
    'postgresql': {
        'connect_timeout': '10',
        'keepalives_idle': '15',
        'keepalives_interval': '5',
        'keepalives_count': '3',
        'tcp_user_timeout': '30000',
    },
    'mysql': {
        'charset': 'utf8mb4',
        'connect_timeout': '10',
        'read_timeout': '60',
        'write_timeout': '60',
    },
}
_EXTRAS = {'postgresql': 'postgresql', 'mysql': 'mysql'}
_KNOWN = ('sqlite', 'postgresql', 'mysql')


class Meaning(enum.Enum):
    """What an error says about the unit that met it."""

    CONFLICT = 'conflict'  # rolled back for another's sake: do it again
    LOST = 'lost'  # the connection is gone, the unit's fate unknown
    OUTAGE = 'outage'  # the server is there and can write nothing
    REFUSED = 'refused'  # this very statement is not accepted


class Conflict(exceptions.StorageOutage):
    """A transaction was rolled back for the sake of another one."""


def make_url(text: str) -> sa.URL:
    """Parse a database URL and choose its driver.

    Raises ConfigurationError for one that cannot be used.
    """
    try:
        url = sa.make_url(text)
    except sa_exc.ArgumentError as error:
        raise _unusable(
            'it is no database URL; write dialect+driver://user:password'
            '@host/database',
            error,
        ) from error
    dialect, _, driver = url.drivername.partition('+')
    dialect = {'mariadb': 'mysql', 'postgres': 'postgresql'}.get(
        dialect, dialect
    )
    if dialect not in _KNOWN:
        raise _unusable(
            f"its dialect '{dialect}' is not supported; use one of "
            'sqlite, postgresql+psycopg, mysql+pymysql'
        )
    driver = driver or _DRIVERS.get(dialect, '')
    if dialect == 'sqlite':
        url = _sqlite_url(url)
    missing = {
        name: value
        for name, value in _PARAMETERS.get(dialect, {}).items()
        if name not in url.query
    }
    url = url.update_query_dict(missing)
    return url.set(drivername=f'{dialect}+{driver}' if driver else dialect)


def _sqlite_url(url: sa.URL) -> sa.URL:
    if url.database in (None, '', ':memory:'):
        # One database for all connections of this engine, each with locks
        # and transactions of its own, gone with the last of them.
        url = url.set(database=f'file:/tfs-{uuid.uuid4()}').update_query_dict(
            {'vfs': 'memdb', 'uri': 'true'}
        )
    # A writer is made in one thread and used in another, by one at a time.
    return url.update_query_dict({'check_same_thread': 'false'})


def is_transient(url: sa.URL) -> bool:
    """Whether the database is gone with its last connection."""
    return url.query.get('vfs') == 'memdb'


def create_engine(
    url: sa.URL, options: typing.Mapping[str, typing.Any]
) -> sa.Engine:
    """Make an engine by oslo.db; does not connect.

    :param options: keywords of ``oslo_db.sqlalchemy.engines.create_engine``

    Raises ConfigurationError where the driver is not installed.
    """
    dialect = url.get_backend_name()
    try:
        engine: sa.Engine = engines.create_engine(
            url.render_as_string(hide_password=False),
            max_retries=0,
            sqlite_fk=True,
            **options,
        )
    except (ImportError, sa_exc.NoSuchModuleError) as error:
        extra = _EXTRAS.get(dialect)
        hint = (
            f'install it (pip install taskflow-service[{extra}])'
            if extra
            else 'install it'
        )
        raise _unusable(
            f"the driver of '{url.drivername}' is missing: {hint}", error
        ) from error
    # Rows hold the values of tasks, which do not belong into a log.
    engine.hide_parameters = True
    if dialect == 'sqlite':
        event.listen(engine, 'connect', _sqlite_connected)
        # In place of oslo.db's, which begins every transaction as a read:
        # SQLAlchemy 2.1 does not let a listener come before another.
        for listener in list(engine.dispatch.begin):
            event.remove(engine, 'begin', listener)
        event.listen(engine, 'begin', _sqlite_begin)
    elif dialect == 'postgresql':
        event.listen(engine, 'connect', _postgresql_connected)
    elif dialect == 'mysql':
        event.listen(engine, 'connect', _mysql_connected)
    return engine


def _sqlite_connected(dbapi: typing.Any, record: typing.Any) -> None:
    # Set first: to switch to WAL mode takes a lock.
    dbapi.execute(f'PRAGMA busy_timeout = {int(BUSY_TIMEOUT * 1000)}')
    dbapi.execute('PRAGMA journal_mode = WAL').fetchone()
    dbapi.execute('PRAGMA synchronous = FULL')


def _sqlite_begin(conn: sa.Connection) -> None:
    dbapi = typing.cast(sqlite3.Connection, conn.connection.dbapi_connection)
    if dbapi.in_transaction:
        return
    # A deferred transaction that comes to write fails at once, whatever the
    # busy timeout, when another has written since it began to read.
    writes = conn.get_execution_options().get(WRITES)
    text = 'BEGIN IMMEDIATE' if writes else 'BEGIN'
    try:
        # By the driver: SQLAlchemy's way round it costs a tenth of a commit.
        dbapi.execute(text)
    except sqlite3.Error as error:
        raise sa_exc.OperationalError(text, None, error) from error


def _postgresql_connected(dbapi: typing.Any, record: typing.Any) -> None:
    # Every statement here has an index to go by. Without statistics the
    # planner reads the whole of a table that was small when the statement was
    # prepared, and keeps that plan while the table grows, until the server
    # next analyzes it. What has no index (the few owners) costs so much on
    # paper then that it would be compiled.
    cursor = dbapi.cursor()
    for setting in ('enable_seqscan', 'jit'):
        cursor.execute(f"SELECT set_config('{setting}', 'off', false)")
    cursor.close()
    dbapi.commit()


def _mysql_connected(dbapi: typing.Any, record: typing.Any) -> None:
    cursor = dbapi.cursor()
    cursor.execute('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED')
    cursor.close()


def packet_limit(conn: sa.Connection) -> int | None:
    """Ask the server how long a statement may be, in bytes; None: no end."""
    if conn.dialect.name != 'mysql':
        return None
    limit = conn.exec_driver_sql('SELECT @@max_allowed_packet').scalar()
    return int(limit or 0) or None


# What errors mean


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Go from oslo.db's error down to the driver's own."""
    at: BaseException | None = error
    while at is not None:
        yield at
        at = getattr(at, 'inner_exception', None) or getattr(at, 'orig', None)


def _codes(error: BaseException) -> Iterator[str | int]:
    """Give the server's codes: SQLSTATEs of PostgreSQL, MySQL's numbers."""
    for each in _chain(error):
        state = getattr(each, 'sqlstate', None) or getattr(
            each, 'pgcode', None
        )
        if isinstance(state, str):
            yield state
        args = getattr(each, 'args', ())
        if args and isinstance(args[0], int):
            yield args[0]


_CONFLICTS = {
    '40001',  # serialization failure
    '40P01',  # deadlock
    '55P03',  # lock not available
    '57014',  # cancelled, by a statement timeout or by hand
    1020,  # record has changed since it was read
    1205,  # lock wait timeout
    1213,  # deadlock; of Galera also: another node was first
    1317,  # interrupted
    1969,  # statement timeout
}
_OUTAGES = {
    '53000',  # insufficient resources
    '53100',  # disk full
    '53200',  # out of memory
    '53300',  # too many connections
    '25006',  # read only: a standby
    '57P01',
    '57P02',
    '57P03',  # cannot connect now
    1021,  # disk full
    1026,  # error writing a file
    1030,  # error from the storage engine
    1040,  # too many connections
    1047,  # a Galera node without a majority
    1114,  # table is full
    1180,  # COMMIT failed; of Galera: on a node that lost its majority
    1290,  # read only
    1836,  # read only
}
_SQLITE_OUTAGES = (
    'database is locked',
    'database table is locked',
    'disk is full',
    'disk i/o error',
    'readonly database',
    'read-only',
    'unable to open database file',
)


def meaning(error: BaseException) -> Meaning:
    """Tell what an error of a transaction means for its unit."""
    if isinstance(error, db_exc.DBDeadlock):
        return Meaning.CONFLICT
    codes = set(_codes(error))
    if codes & _CONFLICTS:
        return Meaning.CONFLICT
    if codes & _OUTAGES:
        return Meaning.OUTAGE
    text = str(error).lower()
    if '(sqlite3.' in text or 'sqlite' in type(error).__module__:
        if any(each in text for each in _SQLITE_OUTAGES):
            return Meaning.OUTAGE
    if isinstance(
        error,
        db_exc.DBConnectionError
        | sa_exc.TimeoutError
        | sa_exc.InterfaceError
        | ConnectionError
        | TimeoutError,
    ) or getattr(error, 'connection_invalidated', False):
        return Meaning.LOST
    return Meaning.REFUSED


def root(error: BaseException) -> BaseException:
    """Give the driver's own error, which knows nothing of the statement."""
    return list(_chain(error))[-1]


def one_line(error: BaseException) -> str:
    """Put an error's own words on one line, without the statement."""
    last = root(error)
    # What PostgreSQL says besides shows the values of the row.
    primary = getattr(getattr(last, 'diag', None), 'message_primary', None)
    if primary:
        return ' '.join(primary.split())
    words = last.args[-1] if last.args else last
    return ' '.join(str(words or type(last).__name__).split())


def failure(error: BaseException) -> exceptions.StorageFailure:
    """Make the error to raise for a call that failed."""
    found = meaning(error)
    text = one_line(error)
    if found is Meaning.REFUSED:
        return exceptions.StorageFailure(f'The database call failed: {text}')
    if found is Meaning.OUTAGE:
        return exceptions.StorageOutage(
            f'The database can write nothing for now: {text}; check that its '
            'disk is not full, and that neither it nor this user is read-only'
        )
    kind = Conflict if found is Meaning.CONFLICT else exceptions.StorageOutage
    return kind(f'The database call failed: {text}')


def explain(error: BaseException, url: sa.URL) -> exceptions.TaskFlowException:
    """Make the error to show for a connection that could not be made."""
    codes = set(_codes(error))
    text = one_line(error)
    where = url.set(query={}).render_as_string(hide_password=True)
    lower = text.lower()
    if (
        codes & {1045, 1698, '28P01', '28000'}
        or 'password authentication failed' in lower
        or 'no password supplied' in lower
    ):
        return _unusable(
            f'the server at {url.host} refuses user {url.username}: {text}; '
            'correct the user name and password',
            error,
        )
    if (
        codes & {1049, '3D000'}
        or ('database "' in lower and 'does not exist' in lower)
        or 'unknown database' in lower
    ):
        return _unusable(
            f"the server at {url.host} has no database '{url.database}'; "
            'create it, then run taskflow-manage db sync',
            error,
        )
    if isinstance(error, sa_exc.TimeoutError):
        return exceptions.StorageOutage(
            f'No connection to {where} came free: {text}; raise [database] '
            'max_pool_size or max_overflow'
        )
    if url.get_backend_name() == 'sqlite':
        return _unusable(
            f"the SQLite file '{url.database}' cannot be used: {text}; check "
            'that its directory exists and that this user may write there',
            error,
        )
    return exceptions.StorageOutage(
        f'Cannot reach the database {where}: {text}; check that the server '
        'runs and that [database] connection names it'
    )


def _unusable(
    reason: str, error: BaseException | None = None
) -> exceptions.ConfigurationError:
    made = exceptions.ConfigurationError(
        f'[database] connection: {reason}', option='[database] connection'
    )
    made.__cause__ = error
    return made
