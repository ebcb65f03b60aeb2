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
import pathlib
import select
import signal
import socket
import subprocess
import sys
import time

import fixtures
from oslo_config import cfg
from oslotest import base

from taskflow_service import conf as service_conf
from taskflow_service import identity
from tests import servers

ROOT = pathlib.Path(__file__).parents[2]
DEADLINE = 60


class DaemonTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.broker = servers.RabbitMQ(private=self.private)
        self.useFixture(self.broker)
        self.path = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.log = self.path / 'worker.log'
        self.file = self.path / 'service.conf'
        self.file.write_text(
            f'[DEFAULT]\n'
            f'transport_url = {self.broker.url}\n'
            f'state_path = {self.path}\n'
            f'log_file = {self.log}\n'
            f'[remote]\nnamespace = {self.broker.namespace}\n'
            f'[worker]\nname = host\nprocesses = 2\nstartup_timeout = 60\n'
        )
        self.conf = cfg.ConfigOpts()
        service_conf.register_opts(self.conf)
        self.conf(['--config-file', str(self.file)], default_config_dirs=[])

    private = False

    def _start(self):
        """Start the daemon; ``_await_ready`` says when it serves."""
        notify = self.path / f'notify-{time.monotonic_ns()}'
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.listener.close)
        self.listener.bind(str(notify))
        self.listener.settimeout(DEADLINE)
        program = subprocess.Popen(
            [
                sys.executable,
                '-m',
                'taskflow_service.cmd.worker',
                '--config-file',
                str(self.file),
            ],
            cwd=ROOT,
            env={**os.environ, 'NOTIFY_SOCKET': str(notify)},
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.addCleanup(program.stderr.close)
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        return program

    def _await_ready(self):
        self.assertEqual(b'READY=1', self.listener.recv(100))

    def _await_log(self, program, text, count=1):
        deadline = time.monotonic() + DEADLINE
        while not self.log.exists() or (
            self.log.read_text().count(text) < count
        ):
            self.assertLess(time.monotonic(), deadline, f'no {text!r}')
            try:
                self.fail(f'ended with {program.wait(0.05)}')
            except subprocess.TimeoutExpired:
                pass

    def _drain(self, program):
        program.terminate()
        self.assertEqual(
            (0, ''), (program.wait(DEADLINE), program.stderr.read())
        )

    def _children(self, program):
        path = f'/proc/{program.pid}/task'
        return [
            int(pid)
            for thread in os.listdir(path)
            for pid in pathlib.Path(path, thread, 'children')
            .read_text()
            .split()
        ]

    def _await_ends(self, pids):
        poll = select.poll()
        handles = []
        for pid in pids:
            try:
                handles.append(os.pidfd_open(pid))
            except ProcessLookupError:
                continue
            poll.register(handles[-1], select.POLLIN)
        deadline = time.monotonic() + DEADLINE
        for _ in handles:
            left = max(0, deadline - time.monotonic())
            ended = poll.poll(left * 1000)
            self.assertNotEqual([], ended, 'a worker process lives on')
            poll.unregister(ended[0][0])
        for handle in handles:
            os.close(handle)


class RunningBrokerTest(DaemonTest):
    def test_it_serves_and_drains(self):
        program = self._start()
        self._await_ready()
        log = self.log.read_text()
        for text in ('demo.hello 1.0', 'host.1', 'host.2', 'topics default'):
            self.assertIn(text, log)
        self.assertEqual([], identity.dead(self.conf))
        program.send_signal(signal.SIGHUP)
        self._await_log(program, 'has read its configuration again', 3)
        self._drain(program)
        self.assertEqual(
            ['clean', 'clean'], [past.end for past in identity.dead(self.conf)]
        )

    def test_sigterm_during_the_start_is_heard(self):
        program = self._start()
        self._await_log(program, 'starts 2 worker processes')
        self._drain(program)

    def test_after_a_kill_the_next_start_proves_the_deaths(self):
        program = self._start()
        self._await_ready()
        children = self._children(program)
        self.assertEqual(2, len(children))
        program.kill()
        self._await_ends(children)
        dead = identity.dead(self.conf)
        self.assertEqual(['unclean', 'unclean'], [past.end for past in dead])
        program.wait()
        again = self._start()
        self._await_ready()
        for past in dead:
            self.assertTrue(identity.proven_dead(self.conf, past.incarnation))
        self._drain(again)
        self.assertEqual(
            ['host.1', 'host.1', 'host.2', 'host.2'],
            sorted(past.name for past in identity.dead(self.conf)),
        )


class StoppedBrokerTest(DaemonTest):
    private = True

    def test_a_broker_that_comes_late_is_waited_for(self):
        self.broker.server.stop()
        program = self._start()
        self._await_log(program, 'No message broker at')
        self.broker.server.start()
        self._await_ready()
        self._drain(program)

    def test_a_password_that_is_refused_ends_the_start(self):
        text = self.file.read_text()
        user = self.broker.url.partition('://')[2].partition('@')[0]
        text = text.replace(user, 'somebody:else')
        self.file.write_text(
            text.replace('startup_timeout = 60', 'startup_timeout = 2')
        )
        program = self._start()
        self.assertEqual(1, program.wait(DEADLINE))
        line = program.stderr.read()
        self.assertEqual(1, line.count('\n'), line)
        self.assertIn('transport_url', line)
        self.assertNotIn('else', line)
