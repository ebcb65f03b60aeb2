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

from oslotest import base

from tests import servers
from tests.conformance import databases


class PostgreSQLTest(databases.DatabaseSuite, base.BaseTestCase):
    def setUp(self):
        server = servers.PostgreSQL()
        server.setUp()
        self.url = server.url
        super().setUp()
        self.addCleanup(server.cleanUp)


class MariaDBTest(databases.DatabaseSuite, base.BaseTestCase):
    def setUp(self):
        server = servers.MariaDB()
        server.setUp()
        self.url = server.url
        super().setUp()
        self.addCleanup(server.cleanUp)
