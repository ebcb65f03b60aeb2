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
"""Databases of earlier versions are upgraded, and their flows go on.

A test class mixes this in, beside ``oslotest.base.BaseTestCase``, and gives an
empty database in ``make_url``.
"""

from __future__ import annotations

import contextlib
import pathlib
import sqlite3
import typing

import fixtures
import sqlalchemy as sa

from taskflow_service import engines
from taskflow_service import identity
from taskflow_service.persistence import backends
from taskflow_service.persistence.backends.sqlalchemy import migration
from tests.recorded import flows
from tests.recorded import schema

RECORDED = sorted(path.stem for path in schema.FOLDER.glob('*.sql'))


def load_dump(version: str, path: pathlib.Path) -> None:
    """Make a SQLite file of what was recorded of a version."""
    text = (schema.FOLDER / f'{version}.sql').read_text('utf-8')
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(text)


def copy_rows(path: pathlib.Path, url: str, version: str) -> None:
    """Copy the rows of a SQLite file to a server, in the same version."""
    source = sa.create_engine(f'sqlite:///{path}')
    target = sa.create_engine(url)
    migration.db_sync(target, version)
    with source.connect() as old, target.begin() as new:
        tables = sa.MetaData()
        tables.reflect(new)
        for table in tables.sorted_tables:
            if table.name.endswith('alembic_version'):
                continue
            rows = [
                dict(row)
                for row in old.execute(sa.select(table)).mappings().all()
            ]
            for row in rows:
                # Made by the server, which goes on counting.
                row.pop('id', None)
            if rows:
                new.execute(table.insert(), rows)
    source.dispose()
    target.dispose()


class UpgradeSuite:
    """The cases, each for every recorded version."""

    def make_url(self, path: pathlib.Path, version: str) -> str:
        """Return the url of a database like the SQLite file of a path."""
        raise NotImplementedError

    def test_flows_of_every_version_go_on(self) -> None:
        test = typing.cast(typing.Any, self)
        for version in RECORDED:
            with test.subTest(version):
                self._replay(test, version)

    def _replay(self, test: typing.Any, version: str) -> None:
        folder = pathlib.Path(test.useFixture(fixtures.TempDir()).path)
        path = folder / 'recorded.sqlite'
        load_dump(version, path)
        # Its lock is free: who was caught running a flow is dead.
        names = folder / 'names'
        names.mkdir()
        record = schema.FOLDER / f'{version}.name.json'
        (names / 'gone.1.json').write_text(record.read_text('ascii'))
        (names / 'gone.1.lock').touch()
        conf = schema.make_conf(str(folder), self.make_url(path, version))
        test.addCleanup(lambda: identity.of_process(conf).close())
        backend = typing.cast(
            typing.Any, backends.from_conf(conf, upgrade=True)
        )
        test.addCleanup(backend.close)
        with contextlib.closing(backend.get_connection()) as connection:
            connection.validate()
            found = {each.name: each for each in connection.find_flows()}
            details = {
                name: connection.get_flow_details(each.uuid)
                for name, each in found.items()
            }
        test.assertEqual(
            {
                'good': 'SUCCESS',
                'retried': 'SUCCESS',
                'failing': 'REVERTED',
                'suspended': 'SUSPENDED',
                'interrupted': 'RUNNING',
            },
            {name: each.state for name, each in details.items()},
        )
        made = {
            name: engines.load_from_detail(detail, conf=conf, backend=backend)
            for name, detail in details.items()
        }
        for engine in made.values():
            engine.compile()
            engine.prepare()
        test.assertEqual(flows.VALUE, made['good'].storage.fetch('value'))
        test.assertEqual('in the end', made['retried'].storage.fetch('end'))
        history = made['retried'].storage.get_retry_history('times')
        test.assertEqual(2, len(history))
        self._go_on(test, made)

    @staticmethod
    def _go_on(test: typing.Any, made: dict[str, typing.Any]) -> None:
        for name in ('suspended', 'interrupted'):
            engine = made[name]
            uuid = engine.storage.flow_uuid
            flows.effects.pop(uuid, None)
            engine.run()
            test.assertEqual('SUCCESS', engine.storage.get_flow_state())
            # What was done before is not done again.
            test.assertEqual(['execute pause'], flows.effects[uuid])
            test.assertEqual(flows.VALUE, engine.storage.fetch('value'))
