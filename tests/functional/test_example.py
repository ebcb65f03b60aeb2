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


"""The program of the announcement, in its two modes and on both buses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import fixtures
from oslotest import base

from tests import daemons
from tests import instances
from tests import servers

EXAMPLE = daemons.ROOT / 'examples' / 'hello_remote.py'


class HelloRemoteTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.home = self.useFixture(fixtures.TempDir()).path

    def _start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        program = subprocess.Popen(
            [sys.executable, str(EXAMPLE), *words],
            env={
                **os.environ,
                'HOME': self.home,
                'OS_DEFAULT__STATE_PATH': self.home,
                'PYTHONPATH': str(daemons.ROOT),
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.addCleanup(program.kill)
        return program

    def _run(self, *words: str) -> str:
        program = self._start(*words)
        said, _ = program.communicate(timeout=daemons.DEADLINE)
        self.assertEqual(0, program.returncode, said)
        return said

    def test_alone_it_needs_no_server(self) -> None:
        said = self._run()
        self.assertIn('Final results: ', said)
        for name in ('hi_happened', 'goodbye_happened'):
            self.assertIn(name, said)
        self.assertIn('taskflow-manage', said)
        self.assertIn('hello world', said)
        for state in ('RUNNING', 'SUCCESS'):
            self.assertIn(f"into state '{state}'", said)

    def test_in_two_processes_the_worker_runs_the_tasks(self) -> None:
        broker = self.useFixture(servers.RabbitMQ())
        database = self.useFixture(servers.PostgreSQL())
        worker = self._start('worker', '--transport-url', broker.url)
        for information in ([], ['--workers-info', self._map()]):
            said = self._run(
                '--transport-url',
                broker.url,
                '--connection',
                database.url,
                *information,
            )
            self.assertIn('Final results: ', said)
            self.assertNotIn('hello world', said)
        worker.send_signal(signal.SIGINT)
        said, _ = worker.communicate(timeout=daemons.DEADLINE)
        self.assertEqual(0, worker.returncode, said)
        self.assertEqual(2, said.count('hello world'))
        self.assertEqual(2, said.count('goodbye world'))

    def _map(self) -> str:
        return 'default=demo.hello,demo.goodbye'

    def test_what_is_wrong_is_said_in_a_line(self) -> None:
        for option, words in (
            ('transport_url', ('--transport-url', 'kafka://host/')),
            ('transport_url', ('worker', '--transport-url', 'carrier://h/')),
            ('[database] connection', ('--connection', 'oracle9://host/x')),
            (
                '[database] connection',
                ('--connection', 'postgresql+psycopg://u@127.0.0.1:1/x'),
            ),
        ):
            program = self._start(*words)
            said, _ = program.communicate(timeout=daemons.DEADLINE)
            self.assertEqual(1, program.returncode, said)
            self.assertEqual(1, len(said.splitlines()), said)
            self.assertIn(option, said)

    def test_a_broker_that_is_away_is_said_once_and_waited_for_in_vain(
        self,
    ) -> None:
        program = self._start(
            '--transport-url',
            f'rabbit://127.0.0.1:{instances.free_port()}/',
            OS_REMOTE__START_TIMEOUT='5',
        )
        said, _ = program.communicate(timeout=daemons.DEADLINE)
        self.assertEqual(1, program.returncode, said)
        self.assertEqual(1, said.count('Cannot send over rabbit://'), said)
        self.assertNotIn('oslo.messaging', said)
        last = said.splitlines()[-1]
        self.assertTrue(last.startswith('hello_remote: '), said)
        self.assertIn('could not start within 5 s', last)
        self.assertIn('the message broker is away', last)
