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


"""A logbook with 100,000 flows that have ended."""

from __future__ import annotations

import time
import tracemalloc

import fixtures
from oslotest import base
import sqlalchemy as sa

from taskflow_service.persistence import backends
from taskflow_service.persistence import models
from taskflow_service.persistence.backends.sqlalchemy import schema
from tests import servers

FLOWS = 100_000
MEMORY = 16 * 1024 * 1024


class LargeTest(base.BaseTestCase):
    def _fill(self, backend):
        span = range(FLOWS)
        with backend.engine.begin() as conn:
            conn.execute(
                sa.insert(schema.logbooks),
                [
                    {'uuid': f'b{at}', 'name': 'book', 'created_at': 1.0}
                    for at in range(FLOWS // 1000)
                ],
            )
            conn.execute(
                sa.insert(schema.flows),
                [
                    {
                        'uuid': f'f{at:07}',
                        'parent': f'b{at // 1000}',
                        'name': 'flow',
                        'state': 'SUCCESS',
                        'created_at': float(at),
                        'ended_at': float(at + 1),
                    }
                    for at in span
                ],
            )
            conn.execute(
                sa.insert(schema.atoms),
                [
                    {
                        'flow_uuid': f'f{at:07}',
                        'uuid': f'a{at:07}',
                        'name': 'task',
                        'kind': 'TASK_DETAIL',
                        'state': 'SUCCESS',
                    }
                    for at in span
                ],
            )

    def _large(self, url):
        backend = backends.fetch(url)
        self.addCleanup(backend.close)
        connection = backend.get_connection()
        connection.upgrade()
        self._fill(backend)
        book = models.LogBook('mine', 'mine')
        book.add(models.FlowDetail('mine', 'mine'))
        connection.save_logbook(book)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.assertEqual(1, len(connection.get_flow_details('f0050000')))
        self.assertEqual(
            ['mine', 'f0099999'],
            [flow.uuid for flow in connection.find_flows(limit=2)],
        )
        self.assertEqual(
            1000, sum(1 for _ in connection.get_flows_for_book('b50'))
        )
        purge = backend.purge(time.time())
        self.assertEqual(10_000, sum(next(purge) for _ in range(100)))
        purge.close()
        _now, peak = tracemalloc.get_traced_memory()
        self.assertLess(peak, MEMORY)
        self.assertEqual(90_000, backend.count_ended(time.time()))

    def test_sqlite(self):
        directory = self.useFixture(fixtures.TempDir()).path
        self._large(f'sqlite:///{directory}/logbook.sqlite')

    def test_postgresql(self):
        self._large(self.useFixture(servers.PostgreSQL()).url)

    def test_mariadb(self):
        self._large(self.useFixture(servers.MariaDB()).url)
