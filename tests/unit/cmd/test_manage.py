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


"""taskflow-manage and taskflow-status, as an operator meets them."""

from __future__ import annotations

import contextlib
import io
import json
import time

import fixtures
from oslotest import base

from taskflow_service.cmd import manage
from taskflow_service.cmd import status
from taskflow_service.persistence import backends
from taskflow_service.persistence import models
from taskflow_service.persistence import unit


class ManageTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        directory = self.useFixture(fixtures.TempDir()).path
        self.url = f'sqlite:///{directory}/logbook.sqlite'
        self.file = f'{directory}/x.conf'
        with open(self.file, 'w') as file:
            file.write(
                f'[DEFAULT]\nstate_path = {directory}\n'
                f'[database]\nconnection = {self.url}\n'
            )

    def run_it(self, *args, main=manage.main):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main(['--config-file', self.file, *args])
            except SystemExit as ended:
                code = ended.code
        return code, out.getvalue(), err.getvalue()

    def fill(self):
        backend = backends.fetch(self.url)
        self.addCleanup(backend.close)
        connection = backend.get_connection()
        connection.upgrade()
        book = models.LogBook('book', 'book')
        for name in ('old', 'new'):
            flow = models.FlowDetail(name, name)
            task = models.TaskDetail('greet', f'{name}-greet')
            task.put('SUCCESS', {'hello': ('world', 1)})
            flow.add(task)
            book.add(flow)
        connection.save_logbook(book)
        writer = backend.open_writer()
        self.addCleanup(writer.close)
        for name, ended in (('old', 1000.0), ('new', time.time())):
            writer.commit(
                [unit.FlowChange(name, 0, 0, 1, 'SUCCESS', ended_at=ended)]
            )

    def test_sync_and_version(self):
        code, out, err = self.run_it('db', 'version')
        self.assertEqual((1, ''), (code, out))
        self.assertIn('there is no logbook at', err)
        self.assertEqual(0, self.run_it('db', 'sync')[0])
        code, out, _ = self.run_it('db', 'version')
        self.assertEqual((0, 'found: 001, newest: 001\n'), (code, out))
        self.assertEqual(0, self.run_it('db', 'sync')[0])

    def test_a_list(self):
        self.fill()
        code, out, _ = self.run_it('flow', 'list', '-f', 'json')
        self.assertEqual(0, code)
        flows = json.loads(out)
        self.assertEqual(['new', 'old'], [flow['name'] for flow in flows])
        self.assertEqual('1970-01-01T00:16:40.000+00:00', flows[1]['ended'])
        code, out, _ = self.run_it(
            'flow', 'list', '-f', 'value', '-c', 'uuid', '--limit', '1'
        )
        self.assertEqual('new\n', out)
        code, out, _ = self.run_it(
            'flow', 'list', '-f', 'value', '-c', 'uuid', '--marker', 'new'
        )
        self.assertEqual('old\n', out)
        _, out, _ = self.run_it('flow', 'list', '--state', 'RUNNING')
        self.assertNotIn('old', out)

    def test_a_flow(self):
        self.fill()
        code, out, _ = self.run_it('flow', 'show', 'old', '-f', 'json')
        self.assertEqual(0, code)
        flow = json.loads(out)
        self.assertEqual(('old', 'SUCCESS'), (flow['name'], flow['state']))
        [atom] = flow['atoms']
        self.assertEqual(
            ('greet', 'SUCCESS', {'hello': ['world', 1]}),
            (atom['name'], atom['state'], atom['results']),
        )
        code, out, _ = self.run_it('flow', 'show', 'old')
        self.assertIn('greet: SUCCESS', out)

    def test_purging(self):
        self.fill()
        purge = ('db', 'purge', '--older-than', '30d')
        _, out, _ = self.run_it(*purge, '--dry-run')
        self.assertEqual('1 flows would be deleted.\n', out)
        _, out, err = self.run_it(*purge, '--state', 'FAILURE')
        self.assertEqual(('0 flows were deleted.\n', ''), (out, err))
        _, out, err = self.run_it(*purge)
        self.assertEqual('1 flows were deleted.\n', out)
        self.assertIn('1 of 1 flows', err)
        _, out, _ = self.run_it('flow', 'list', '-f', 'value', '-c', 'uuid')
        self.assertEqual('new\n', out)

    def test_mistakes_are_one_line(self):
        self.run_it('db', 'sync')
        for args, word in (
            (('flow', 'show', 'x'), "'x'"),
            (('--connection', 'oracle://x', 'db', 'sync'), 'oracle'),
            (('--config-file', '/nowhere', 'db', 'sync'), '/nowhere'),
            (
                ('--connection', 'mysql+pymysql://u@127.0.0.1:1/x')
                + ('flow', 'list'),
                '[database] connection',
            ),
        ):
            code, out, err = self.run_it(*args)
            self.assertEqual((1, ''), (code, out))
            self.assertEqual(1, err.count('\n'), err)
            self.assertIn('taskflow-manage: error: ', err)
            self.assertIn(word, err)
        code, _, err = self.run_it('db', 'purge', '--older-than', '3')
        self.assertEqual(2, code)
        self.assertIn('30d', err)

    def test_the_upgrade_check(self):
        code, out, _ = self.run_it('upgrade', 'check', main=status.main)
        self.assertEqual(0, code)
        self.assertIn('Logbook schema', out)
        backend = backends.fetch(self.url)
        self.addCleanup(backend.close)
        with backend.engine.begin():
            pass
        code, out, _ = self.run_it('upgrade', 'check', main=status.main)
        self.assertEqual(1, code)
        self.assertIn('db sync', out)
        self.run_it('db', 'sync')
        code, out, _ = self.run_it('upgrade', 'check', main=status.main)
        self.assertEqual(0, code)
        with backend.engine.begin() as conn:
            conn.exec_driver_sql(
                "UPDATE tfs_alembic_version SET version_num = '999'"
            )
        code, out, _ = self.run_it('upgrade', 'check', main=status.main)
        self.assertEqual(2, code)
        self.assertIn('999', out)
