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

"""taskflow-worker, as an operator runs it, on a real broker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from oslotest import base

from taskflow_service import identity
from tests import daemons
from tests import servers


class RunningBrokerTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        broker = self.useFixture(servers.RabbitMQ())
        self.daemon = self.useFixture(daemons.Daemon(broker, processes=2))

    def _dead(self):
        return identity.dead(self.daemon.conf)

    def test_it_serves_and_drains(self):
        program = self.daemon.start()
        self.daemon.await_ready()
        log = self.daemon.read_log()
        for text in (
            'Tasks of taskflow-service ',
            'demo.hello 1.0',
            'host.1',
            'host.2',
            'topics default',
        ):
            self.assertIn(text, log)
        self.assertEqual([], self._dead())
        program.send_signal(signal.SIGHUP)
        self.daemon.await_log(program, 'has read its configuration again', 3)
        self.daemon.drain(program)
        self.assertEqual(
            ['clean', 'clean'], [past.end for past in self._dead()]
        )

    def _check(self, *more):
        done = subprocess.run(
            [
                sys.executable,
                '-m',
                'taskflow_service.cmd.worker',
                '--config-file',
                str(self.daemon.file),
                '--check',
                *more,
            ],
            cwd=daemons.ROOT,
            capture_output=True,
            text=True,
            timeout=daemons.DEADLINE,
        )
        return done.returncode, done.stdout, done.stderr

    def _await_check(self, code, *more):
        deadline = time.monotonic() + daemons.DEADLINE
        while True:
            found = self._check(*more)
            if found[0] == code:
                return found
            self.assertLess(time.monotonic(), deadline, found)

    def test_a_supervisor_sees_who_hears_nothing(self):
        code, out, error = self._check()
        self.assertEqual((3, ''), (code, out))
        self.assertIn('0 of 2 worker processes', error)
        # Its heartbeat is a third of it.
        self.daemon.file.write_text(
            self.daemon.file.read_text().replace(
                '[remote]\n', '[remote]\nlease = 5\nlost_after = 20\n'
            )
        )
        program = self.daemon.start()
        self.daemon.await_ready()
        _, out, error = self._await_check(0, '--max-age', '4')
        self.assertRegex(out, r'(?m)^host.1: process \d+ last heard itself')
        self.assertEqual(('', 2), (error, out.count('\n')))
        stopped = daemons.children(program)[0]
        os.kill(stopped, signal.SIGSTOP)
        _, out, error = self._await_check(3, '--max-age', '4')
        self.assertRegex(out, f'process {stopped} last heard .* at most 4 s')
        self.assertIn('1 of 2 worker processes', error)
        os.kill(stopped, signal.SIGCONT)
        self._await_check(0, '--max-age', '4')
        self.daemon.drain(program)
        self.assertEqual(3, self._check()[0])

    def test_sigterm_during_the_start_is_heard(self):
        program = self.daemon.start()
        self.daemon.await_log(program, 'starts 2 worker processes')
        self.daemon.drain(program)

    def test_after_a_kill_the_next_start_proves_the_deaths(self):
        text = self.daemon.file.read_text()
        self.daemon.file.write_text(
            f'{text}\n[worker]\nexecutor = processes\nslots = 1\n'
        )
        program = self.daemon.start()
        self.daemon.await_ready()
        processes = daemons.children(program)
        self.assertEqual(2, len(processes))
        tasks = [
            pid for each in processes for pid in daemons.children_of(each)
        ]
        self.assertLessEqual(2, len(tasks))
        program.kill()
        daemons.await_ends(processes + tasks)
        self.daemon.file.write_text(text)
        dead = self._dead()
        self.assertEqual(['unclean', 'unclean'], [past.end for past in dead])
        again = self.daemon.start()
        self.daemon.await_ready()
        for past in dead:
            self.assertTrue(
                identity.proven_dead(self.daemon.conf, past.incarnation)
            )
        self.daemon.drain(again)
        self.assertEqual(
            ['host.1', 'host.1', 'host.2', 'host.2'],
            sorted(past.name for past in self._dead()),
        )


class StoppedBrokerTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.broker = self.useFixture(servers.RabbitMQ(private=True))

    def test_a_broker_that_comes_late_is_waited_for(self):
        daemon = self.useFixture(daemons.Daemon(self.broker))
        self.broker.server.stop()
        program = daemon.start()
        daemon.await_log(program, 'No message broker at')
        self.broker.server.start()
        daemon.await_ready()
        daemon.drain(program)

    def test_a_password_that_is_refused_ends_the_start(self):
        daemon = self.useFixture(
            daemons.Daemon(self.broker, startup_timeout=2)
        )
        user = self.broker.url.partition('://')[2].partition('@')[0]
        daemon.file.write_text(
            daemon.file.read_text().replace(user, 'somebody:else')
        )
        program = daemon.start()
        self.assertEqual(1, program.wait(daemons.DEADLINE))
        line = program.stderr.read()
        self.assertEqual(1, line.count('\n'), line)
        self.assertIn('transport_url', line)
        self.assertNotIn('else', line)
