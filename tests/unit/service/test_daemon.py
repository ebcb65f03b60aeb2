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

"""What signals and deaths do to the daemon and all that belongs to it."""

from __future__ import annotations

import os
import pathlib
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
import time

import fixtures
from oslotest import base

ROOT = pathlib.Path(__file__).parents[3]
DEADLINE = 30


class DaemonTest(base.BaseTestCase):
    def _start(self, mode='', processes=1, **env):
        self.program = subprocess.Popen(
            [
                sys.executable,
                '-m',
                'tests.unit.service.program',
                mode,
                str(processes),
            ],
            cwd=ROOT,
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )
        self._lines = queue.SimpleQueue()
        reader = threading.Thread(target=self._read, daemon=True)
        reader.start()
        self.addCleanup(reader.join)
        self.addCleanup(self.program.wait)
        self.addCleanup(self._kill)
        self._children = []

    def _kill(self):
        self.program.kill()
        for pid in self._children:
            try:
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def _read(self):
        with self.program.stdout:
            for line in self.program.stdout:
                self._lines.put(line.split())

    def _expect(self, *events):
        """Wait for the events, in any order; return their lines."""
        wanted, found = list(events), []
        deadline = time.monotonic() + DEADLINE
        while wanted:
            try:
                line = self._lines.get(timeout=deadline - time.monotonic())
            except queue.Empty:
                self.fail(f'{wanted} did not come, only {found}')
            if line[0] in wanted:
                wanted.remove(line[0])
                found.append(line)
        return found

    def _started(self, count=1):
        """Wait for children; return {pid: (group, task, task's group)}."""
        lines = self._expect(*['started'] * count)
        found = {int(line[1]): tuple(map(int, line[2:])) for line in lines}
        self._children.extend(found)
        return found

    def _exit_code(self):
        return self.program.wait(DEADLINE)

    def _await_end(self, *pids):
        deadline = time.monotonic() + DEADLINE
        for pid in pids:
            try:
                handle = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            # A descriptor of a process becomes readable when it ends.
            with open(handle, 'rb') as ended:
                poll = select.poll()
                poll.register(ended)
                left = max(0, deadline - time.monotonic())
                self.assertTrue(poll.poll(left * 1000), f'{pid} lives on')

    def test_sigterm_drains_and_exits_with_0(self):
        self._start(processes=2)
        self._started(2)
        self.program.terminate()
        self._expect('stopped', 'stopped', 'exit')
        self.assertEqual(0, self._exit_code())

    def test_the_first_sigint_is_sigterm(self):
        self._start()
        self._started()
        self.program.send_signal(signal.SIGINT)
        self._expect('stopped', 'exit')
        self.assertEqual(0, self._exit_code())

    def test_ctrl_c_on_a_terminal_reaches_the_master_only(self):
        self._start()
        self._started()
        os.killpg(self.program.pid, signal.SIGINT)
        self._expect('stopped', 'exit')
        self.assertEqual(0, self._exit_code())

    def test_a_second_sigint_kills_all_groups(self):
        self._start('hangs', processes=2)
        children = self._started(2)
        self.program.send_signal(signal.SIGINT)
        self._expect('stopping', 'stopping')
        self.program.send_signal(signal.SIGINT)
        self.assertEqual(130, self._exit_code())
        self._await_end(*children, *(line[1] for line in children.values()))

    def test_a_second_sigterm_changes_nothing(self):
        self._start('hangs')
        self._started()
        self.program.terminate()
        self._expect('stopping')
        self.program.terminate()
        self.program.send_signal(signal.SIGINT)
        self.assertEqual(130, self._exit_code())

    def test_who_does_not_end_in_time_is_killed_with_its_group(self):
        self._start('hangs without patience')
        children = self._started()
        self.program.terminate()
        self.assertEqual(1, self._exit_code())
        self._await_end(*children, *(line[1] for line in children.values()))

    def test_a_child_leads_a_group_with_its_task_processes(self):
        self._start(processes=2)
        for pid, (group, _, group_of_task) in self._started(2).items():
            self.assertEqual((pid, pid), (group, group_of_task))

    def test_sighup_reads_again_and_kills_nothing(self):
        self._start(processes=2)
        children = self._started(2)
        self.program.send_signal(signal.SIGHUP)
        lines = self._expect('reloaded', 'reloaded', 'reloaded')
        self.assertEqual(
            {self.program.pid, *children}, {int(line[1]) for line in lines}
        )
        for _, task, _ in children.values():
            os.kill(task, 0)
        self.program.terminate()
        self._expect('stopped', 'stopped')

    def test_a_bad_file_at_sighup_costs_nothing(self):
        self._start('bad file')
        ((child, _),) = self._started().items()
        self.program.send_signal(signal.SIGHUP)
        self._expect('reloaded', 'reloaded')
        self.program.terminate()
        self.assertEqual([['stopped', str(child)]], self._expect('stopped'))
        self.assertEqual(0, self._exit_code())

    def test_a_killed_master_takes_everybody_along(self):
        self._start(processes=2)
        children = self._started(2)
        self.program.kill()
        self._await_end(*children, *(line[1] for line in children.values()))

    def test_it_needs_no_semaphores(self):
        self._start('no semaphores')
        self._started()
        self.program.send_signal(signal.SIGTERM)
        self._expect('stopped')
        self.assertEqual(0, self._exit_code())

    def test_a_killed_child_is_started_again(self):
        self._start()
        ((first, _),) = self._started().items()
        os.kill(first, signal.SIGKILL)
        ((second, _),) = self._started().items()
        self.assertNotEqual(first, second)

    def test_a_worker_that_ends_by_itself_is_started_again(self):
        self._start('ends')
        ((first, _),) = self._started().items()
        ((second, _),) = self._started().items()
        self.assertNotEqual(first, second)

    def test_what_cannot_start_ends_with_one_line_and_1(self):
        self._start('fails', processes=3)
        lines = self._expect('failed', 'exit')
        self.assertEqual(
            '[worker] setup: no such thing', ' '.join(lines[0][2:])
        )
        self.assertEqual(1, self._exit_code())

    def test_what_was_done_is_said_again_and_again(self):
        self._start('busy')
        deadline = time.monotonic() + DEADLINE
        said = ''
        while '3 ok; 1 running' not in said:
            self.assertLess(time.monotonic(), deadline)
            (line,) = self._expect('logged')
            said = ' '.join(line[2:])
        self.assertEqual('In the last minute: 3 ok; 1 running', said)

    def test_sigusr2_shows_what_runs(self):
        path = self.useFixture(fixtures.TempDir()).path
        self._start(REPORTS=path)
        self._started()
        self.program.send_signal(signal.SIGUSR2)
        # They are passed on and taken in order: when the second is heard by
        # the child (too), the first is done.
        self.program.send_signal(signal.SIGHUP)
        self._expect('reloaded', 'reloaded')
        (report,) = pathlib.Path(path).iterdir()
        self.assertRegex(
            report.read_text(),
            r'Running requests.*\n(?s:.*)execute stage-1 \(image.stage\) '
            r'attempt 2 of flow f-1, request r-1, for 9\d s',
        )

    def test_systemd_hears_ready_when_all_serve(self):
        path = pathlib.Path(self.useFixture(fixtures.TempDir()).path) / 'n'
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(listener.close)
        listener.bind(str(path))
        listener.settimeout(DEADLINE)
        self._start(processes=2, NOTIFY_SOCKET=str(path))
        self.assertEqual(b'READY=1', listener.recv(100))
        # Both have said that they started before the word went out.
        listener.setblocking(False)
        self.assertRaises(BlockingIOError, listener.recv, 100)
        self._started(2)

    def test_systemd_hears_nothing_of_a_start_that_failed(self):
        path = pathlib.Path(self.useFixture(fixtures.TempDir()).path) / 'n'
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(listener.close)
        listener.bind(str(path))
        listener.setblocking(False)
        self._start('fails', NOTIFY_SOCKET=str(path))
        self.assertEqual(1, self._exit_code())
        self.assertRaises(BlockingIOError, listener.recv, 100)
