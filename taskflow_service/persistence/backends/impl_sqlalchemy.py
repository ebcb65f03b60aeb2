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


"""Logbooks in a SQL database: SQLite, PostgreSQL, MySQL or MariaDB."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from collections.abc import Set
import contextlib
import functools
import os
import pathlib
import threading
import time
import typing

from oslo_config import cfg
import sqlalchemy as sa

from taskflow_service import conf as conf_mod
from taskflow_service import exceptions
from taskflow_service import identity
from taskflow_service import registry
from taskflow_service.persistence import base
from taskflow_service.persistence import connection
from taskflow_service.persistence import leases
from taskflow_service.persistence import ownership
from taskflow_service.persistence import unit
from taskflow_service.persistence.backends.sqlalchemy import desk
from taskflow_service.persistence.backends.sqlalchemy import dialects
from taskflow_service.persistence.backends.sqlalchemy import migration
from taskflow_service.persistence.backends.sqlalchemy import one_statement
from taskflow_service.persistence.backends.sqlalchemy import owners
from taskflow_service.persistence.backends.sqlalchemy import queries
from taskflow_service.persistence.backends.sqlalchemy import row_by_row
from taskflow_service.persistence.backends.sqlalchemy import statements
from taskflow_service.persistence.backends.sqlalchemy import store
from taskflow_service.persistence.backends.sqlalchemy import writer
from taskflow_service.serialization import classes
from taskflow_service.serialization import envelope

OwnershipFactory = Callable[[owners.Registry], ownership.Ownership]

#: The file under ``state_path`` where no database is configured.
FILE_NAME = 'logbook.sqlite'

#: Options of the dictionary (TaskFlow's first), and oslo.db's words for them.
_OPTIONS = {
    'idle_timeout': 'connection_recycle_time',
    'max_pool_size': 'max_pool_size',
    'max_overflow': 'max_overflow',
    'pool_timeout': 'pool_timeout',
    'mysql_sql_mode': 'mysql_sql_mode',
    'mysql_wsrep_sync_wait': 'mysql_wsrep_sync_wait',
    'connection_debug': 'connection_debug',
    'connection_trace': 'connection_trace',
    'connection_parameters': 'connection_parameters',
}
_DEFAULTS = {'mysql_sql_mode': 'TRADITIONAL'}

_DIALECTS: dict[str, type[statements.Statements]] = {
    'sqlite': row_by_row.SQLite,
    'mysql': row_by_row.MySQL,
    'postgresql': one_statement.PostgreSQL,
}

_MAX_VALUE_SIZE = 4 * 1024 * 1024


class SQLAlchemyBackend(base.Backend):
    """Keeps logbooks in the database of ``conf['connection']``.

    :param conf: ``connection`` (a URL) and TaskFlow's pool options, besides
        ``max_value_size`` (bytes) and ``make_schema`` (bring the schema up
        to date on first use)
    :param engine: an engine to share; it is not closed then
    :param conf_opts: where the owner lease, the state path and the allowed
        modules come from; by default none of them is configured
    :param make_ownership: makes who claims flows, by default this process
        under the name that it has in its state path
    """

    durable = True

    def __init__(
        self,
        conf: Mapping[str, typing.Any] | None = None,
        engine: sa.Engine | None = None,
        conf_opts: cfg.ConfigOpts | None = None,
        make_ownership: OwnershipFactory | None = None,
    ) -> None:
        super().__init__(conf)
        self._conf_opts = conf_opts
        self._make_ownership = make_ownership or self._of_process
        self._ownership: tuple[int, ownership.Ownership] | None = None
        self._owns_engine = engine is None
        if engine is None:
            url = dialects.make_url(str(self._conf.get('connection') or ''))
            engine = dialects.create_engine(url, self._engine_options())
        self._engine = engine
        self.dialect = _DIALECTS[engine.dialect.name]()
        self._max_value_size = int(
            self._conf.get('max_value_size') or _MAX_VALUE_SIZE
        )
        self._allowed = classes.Allowed(
            registry.allowed_modules(conf_opts or _default_opts())
        )
        self._desk = desk.Desk(
            writer.Committer(engine, self.dialect, self._driven, self._forget)
        )
        self._lock = threading.Lock()
        self._checked = False
        self._anchor: sa.Connection | None = None

    def _engine_options(self) -> dict[str, typing.Any]:
        options: dict[str, typing.Any] = dict(_DEFAULTS)
        for name, ours in _OPTIONS.items():
            if self._conf.get(name) is not None:
                options[ours] = self._conf[name]
        return options

    @classmethod
    def described(
        cls, conf: cfg.ConfigOpts, make_schema: bool = False
    ) -> SQLAlchemyBackend:
        """Make the backend of [persistence] and [database].

        Does not connect. Without ``[database] connection`` it is a SQLite
        file under ``state_path``, whose schema is made on first use if
        ``make_schema`` is.
        """
        options = {
            name: conf.database[ours]
            for name, ours in _OPTIONS.items()
            if ours in conf.database
        }
        options['max_value_size'] = conf.persistence.max_value_size
        options['connection'] = conf.database.connection
        if not options['connection']:
            path = identity.state_path(conf)
            options['connection'] = f'sqlite:///{path / FILE_NAME}'
            options['make_schema'] = make_schema
        return cls(options, conf_opts=conf)

    @classmethod
    def from_conf(
        cls, conf: cfg.ConfigOpts, upgrade: bool = False
    ) -> SQLAlchemyBackend:
        """Make the backend of the configuration; connect and check it."""
        made = cls.described(conf, make_schema=True)
        try:
            if upgrade:
                with contextlib.closing(made.get_connection()) as connection:
                    connection.upgrade()
            made.ready()
        except BaseException:
            made.close()
            raise
        return made

    @property
    def engine(self) -> sa.Engine:
        """The SQLAlchemy engine."""
        return self._engine

    def pack(self, value: typing.Any) -> str:
        """Turn a value into ASCII JSON text.

        Raises ValueNotStorable, or ValueTooLarge beyond ``max_value_size``.
        """
        return envelope.dumps(value, max_size=self._max_value_size)

    def unpack(self, packed: typing.Any) -> typing.Any:
        """Turn such text back into the value; ValueUnreadable if it fails."""
        return envelope.loads(packed, allowed=self._allowed)

    def connect(self) -> sa.Connection:
        """Take a connection out of the pool.

        Raises ConfigurationError or StorageOutage, saying what to do.
        """
        try:
            if self._anchor is None and dialects.is_transient(
                self._engine.url
            ):
                self._anchor = self._engine.connect()
            return self._engine.connect()
        except Exception as error:
            raise dialects.explain(error, self._engine.url) from error

    def exists(self) -> bool:
        """Whether there is anything to connect to: a SQLite file may not be.

        To connect would make an empty one.
        """
        path = self._engine.url.database
        if self._engine.dialect.name != 'sqlite' or not path:
            return True
        return path.startswith('file:') or pathlib.Path(path).exists()

    def ready(self) -> None:
        """Reach the database and check it, once; blocks.

        Raises ConfigurationError, SchemaMismatch or StorageOutage.
        """
        if self._checked:
            return
        with self._lock:
            if self._conf.get('make_schema'):
                self._make_schema()
            with self.connect() as conn:
                migration.check(conn)
                self.check_server(conn)
            self._checked = True

    def _make_schema(self) -> None:
        """Make the schema where there is none yet, or an older one."""
        path = self._engine.url.database
        if self._engine.dialect.name == 'sqlite' and path:
            pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        with self.connect() as conn:
            found = migration.version(conn)
        if found != migration.head():
            self._upgrade()

    def check_server(self, conn: sa.Connection) -> None:
        """Raise ConfigurationError if the server takes no such values."""
        limit = dialects.packet_limit(conn)
        if limit is None or self._max_value_size <= limit // 2:
            return
        raise exceptions.ConfigurationError(
            f'[persistence] max_value_size is {self._max_value_size}, more '
            f"than half of the server's max_allowed_packet ({limit}): lower "
            'the one or raise the other',
            option='[persistence] max_value_size',
        )

    def upgrade(self) -> None:
        """Bring the schema to the newest version."""
        with self._lock:
            self._upgrade()

    def _upgrade(self) -> None:
        with self.connect() as conn:
            migration.db_sync(
                conn.execution_options(**{dialects.WRITES: True})
            )

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection within a transaction that only reads."""
        self.ready()
        with _translated(), self.connect() as conn:
            yield conn

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give a connection within a transaction that is committed."""
        self.ready()
        with _translated(), self.connect() as conn:
            conn = conn.execution_options(**{dialects.WRITES: True})
            with conn.begin():
                yield conn

    def open_writer(self) -> base.Writer:
        """Make the writer of one loop."""
        self.ready()
        return desk.Writer(self._desk)

    def _driven(self, flow_uuids: Iterable[str]) -> Set[str]:
        if self._ownership is None:
            return frozenset()
        return self._ownership[1].driven(flow_uuids)

    def _forget(self, flow_uuids: Iterable[str]) -> None:
        if self._ownership is not None:
            self._ownership[1].forget(flow_uuids)

    def get_connection(self) -> base.Connection:
        """Open a connection; it does not reach the database yet."""
        return Connection(self)

    @property
    def claims(self) -> ownership.Ownership:
        """Who claims flows here: one per process, started by a claim."""
        with self._lock:
            # A forked child is another process, with no keeper.
            if self._ownership is None or self._ownership[0] != os.getpid():
                table = owners.Registry(self.reading, self.writing)
                made = self._make_ownership(table)
                self._ownership = os.getpid(), made
            return self._ownership[1]

    def _of_process(self, table: owners.Registry) -> ownership.Ownership:
        opts = self._conf_opts or _default_opts()
        who = identity.of_process(opts)
        return ownership.Ownership(
            table,
            who.incarnation,
            who.name,
            functools.partial(identity.proven_dead, opts),
            opts.engine.lease,
            opts.engine.claim_timeout,
        )

    def claim(
        self,
        flow_uuid: str,
        timeout: float | None = None,
        driver: leases.Driver | None = None,
    ) -> unit.Claim:
        """Become the owner of a flow; blocks up to ``timeout`` seconds."""
        self.ready()
        return self.claims.claim(flow_uuid, timeout, driver)

    def claim_free(
        self, drivers: Mapping[str, leases.Driver]
    ) -> Mapping[str, unit.Claim]:
        """Claim those of some flows that have no owner, in one commit."""
        self.ready()
        return self.claims.claim_free(drivers)

    def watch_owners(self) -> None:
        """Keep an eye on other processes, also while nothing is driven."""
        self.ready()
        self.claims.adopt()

    def is_gone(self, owner: str) -> bool:
        """Whether a process that owns flows is dead or silent for long."""
        return self.claims.is_gone(owner)

    def may_speak(self) -> bool:
        """Whether this process is sure to own the flows that it claimed."""
        return self.claims.may_speak()

    def release(self, claim: unit.Claim) -> None:
        """Give up a flow whose last change did not release it."""
        self.claims.release(claim)

    def purge(
        self,
        before: float,
        states: Sequence[str] | None = None,
    ) -> Iterator[int]:
        """Delete flows that ended before a time, batch by batch.

        Yields how many flows went with each batch, each of which is a
        transaction: a purge that was interrupted goes on where it was.
        Books that are left empty go too, and rows of processes that own
        nothing and have been gone for a day.
        """
        while True:
            with self.writing() as conn:
                done = queries.purge_batch(conn, before, states)
            if not done:
                break
            yield done
        with self.writing() as conn:
            queries.purge_owners(conn, time.time() - 86400)

    def count_ended(
        self, before: float, states: Sequence[str] | None = None
    ) -> int:
        """Count the flows that a purge would delete."""
        with self.reading() as conn:
            return queries.count_ended(conn, before, states)

    def close(self) -> None:
        """Stop keeping flows and close all connections; idempotent.

        Whoever goes on using it opens new ones.
        """
        with self._lock:
            kept, self._ownership = self._ownership, None
        if kept is not None and kept[0] == os.getpid():
            kept[1].close()
        self._desk.close()
        if self._anchor is not None:
            self._anchor.close()
            self._anchor = None
        if self._owns_engine:
            self._engine.dispose()


def _default_opts() -> cfg.ConfigOpts:
    opts = cfg.ConfigOpts()
    conf_mod.register_opts(opts)
    opts([], default_config_files=[], default_config_dirs=[])
    return opts


class Connection(connection.RowConnection):
    """TaskFlow's connection to a database."""

    _backend: SQLAlchemyBackend

    @property
    def engine(self) -> sa.Engine:
        """The SQLAlchemy engine."""
        return self._backend.engine

    def validate(self, max_retries: int = 0) -> None:
        """Raise if the database cannot be used as it stands."""
        self._backend.ready()

    def upgrade(self) -> None:
        """Bring the schema to the newest version."""
        self._backend.upgrade()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[connection.Store]:
        with self._backend.reading() as conn:
            yield store.Store(conn, self._backend.dialect)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[connection.Store]:
        with self._backend.writing() as conn:
            yield store.Store(conn, self._backend.dialect)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Make errors of the database ours."""
    try:
        yield
    except exceptions.TaskFlowException:
        raise
    except dialects.ERRORS as error:
        raise dialects.failure(error) from error
