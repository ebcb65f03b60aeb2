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
"""Real servers for the tests that need one: found, or started here.

Three fixtures, :class:`RabbitMQ`, :class:`PostgreSQL` and :class:`MariaDB`.
Each gives a ``url`` of its own - a new virtual host or a new database, gone
again after the test - so that tests do not see each other:

1. in the server that ``TFS_TEST_RABBITMQ_URL``, ``TFS_TEST_POSTGRESQL_URL``
   or ``TFS_TEST_MARIADB_URL`` names (its user may create databases);
2. else in an instance of the server's binaries, one for each test process;
3. else the test is skipped with the reason, or fails where ``TFS_REQUIRE``
   (``rabbitmq,postgresql,mariadb``) lists the server.

With ``private=True`` the fixture always starts an instance for this test
alone, in ``fixture.server``: that one may be stopped, killed, paused and
started again on the same port.
"""

from __future__ import annotations

import atexit
import os
import subprocess
from typing import ClassVar
import unittest
import uuid

import fixtures
import psycopg
import pymysql
import sqlalchemy as sa

from tests import instances

_LOCAL = frozenset({'', 'localhost', '127.0.0.1', '::1'})


class _Fixture(fixtures.Fixture):
    """What the three have in common: where the server comes from."""

    name: ClassVar[str]
    instance: ClassVar[type[instances.Instance]]
    _shared: ClassVar[dict[str, instances.Instance]] = {}

    url: str

    def __init__(self, private: bool = False) -> None:
        super().__init__()
        self.private = private
        #: The instance behind the url; None for a server found running.
        self.server: instances.Instance | None = None

    def setUp(self) -> None:
        """Find or start the server; SkipTest if there is none."""
        try:
            super().setUp()
        except fixtures.MultipleExceptions as error:
            # Only by itself, not as one of several, does it skip a test.
            for _kind, found, _traceback in error.args:
                if isinstance(found, unittest.SkipTest):
                    raise found from None
            raise

    def _setUp(self) -> None:
        self.url = self._make_room(self._server_url())

    def _server_url(self) -> str:
        if self.private:
            self.server = self._new_instance()
            self.addCleanup(self.server.remove)
            return self.server.url
        variable = f'TFS_TEST_{self.name.upper()}_URL'
        address = os.environ.get(variable)
        if address:
            try:
                self.instance.ping(address)
            except Exception as exc:
                self._give_up(f'{variable}: no answer from there: {exc}')
            return address
        if self.name not in self._shared:
            self._shared[self.name] = self._new_instance()
            atexit.register(self._shared[self.name].remove)
        self.server = self._shared[self.name]
        return self.server.url

    def _new_instance(self) -> instances.Instance:
        try:
            server = self.instance()
        except instances.NotInstalled as exc:
            self._give_up(f'no address in the environment, and {exc}')
        try:
            server.start()
        except Exception:
            server.remove()
            raise
        return server

    def _give_up(self, reason: str) -> None:
        required = os.environ.get('TFS_REQUIRE', '').replace(' ', '')
        if self.name in required.split(','):
            raise AssertionError(
                f'{self.name} is required (TFS_REQUIRE): {reason}'
            )
        raise unittest.SkipTest(f'{self.name}: {reason}')

    def _make_room(self, address: str) -> str:
        raise NotImplementedError


class PostgreSQL(_Fixture):
    """A new database in a PostgreSQL: ``url`` is for SQLAlchemy."""

    name = 'postgresql'
    instance = instances.PostgreSQL

    def _make_room(self, address: str) -> str:
        database = f'tfs_{uuid.uuid4().hex}'
        self._run(address, f'CREATE DATABASE {database}')
        self.addCleanup(self._drop, address, database)
        return instances.with_database(address, database)

    def _run(self, address: str, statement: str) -> None:
        with psycopg.connect(instances.libpq(address), autocommit=True) as c:
            c.execute(statement)  # type: ignore[arg-type]

    def _drop(self, address: str, database: str) -> None:
        if self.private:  # goes with its server, which may be down by now
            return
        self._run(address, f'DROP DATABASE IF EXISTS {database} WITH (FORCE)')


class MariaDB(_Fixture):
    """A new database in a MariaDB or MySQL: ``url`` is for SQLAlchemy."""

    name = 'mariadb'
    instance = instances.MariaDB

    def _make_room(self, address: str) -> str:
        database = f'tfs_{uuid.uuid4().hex}'
        self._run(address, f'CREATE DATABASE {database} CHARACTER SET utf8mb4')
        self.addCleanup(self._drop, address, database)
        return instances.with_database(address, database)

    def _run(self, address: str, statement: str) -> None:
        connection = pymysql.connect(**instances.pymysql_args(address))
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()

    def _drop(self, address: str, database: str) -> None:
        if self.private:
            return
        self._run(address, f'DROP DATABASE IF EXISTS {database}')


class RabbitMQ(_Fixture):
    """A new virtual host in a RabbitMQ: ``url`` is for oslo.messaging.

    A virtual host needs ``rabbitmqctl``, and that the right to run it (root,
    or the broker's user, on the broker's machine).  Without it the one that
    the address names is shared; ``namespace``, new each time, keeps the tests
    apart there when it is their ``[remote] namespace``.
    """

    name = 'rabbitmq'
    instance = instances.RabbitMQ

    def _make_room(self, address: str) -> str:
        self.namespace = f'tfs_{uuid.uuid4().hex}'
        parsed = sa.engine.make_url(address)
        if self.private or (parsed.host or '') not in _LOCAL:
            return address
        host = f'tfs_{uuid.uuid4().hex}'
        url = address.rpartition('/')[0] + '/' + host
        user = parsed.username or 'guest'
        try:
            self._control('add_vhost', host)
            self.addCleanup(self._control, 'delete_vhost', host)
            self._control(
                'set_permissions', '-p', host, user, '.*', '.*', '.*'
            )
            self.instance.ping(url)
        except (
            OSError,
            subprocess.SubprocessError,
            instances.NotInstalled,
        ):
            return address
        return url

    def _control(self, *args: str) -> None:
        if isinstance(self.server, instances.RabbitMQ):
            self.server.control(*args)
        else:
            instances.rabbitmqctl(*args)
