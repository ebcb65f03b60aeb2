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
"""The fixtures of tests.servers themselves, against real servers."""

from __future__ import annotations

import os
import unittest

import fixtures
import kombu
from oslotest import base
import sqlalchemy as sa

from tests import instances
from tests import servers


def _amqp(url: str) -> str:
    return url.replace('rabbit://', 'amqp://', 1)


class FoundOrStartedTest(base.BaseTestCase):
    """A room of one's own in a server that others use as well."""

    def _assert_holds_a_row(self, url: str) -> None:
        engine = sa.create_engine(url)
        self.addCleanup(engine.dispose)
        with engine.begin() as connection:
            connection.execute(sa.text('CREATE TABLE t (n INTEGER)'))
            connection.execute(sa.text('INSERT INTO t VALUES (7)'))
        with engine.connect() as connection:
            self.assertEqual(
                7, connection.execute(sa.text('SELECT n FROM t')).scalar()
            )
        engine.dispose()

    def test_a_database_in_postgresql(self) -> None:
        self._assert_holds_a_row(self.useFixture(servers.PostgreSQL()).url)

    def test_a_database_in_mariadb(self) -> None:
        self._assert_holds_a_row(self.useFixture(servers.MariaDB()).url)

    def test_two_tests_do_not_see_each_other(self) -> None:
        for maker in (servers.PostgreSQL, servers.MariaDB):
            one = self.useFixture(maker())
            other = self.useFixture(maker())
            self._assert_holds_a_row(one.url)
            self._assert_holds_a_row(other.url)

    def test_a_virtual_host_in_rabbitmq(self) -> None:
        broker = self.useFixture(servers.RabbitMQ())
        with kombu.Connection(_amqp(broker.url)) as connection:
            queue = connection.SimpleBuffer(broker.namespace)
            queue.put('hello')
            message = queue.get(timeout=10)
            self.assertEqual('hello', message.payload)
            queue.close()


class AbsentTest(base.BaseTestCase):
    """A server that is not there: a reason, never a silent pass."""

    def setUp(self) -> None:
        super().setUp()
        port = instances.free_port()
        self.useFixture(
            fixtures.EnvironmentVariable(
                'TFS_TEST_POSTGRESQL_URL',
                f'postgresql+psycopg://nobody@127.0.0.1:{port}/nothing',
            )
        )

    def test_is_skipped_with_the_reason(self) -> None:
        self.useFixture(fixtures.EnvironmentVariable('TFS_REQUIRE', None))
        skipped = self.assertRaises(
            unittest.SkipTest, servers.PostgreSQL()._setUp
        )
        self.assertIn('no answer from there', str(skipped))

    def test_fails_where_it_is_required(self) -> None:
        self.useFixture(
            fixtures.EnvironmentVariable('TFS_REQUIRE', 'mariadb, postgresql')
        )
        failed = self.assertRaises(AssertionError, servers.PostgreSQL()._setUp)
        self.assertIn('TFS_REQUIRE', str(failed))


class PrivateTest(base.BaseTestCase):
    """An instance that a test may break keeps what was committed."""

    def _count(self, url: str) -> int:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            return connection.execute(
                sa.text('SELECT count(*) FROM t')
            ).scalar_one()

    def _break(self, fixture: servers.PostgreSQL | servers.MariaDB) -> None:
        assert fixture.server is not None
        engine = sa.create_engine(fixture.url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            connection.execute(sa.text('CREATE TABLE t (n INTEGER)'))
            connection.execute(sa.text('INSERT INTO t VALUES (1)'))
        fixture.server.kill()
        self.assertRaises(sa.exc.OperationalError, self._count, fixture.url)
        fixture.server.start()
        self.assertEqual(1, self._count(fixture.url))
        fixture.server.restart()
        self.assertEqual(1, self._count(fixture.url))

    def test_postgresql_is_killed_and_restarted(self) -> None:
        self._break(self.useFixture(servers.PostgreSQL(private=True)))

    def test_mariadb_is_killed_and_restarted(self) -> None:
        self._break(self.useFixture(servers.MariaDB(private=True)))

    def test_rabbitmq_is_stopped_killed_and_paused(self) -> None:
        broker = self.useFixture(servers.RabbitMQ(private=True))
        server = broker.server
        assert server is not None
        with kombu.Connection(_amqp(broker.url)) as connection:
            queue = connection.SimpleQueue('kept')
            queue.put('hello')
            queue.close()
        server.restart()
        with kombu.Connection(_amqp(broker.url)) as connection:
            queue = connection.SimpleQueue('kept')
            message = queue.get(timeout=30)
            self.assertEqual('hello', message.payload)
            message.ack()
            queue.close()
        server.kill()
        self.assertRaises(OSError, server.ping, broker.url)
        server.start()
        server.pause()
        self.assertRaises(OSError, server.ping, broker.url)
        server.resume()
        server.ping(broker.url)

    def test_the_machine_keeps_its_own_servers(self) -> None:
        """A private instance is never the one that the environment names."""
        url = os.environ.get('TFS_TEST_POSTGRESQL_URL')
        private = self.useFixture(servers.PostgreSQL(private=True))
        if url:
            self.assertNotEqual(
                sa.engine.make_url(url).port,
                sa.engine.make_url(private.url).port,
            )
        self.assertNotEqual(5432, sa.engine.make_url(private.url).port)
