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

"""What taskflow-worker says to bad input, and what it lists."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import ddt
import fixtures
from oslotest import base

ROOT = pathlib.Path(__file__).parents[2]
DEADLINE = 60


@ddt.ddt
class WorkerCommandTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.useFixture(fixtures.TempDir()).path)

    def _run(self, *arguments):
        return subprocess.run(
            [sys.executable, '-m', 'taskflow_service.cmd.worker', *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )

    def _run_with(self, text, *arguments):
        path = self.path / 'service.conf'
        log = self.path / 'worker.log'
        state = self.path / 'state'
        path.write_text(
            f'[DEFAULT]\nlog_file = {log}\nstate_path = {state}\n{text}'
        )
        return self._run('--config-file', str(path), *arguments)

    def _assert_refused(self, done, *words):
        self.assertEqual(1, done.returncode, done.stderr)
        self.assertEqual('', done.stdout)
        self.assertEqual(1, done.stderr.count('\n'), done.stderr)
        self.assertTrue(done.stderr.startswith('taskflow-worker: error: '))
        for word in words:
            self.assertIn(word, done.stderr)

    @ddt.data(
        ('transport_url = kafka://host/', 'transport_url', 'kafka'),
        ('transport_url = carrier://host/', 'transport_url', 'carrier'),
        ('transport_url = nonsense', 'transport_url'),
        (
            'transport_url = rabbit://127.0.0.1:1/\n'
            '[worker]\nstartup_timeout = 1',
            'transport_url',
            '127.0.0.1:1',
            '[worker] startup_timeout',
        ),
        (
            'transport_url = fake://\n[worker]\ntasks = demo.helo',
            '[worker] tasks',
            "'demo.helo'",
            'demo.hello',
        ),
        ('[worker]\nslots = many', '[worker] slots', "not 'many'"),
        (
            'transport_url = fake://\n[worker]\nsetup = wagon',
            '[worker] setup',
            "'wagon'",
        ),
        ('state_path = /proc/none', '[DEFAULT] state_path', '/proc/none'),
        ('nonsense', 'service.conf'),
    )
    def test_bad_configuration_is_one_line(self, case):
        text, *words = case
        self._assert_refused(self._run_with(text), *words)

    def test_a_missing_file_is_one_line(self):
        self._assert_refused(
            self._run('--config-file', '/no/such/file'),
            '--config-file',
            '/no/such/file',
        )

    def test_the_tasks_are_listed(self):
        done = self._run_with('', '--list-tasks')
        self.assertEqual(0, done.returncode, done.stderr)
        head, *rows = done.stdout.splitlines()
        self.assertEqual(
            ['NAME', 'VERSION', 'DISTRIBUTION', 'ARGUMENTS'], head.split()
        )
        (goodbye,) = [row for row in rows if row.startswith('demo.goodbye')]
        self.assertIn('taskflow-service', goodbye)
        self.assertIn('hi_happened', goodbye)
        self.assertEqual('1.0', goodbye.split()[1])

    def test_only_what_would_be_served_is_listed(self):
        done = self._run_with('[worker]\ntasks = demo.hel*', '--list-tasks')
        self.assertEqual(
            ['NAME', 'demo.hello'],
            [row.split()[0] for row in done.stdout.splitlines()],
        )

    def test_the_version_is_told(self):
        done = self._run('--version')
        self.assertEqual(0, done.returncode)
        self.assertRegex(done.stdout, r'^\d+\.\d+')
