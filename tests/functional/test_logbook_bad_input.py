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

"""Databases that let nobody in, or let nothing be written."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import resource
import threading
import typing

import fixtures
from oslotest import base
import sqlalchemy as sa

from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import task
from taskflow_service.patterns import linear_flow
from taskflow_service.persistence import backends
from taskflow_service.persistence import models
from tests import servers

PATIENCE = 60


class Step(task.Task):
    """Counts itself; may call something."""

    def __init__(
        self,
        name: str,
        done: list[str],
        call: typing.Callable[[], object] | None = None,
    ) -> None:
        super().__init__(name)
        self._done = done
        self._call = call

    def execute(self) -> str:
        self._done.append(self.name)
        if self._call is not None:
            self._call()
        return self.name


class Heard(logging.Handler):
    """Calls something when it is said that the logbook is away."""

    def __init__(self, call: typing.Callable[[], object]) -> None:
        super().__init__()
        self._call = call

    def emit(self, record: logging.LogRecord) -> None:
        if 'cannot be reached' in record.getMessage():
            self._call()


@contextlib.contextmanager
def when_away(call: typing.Callable[[], object]) -> typing.Iterator[None]:
    """Have something called when a loop finds its logbook away."""
    logger = logging.getLogger('taskflow_service.engines.commits')
    heard = Heard(call)
    logger.addHandler(heard)
    try:
        yield
    finally:
        logger.removeHandler(heard)


def as_user(url: str, user: str, password: str) -> str:
    """Name another user in a url."""
    changed = sa.make_url(url).set(username=user, password=password)
    return changed.render_as_string(hide_password=False)


class BadInputTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.done: list[str] = []

    def _backend(self, url: str) -> typing.Any:
        backend = backends.fetch(url)
        self.addCleanup(backend.close)
        return backend

    def _sql(self, url: str, *statements: str) -> None:
        engine = sa.create_engine(url, isolation_level='AUTOCOMMIT')
        with contextlib.closing(engine.connect()) as conn:
            for statement in statements:
                conn.exec_driver_sql(statement)
        engine.dispose()

    # Who is not let in

    def _not_let_in(self, url: str) -> None:
        backend = self._backend(as_user(url, 'tfs_fred', 'wr0ng'))
        for call in (
            backend.get_connection().validate,
            backend.get_connection().upgrade,
            backend.open_writer,
            lambda: engines.load(task.FunctorTask(print), backend=backend),
        ):
            error = self.assertRaises(exceptions.ConfigurationError, call)
            self.assertNotIn('\n', str(error))
            self.assertNotIn('wr0ng', str(error))
            for word in ('[database] connection', 'tfs_fred', 'password'):
                self.assertIn(word, str(error))

    def test_a_wrong_password_of_postgresql(self) -> None:
        server = self.useFixture(servers.PostgreSQL(private=True))
        hba = server.server.folder / 'data' / 'pg_hba.conf'
        rule = 'host all tfs_fred 127.0.0.1/32 scram-sha-256\n'
        hba.write_text(rule + hba.read_text())
        self._sql(
            server.url,
            "CREATE USER tfs_fred PASSWORD 'right'",
            'SELECT pg_reload_conf()',
        )
        self._not_let_in(server.url)

    def test_a_wrong_password_of_mariadb(self) -> None:
        url = self.useFixture(servers.MariaDB()).url
        self.addCleanup(self._sql, url, "DROP USER IF EXISTS 'tfs_fred'@'%%'")
        self._sql(
            url,
            "CREATE OR REPLACE USER 'tfs_fred'@'%%' IDENTIFIED BY 'right'",
        )
        self._not_let_in(url)

    # Where nothing can be written

    def _read_only_at_start(self, backend: typing.Any) -> None:
        error = self.assertRaises(
            exceptions.StorageOutage,
            engines.load,
            linear_flow.Flow('f').add(Step('a', self.done)),
            backend=backend,
        )
        self.assertNotIn('\n', str(error))
        self.assertIn('read-only', str(error))
        self.assertEqual([], backend.get_connection().find_flows())
        self.assertEqual([], list(backend.get_connection().get_logbooks()))

    def _goes_on(
        self,
        backend: typing.Any,
        begin: typing.Callable[[], object],
        end: typing.Callable[[], object],
    ) -> None:
        """Have nothing be written from the middle of a flow on, and again."""
        flow = linear_flow.Flow('f').add(
            Step('a', self.done), Step('b', self.done, begin)
        )
        flow.add(Step('c', self.done))
        engine = engines.load(flow, backend=backend)
        with when_away(end):
            engine.run()
        self.assertEqual(['a', 'b', 'c'], self.done)
        [stored] = backend.get_connection().find_flows()
        self.assertEqual('SUCCESS', stored.state)

    def test_a_postgresql_that_is_read_only(self) -> None:
        url = self.useFixture(servers.PostgreSQL()).url
        self._backend(url).get_connection().upgrade()
        name = sa.make_url(url).database
        turn = f'ALTER DATABASE {name} SET default_transaction_read_only = '

        def switch(to: str) -> None:
            # What is connected keeps what it had.
            self._sql(
                url,
                'SET default_transaction_read_only = off',
                turn + to,
                'SELECT pg_terminate_backend(pid) FROM pg_stat_activity '
                f"WHERE datname = '{name}' AND pid <> pg_backend_pid()",
            )

        switch('on')
        self._read_only_at_start(self._backend(url))
        switch('off')
        self._goes_on(
            self._backend(url), lambda: switch('on'), lambda: switch('off')
        )

    def test_a_mariadb_that_is_read_only(self) -> None:
        url = self.useFixture(servers.MariaDB(private=True)).url
        self._backend(url).get_connection().upgrade()
        self._sql(
            url,
            "CREATE USER 'tfs_fred'@'%%' IDENTIFIED BY 'right'",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON *.* TO 'tfs_fred'@'%%'",
        )
        backend = self._backend(as_user(url, 'tfs_fred', 'right'))

        def switch(to: str) -> None:
            self._sql(url, f'SET GLOBAL read_only = {to}')

        switch('ON')
        self._read_only_at_start(backend)
        switch('OFF')
        self._goes_on(backend, lambda: switch('ON'), lambda: switch('OFF'))

    def test_a_sqlite_that_is_read_only(self) -> None:
        path = f'{self.useFixture(fixtures.TempDir()).path}/logbook.sqlite'
        self._backend(f'sqlite:///{path}').get_connection().upgrade()
        self._read_only_at_start(
            self._backend(f'sqlite:///file:{path}?mode=ro&uri=true')
        )

    def test_a_disk_that_is_full(self) -> None:
        # As a process meets it that may write no larger files.
        path = f'{self.useFixture(fixtures.TempDir()).path}/logbook.sqlite'
        url = f'sqlite:///{path}'
        self._backend(url).get_connection().upgrade()
        child = multiprocessing.get_context('fork').Process(
            target=self._with_a_full_disk, args=(url, path)
        )
        child.start()
        child.join(PATIENCE)
        self.assertEqual(0, child.exitcode)

    def _with_a_full_disk(self, url: str, path: str) -> None:
        _soft, most = resource.getrlimit(resource.RLIMIT_FSIZE)

        def fill() -> None:
            size = os.stat(f'{path}-wal').st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))

        def empty() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

        backend = backends.fetch(url)
        connection = backend.get_connection()
        connection.save_logbook(models.LogBook('book', 'book'))
        kept = backend.engine.connect()
        fill()
        error = self.assertRaises(
            exceptions.StorageOutage,
            engines.load,
            linear_flow.Flow('f').add(Step('a', self.done)),
            backend=backend,
        )
        self.assertIn('disk', str(error))
        empty()
        self.assertEqual([], connection.find_flows())
        self._goes_on(backend, fill, empty)
        kept.close()

    def test_a_disk_that_stays_full_is_waited_for(self) -> None:
        # Nothing is reverted, however long it lasts.
        path = f'{self.useFixture(fixtures.TempDir()).path}/logbook.sqlite'
        backend = self._backend(f'sqlite:///{path}')
        backend.get_connection().upgrade()
        tries: list[int] = []
        enough = threading.Event()

        def full(conn, cursor, statement, *args):  # type: ignore[no-untyped-def]
            if 'UPDATE tfs_flow_details' in statement and self.done:
                tries.append(1)
                if len(tries) < 4:
                    raise backend.engine.dialect.loaded_dbapi.OperationalError(
                        'database or disk is full'
                    )
                enough.set()

        engine = engines.load(
            linear_flow.Flow('f').add(
                Step('a', self.done), Step('b', self.done)
            ),
            backend=backend,
        )
        sa.event.listen(backend.engine, 'before_cursor_execute', full)
        engine.run()
        self.assertTrue(enough.is_set())
        self.assertEqual(['a', 'b'], self.done)
