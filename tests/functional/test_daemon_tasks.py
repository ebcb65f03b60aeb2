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

"""What becomes of a task when the daemon that runs it ends or dies."""

from __future__ import annotations

import os
import pathlib
import signal
import textwrap
import threading
import time
import traceback

from oslotest import base

from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service.patterns import linear_flow
from taskflow_service.persistence import backends
from tests import daemons
from tests import servers

# A task that says where it runs and then waits for a word: a line in one
# named pipe, then from another.
_TASKS = textwrap.dedent("""
    import os
    from taskflow_service import task

    class Wait(task.Task):
        default_provides = 'answer'

        def execute(self, path):
            with open(os.path.join(path, 'starts'), 'a') as starts:
                starts.write(f'{os.getpid()}\\n')
            with open(os.path.join(path, 'word')) as word:
                return word.readline()

    class WaitAgain(Wait):
        idempotent = True

    class Done(task.Task):
        def execute(self, path):
            return os.getpid()

        def revert(self, path, result, **kwargs):
            with open(os.path.join(path, 'reverts'), 'a') as reverts:
                reverts.write(f'{result} {os.getpid()}\\n')

    class Break(task.Task):
        def execute(self):
            raise ValueError('the glass broke')
""")


class DaemonTasksTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        broker = self.useFixture(servers.RabbitMQ())
        self.daemon = self.useFixture(
            daemons.Daemon(
                broker,
                modules={'tested': _TASKS},
                tasks={
                    'tested.wait': 'tested:Wait',
                    'tested.again': 'tested:WaitAgain',
                    'tested.done': 'tested:Done',
                    'tested.break': 'tested:Break',
                },
            )
        )
        self.tested = self.daemon.import_module('tested')
        self.starts = self.daemon.path / 'starts'
        os.mkfifo(self.daemon.path / 'word')
        self.program = self.daemon.start()
        self.daemon.await_ready()

    def _run(self, name):
        """Run a flow of one task in a thread."""
        engine = engines.load(
            getattr(self.tested, name)('waiting'),
            conf=self.daemon.conf,
            store={'path': str(self.daemon.path)},
        )
        self.engine = engine
        self.error = None

        def run():
            try:
                engine.run()
            except Exception as exc:
                self.error = exc

        self.running = threading.Thread(target=run, daemon=True)
        self.running.start()

    def _await_start(self, number=1):
        """Wait until the task has started so often; return the process."""
        deadline = time.monotonic() + daemons.DEADLINE
        while True:
            if self.starts.exists():
                lines = self.starts.read_text().split()
                if len(lines) >= number:
                    self.assertEqual(number, len(lines))
                    return int(lines[-1])
            self.assertLess(time.monotonic(), deadline, self.daemon.read_log())
            self.running.join(0.05)
            self.assertTrue(self.running.is_alive(), repr(self.error))

    def _say_word(self):
        pathlib.Path(self.daemon.path / 'word').write_text('go on')

    def _await_end(self):
        self.running.join(daemons.DEADLINE)
        self.assertFalse(self.running.is_alive(), self.daemon.read_log())

    def test_a_failure_is_raised_here_and_reverted_there(self):
        database = self.useFixture(servers.PostgreSQL()).url
        conf = self.daemon.conf
        conf.set_override('backend', 'sqlalchemy', 'persistence')
        conf.set_override('connection', database, 'database')
        backend = backends.from_conf(conf, upgrade=True)
        self.addCleanup(backend.close)
        engine = engines.load(
            linear_flow.Flow('breaks').add(
                self.tested.Done('done'), self.tested.Break('break')
            ),
            conf=conf,
            store={'path': str(self.daemon.path)},
        )
        error = self.assertRaises(ValueError, engine.run)
        self.assertEqual('the glass broke', str(error))
        # Where it was raised is told, in the words of the other process.
        told = ''.join(traceback.format_exception(error))
        self.assertIn(f'{self.daemon.site}/tested.py', told)
        self.assertIn("raise ValueError('the glass broke')", told)
        kept = backend.get_connection().get_flow_details(
            engine.storage.flow_uuid
        )
        self.assertEqual('REVERTED', kept.state)
        states = {atom.name: atom.state for atom in kept}
        self.assertEqual(
            ['REVERTED', 'REVERTED'], [states['done'], states['break']]
        )
        (worker,) = daemons.children(self.program)
        self.assertEqual(
            f'{worker} {worker}\n',
            (self.daemon.path / 'reverts').read_text(),
        )
        self.daemon.drain(self.program)

    def test_a_drain_lets_a_task_end(self):
        self._run('Wait')
        self._await_start()
        self.program.terminate()
        self.daemon.await_log(self.program, 'worker processes drain')
        self._say_word()
        self._await_end()
        self.assertIsNone(self.error)
        self.assertEqual('go on', self.engine.storage.fetch('answer'))
        self.assertEqual(0, self.program.wait(daemons.DEADLINE))

    def test_sighup_does_not_disturb_a_task(self):
        self._run('Wait')
        self._await_start()
        self.program.send_signal(signal.SIGHUP)
        self.daemon.await_log(
            self.program, 'has read its configuration again', 2
        )
        self._say_word()
        self._await_end()
        self.assertIsNone(self.error)
        self.daemon.drain(self.program)

    def test_an_idempotent_task_of_a_killed_process_runs_again(self):
        self._run('WaitAgain')
        os.kill(self._await_start(), signal.SIGKILL)
        self._await_start(2)
        self._say_word()
        self._await_end()
        self.assertIsNone(self.error)
        self.assertEqual('go on', self.engine.storage.fetch('answer'))
        self.daemon.drain(self.program)

    def test_another_task_of_a_killed_process_fails_soon(self):
        # The process that is started anew proves the death, so that nobody
        # waits for [remote] lost_after, which is longer than this test does.
        self._run('Wait')
        os.kill(self._await_start(), signal.SIGKILL)
        self._await_end()
        self.assertIsInstance(self.error, exceptions.WorkerLost)
        self.daemon.drain(self.program)

    def test_what_a_second_sigint_kills_is_lost(self):
        self._run('Wait')
        self._await_start()
        self.program.send_signal(signal.SIGINT)
        self.daemon.await_log(self.program, 'worker processes drain')
        self.program.send_signal(signal.SIGINT)
        self.assertEqual(130, self.program.wait(daemons.DEADLINE))
        again = self.daemon.start()
        self._await_end()
        self.assertIsInstance(self.error, exceptions.WorkerLost)
        self.daemon.await_ready()
        self.daemon.drain(again)
