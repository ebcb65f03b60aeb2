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


"""Logbooks in SQLite."""

from __future__ import annotations

import os

import fixtures
from oslotest import base

from tests.conformance import databases


class SQLiteTest(databases.DatabaseSuite, base.BaseTestCase):
    def setUp(self):
        # In memory where that can be: nobody pulls the plug here.
        shm = '/dev/shm'
        self.directory = fixtures.TempDir(
            rootdir=shm if os.access(shm, os.W_OK) else None
        )
        self.directory.setUp()
        self.url = f'sqlite:///{self.directory.path}/logbook.sqlite'
        super().setUp()
        self.addCleanup(self.directory.cleanUp)

    def test_it_is_durable_by_what_sqlite_says(self):
        with self.backend.engine.connect() as conn:
            for pragma, expected in (
                ('journal_mode', 'wal'),
                ('synchronous', 2),
                ('foreign_keys', 1),
                ('busy_timeout', 30000),
            ):
                found = conn.exec_driver_sql(f'PRAGMA {pragma}').scalar()
                self.assertEqual(expected, found, pragma)
