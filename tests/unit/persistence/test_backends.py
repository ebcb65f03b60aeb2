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


"""Backends by name, by URI and by configuration."""

from __future__ import annotations

import socket

import ddt
import fixtures
from oslo_config import cfg
from oslotest import base

from taskflow_service import conf as service_conf
from taskflow_service import exceptions
from taskflow_service.persistence import backends
from taskflow_service.persistence import models
from taskflow_service.persistence.backends import impl_memory
from taskflow_service.persistence.backends import impl_sqlalchemy
from taskflow_service.persistence.backends.sqlalchemy import schema
from taskflow_service.utils import persistence_utils


def make_conf(**options):
    """Make a configuration: ``group__name=value``."""
    conf = cfg.ConfigOpts()
    service_conf.register_opts(conf)
    conf([], default_config_files=[], default_config_dirs=[])
    for path, value in options.items():
        group, _, name = path.rpartition('__')
        conf.set_override(name, value, group or None)
    return conf


def closed_port():
    """Find a port that nobody listens to."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


@ddt.ddt
class FetchTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.directory = self.useFixture(fixtures.TempDir()).path

    @ddt.data(
        'memory',
        'memory://',
        {'connection': 'memory'},
        {'connection': 'MEMORY'},
    )
    def test_memory(self, conf):
        made = backends.fetch(conf)
        self.assertIsInstance(made, impl_memory.MemoryBackend)
        self.assertTrue(made.writes)

    def test_options_reach_the_backend(self):
        made = backends.fetch({'connection': 'memory', 'deep_copy': False})
        self.assertFalse(made.writes)

    def test_a_database(self):
        url = f'sqlite:///{self.directory}/x.sqlite'
        with backends.backend({'connection': url}) as made:
            self.assertIsInstance(made, impl_sqlalchemy.SQLAlchemyBackend)
            self.assertEqual('sqlite', made.engine.dialect.name)
            made.get_connection().validate()

    def test_a_database_in_memory_is_one_for_all_connections(self):
        with backends.backend('sqlite://') as made:
            made.get_connection().save_logbook(models.LogBook('b', 'b'))
            other = made.get_connection()
            self.assertEqual('b', other.get_logbook('b').name)
        with backends.backend('sqlite://') as another:
            self.assertEqual([], list(another.get_connection().get_logbooks()))

    @ddt.data('dir', 'file')
    def test_a_directory(self, name):
        path = f'{self.directory}/new/deep'
        for conf in ({'connection': name, 'path': path}, f'{name}://{path}'):
            made = backends.fetch(conf)
            self.addCleanup(made.close)
            made.get_connection().save_logbook(models.LogBook('b', 'b'))
            self.assertEqual(path, made.path)

    def _fails(self, kind, conf, *words):
        error = self.assertRaises(
            kind, lambda: backends.fetch(conf).get_connection().validate()
        )
        self.assertNotIn('\n', str(error))
        for word in words:
            self.assertIn(word, str(error))

    def test_what_nobody_provides(self):
        self._fails(exceptions.NotFound, 'bogus', 'bogus', 'sqlalchemy')
        self._fails(exceptions.NotFound, 'bogus://x', 'bogus', 'sqlalchemy')
        self._fails(exceptions.ConfigurationError, {}, 'connection')
        self._fails(exceptions.ConfigurationError, 'dir', 'path')
        self._fails(exceptions.ConfigurationError, 'zookeeper', 'database')

    def test_what_cannot_be_used(self):
        self._fails(
            exceptions.ConfigurationError,
            'postgresql+asyncpg://u@127.0.0.1/x',
            'asyncpg',
            'install',
        )
        self._fails(
            exceptions.ConfigurationError,
            'sqlite:////nowhere/at/all.sqlite',
            '/nowhere/at/all.sqlite',
            'directory',
        )

    @ddt.data('postgresql', 'mysql')
    def test_a_server_that_is_not_there(self, dialect):
        port = closed_port()
        self._fails(
            exceptions.StorageOutage,
            f'{dialect}://user:secret@127.0.0.1:{port}/x',
            str(port),
            'check that the server runs',
        )
        self.assertRaises(
            exceptions.StorageOutage,
            backends.fetch(
                f'{dialect}://user:secret@127.0.0.1:{port}/x'
            ).open_writer,
        )

    def test_passwords_are_not_shown(self):
        url = f'postgresql://user:secret@127.0.0.1:{closed_port()}/x'
        error = self.assertRaises(
            exceptions.StorageOutage, backends.fetch(url).open_writer
        )
        self.assertNotIn('secret', str(error))


class FromConfTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.directory = self.useFixture(fixtures.TempDir()).path

    def test_unset_is_no_backend(self):
        log = self.useFixture(fixtures.FakeLogger())
        self.assertIsNone(backends.from_conf(make_conf()))
        self.assertEqual('', log.output)

    def test_a_database_without_a_backend_is_warned_of_once(self):
        log = self.useFixture(fixtures.FakeLogger())
        conf = make_conf(database__connection='sqlite:////x.sqlite')
        for _ in range(2):
            self.assertIsNone(backends.from_conf(conf))
        self.assertEqual(1, log.output.count('[persistence] backend is not'))

    def test_an_upgrade_is_of_the_backend_that_is_there(self):
        conf = make_conf(
            persistence__backend='sqlalchemy', state_path=self.directory
        )
        made = backends.from_conf(conf)
        self.addCleanup(made.close)
        with made.engine.begin() as conn:
            conn.exec_driver_sql(f'DELETE FROM {schema.VERSION_TABLE}')
            schema.metadata.drop_all(conn)
        self.assertIs(made, backends.from_conf(conf, upgrade=True))
        made.get_connection().save_logbook(models.LogBook('b', 'b'))

    def test_memory(self):
        made = backends.from_conf(make_conf(persistence__backend='memory'))
        self.assertIsInstance(made, impl_memory.MemoryBackend)

    def test_without_a_connection_it_is_a_file_that_is_made(self):
        made = backends.from_conf(
            make_conf(
                persistence__backend='sqlalchemy', state_path=self.directory
            )
        )
        self.addCleanup(made.close)
        self.assertEqual(
            f'{self.directory}/logbook.sqlite', made.engine.url.database
        )
        made.get_connection().save_logbook(models.LogBook('b', 'b'))

    def test_the_same_configuration_gives_the_same_backend(self):
        conf = make_conf(
            persistence__backend='sqlalchemy', state_path=self.directory
        )
        made = backends.from_conf(conf)
        self.addCleanup(made.close)
        self.assertIs(made, backends.from_conf(conf))
        conf.set_override('max_value_size', 2048, 'persistence')
        other = backends.from_conf(conf)
        self.addCleanup(other.close)
        self.assertIsNot(made, other)

    def _fails(self, kind, *words, **options):
        error = self.assertRaises(
            kind, backends.from_conf, make_conf(**options)
        )
        self.assertNotIn('\n', str(error))
        for word in words:
            self.assertIn(word, str(error))

    def test_bad_values_name_their_option(self):
        self._fails(
            exceptions.ConfigurationError,
            '[persistence] backend',
            persistence__backend='bogus',
        )
        for url in ('nonsense', 'oracle://x/y'):
            self._fails(
                exceptions.ConfigurationError,
                '[database] connection',
                persistence__backend='sqlalchemy',
                database__connection=url,
            )

    def test_the_schema_of_a_named_database_is_not_made(self):
        self._fails(
            exceptions.SchemaMismatch,
            'taskflow-manage db sync',
            persistence__backend='sqlalchemy',
            database__connection=f'sqlite:///{self.directory}/x.sqlite',
        )

    def test_a_value_that_is_too_large_is_refused_when_it_is_packed(self):
        made = backends.from_conf(
            make_conf(
                persistence__backend='sqlalchemy',
                persistence__max_value_size=1024,
                state_path=self.directory,
            )
        )
        self.addCleanup(made.close)
        made.pack('x' * 900)
        error = self.assertRaises(
            exceptions.ValueTooLarge, made.pack, 'x' * 2000
        )
        self.assertGreater(error.size, 1024)


class UtilsTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.backend = backends.fetch('memory')
        self.connection = self.backend.get_connection()

    def test_temporary_things_are_saved_where_there_is_a_backend(self):
        book = persistence_utils.temporary_log_book(self.backend)
        self.assertEqual('tmp', self.connection.get_logbook(book.uuid).name)
        book, flow = persistence_utils.temporary_flow_detail(
            self.backend, meta={'a': 1}
        )
        self.assertIs(flow, book.find(flow.uuid))
        stored = self.connection.get_flow_details(flow.uuid)
        self.assertEqual(
            ('tmp-flow-detail', {'a': 1}), (stored.name, stored.meta)
        )

    def test_temporary_things_need_no_backend(self):
        book, flow = persistence_utils.temporary_flow_detail()
        self.assertEqual([flow], list(book))

    def test_a_flow_detail_for_a_flow(self):
        class Flow:
            name = 'my flow'

        book = persistence_utils.temporary_log_book(self.backend)
        flow = persistence_utils.create_flow_detail(
            Flow(), book, self.backend, {'a': 1}
        )
        self.assertEqual('my flow', flow.name)
        self.assertEqual(
            {'a': 1}, self.connection.get_flow_details(flow.uuid).meta
        )
        self.assertIs(flow, book.find(flow.uuid))
        alone = persistence_utils.create_flow_detail(
            None, backend=self.backend
        )
        self.assertEqual(
            'tmp-flow-detail',
            self.connection.get_flow_details(alone.uuid).name,
        )
