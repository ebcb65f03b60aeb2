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


"""Logbooks in PostgreSQL and MariaDB."""

from __future__ import annotations

import fixtures
from oslotest import base

from taskflow_service.persistence.backends.sqlalchemy import one_statement
from tests import servers
from tests.conformance import databases


class PostgreSQLTest(databases.DatabaseSuite, base.BaseTestCase):
    def setUp(self):
        server = servers.PostgreSQL()
        server.setUp()
        self.url = server.url
        super().setUp()
        self.addCleanup(server.cleanUp)

    def test_a_unit_of_large_values_is_cut_and_still_one_commit(self):
        self.useFixture(
            fixtures.MockPatchObject(one_statement, 'MAX_BYTES', 10_000)
        )
        self.saved_book('f')
        rows = [
            self.row('f', f'a{number}', results='x' * 3000)
            for number in range(10)
        ]
        with databases.statements(self.backend.engine) as seen:
            self.writer().commit([self.change('f', 0, atoms=rows)])
        self.assertEqual(
            4, sum('atom_details' in statement for statement in seen), seen
        )
        self.assertEqual(1, sum('COMMIT' in statement for statement in seen))
        read = self.connection.get_flow_details('f')
        self.assertEqual({'x' * 3000}, {detail.results for detail in read})
        self.assertEqual(10, len(list(read)))

    def test_a_unit_goes_by_index_though_the_tables_were_never_analyzed(self):
        # A statement that is prepared now keeps its plan while they grow.
        self.saved_book('f')
        with databases.texts(self.backend.engine) as texts:
            self.writer().commit(
                [self.change('f', 0, atoms=[self.row('f', 'a')])]
            )
        units = [each for each in texts if each[0].startswith('WITH')]
        self.assertEqual(1, len(units))
        self.assertEqual([], self._scans(*units[0]))


class MariaDBTest(databases.DatabaseSuite, base.BaseTestCase):
    def setUp(self):
        server = servers.MariaDB()
        server.setUp()
        self.url = server.url
        super().setUp()
        self.addCleanup(server.cleanUp)
