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

import contextlib
import os
import threading

import fixtures
from oslotest import base

from taskflow_service import engines
from taskflow_service.patterns import linear_flow
from tests.conformance import databases
from tests.unit.engines.hands import Say


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

    def test_who_will_write_waits_for_its_turn_before_it_reads(self):
        first = contextlib.ExitStack()
        self.addCleanup(first.close)
        conn = first.enter_context(self.backend.writing())
        conn.exec_driver_sql('SELECT count(*) FROM tfs_logbooks')
        told = []

        def second():
            with self.backend.writing() as mine:
                mine.exec_driver_sql('SELECT count(*) FROM tfs_logbooks')
                told.append(list(told))
                mine.exec_driver_sql("UPDATE tfs_logbooks SET name = 'b'")

        thread = threading.Thread(target=second, daemon=True)
        thread.start()
        # Begun as a read it would have read by now, and could never write.
        thread.join(0.2)
        conn.exec_driver_sql("UPDATE tfs_logbooks SET name = 'a'")
        told.append('the first has written')
        first.close()
        thread.join(30)
        self.assertEqual(
            ['the first has written', ['the first has written']], told
        )

    def test_a_step_of_a_chain_writes_no_index_of_the_flow(self):
        a, b, c = (Say(name) for name in 'abc')
        with databases.statements(self.backend.engine) as seen:
            engines.load(
                linear_flow.Flow('f').add(a, b, c), backend=self.backend
            ).run()
        moves = [each for each in seen if each.startswith('UPDATE tfs_flow')]
        indexed = ['SET state' in each or 'state = ' in each for each in moves]
        # The claim sets the owner; then the begin, two steps and the end.
        self.assertEqual([False, True, False, False, True], indexed, moves)
