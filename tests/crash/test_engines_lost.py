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


"""What becomes of tasks whose engine vanishes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid

from taskflow_service import states
from tests import daemons
from tests.crash import lost


class EngineLostTest(lost.Case):
    """The engine is a program of its own; what it does is durable."""

    def setUp(self) -> None:
        super().setUp()
        self.uuid = str(uuid.uuid4())
        config = self.first.file
        config.write_text(
            config.read_text()
            + f'[database]\nconnection = sqlite:///{self.path}/logbook\n'
            + '[persistence]\nbackend = sqlalchemy\n'
        )

    def _engine(self, *more: str) -> subprocess.Popen[str]:
        program = subprocess.Popen(
            [
                sys.executable,
                '-m',
                'tests.engine_program',
                str(self.first.file),
                self.uuid,
                str(self.path),
                *more,
            ],
            cwd=daemons.ROOT,
            env={
                **os.environ,
                'PYTHONPATH': f'{self.first.site}:{daemons.ROOT}',
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(program.kill)
        return program

    def _await_lines(self, word: str, program: subprocess.Popen[str]) -> None:
        deadline = time.monotonic() + daemons.DEADLINE
        while not self._notes(word):
            self.assertLess(time.monotonic(), deadline)
            if program.poll() is not None:
                self.fail(''.join(program.communicate()))
            threading.Event().wait(0.05)

    def _finish(self, program: subprocess.Popen[str]) -> str:
        out, err = program.communicate(timeout=daemons.DEADLINE)
        self.assertEqual([states.SUCCESS], out.split()[-1:], err)
        return err

    def _assert_done_once(self) -> None:
        for word in ('before', 'start', 'end', 'step'):
            self.assertEqual(1, len(self._notes(word)), word)

    def test_w13_the_next_engine_takes_a_running_task_up(self) -> None:
        program = self._engine()
        self._await_lines('start', program)
        program.kill()
        program.communicate()
        again = self._engine()
        threading.Event().wait(2.0)
        self._go()
        self._finish(again)
        self._assert_done_once()

    def test_the_next_engine_takes_a_result_that_waits(self) -> None:
        program = self._engine()
        self._await_lines('start', program)
        program.kill()
        program.communicate()
        self._go()
        deadline = time.monotonic() + daemons.DEADLINE
        while not self._notes('end'):
            self.assertLess(time.monotonic(), deadline)
            threading.Event().wait(0.05)
        self._finish(self._engine())
        self._assert_done_once()

    def test_a_late_result_of_a_dead_engine_is_kept_by_another(self) -> None:
        program = self._engine('WaitAgain')
        self._await_lines('start', program)
        paused = int(self._notes('start')[0][1])
        second = self._daemon('two')
        second.start()
        second.await_ready()
        os.kill(paused, signal.SIGSTOP)
        self.addCleanup(lost.go_on, paused)
        deadline = time.monotonic() + daemons.DEADLINE
        while len(self._notes('start')) < 2:
            self.assertLess(time.monotonic(), deadline)
            threading.Event().wait(0.05)
        self._go()
        # The flow ends by its second attempt, and its engine with it.
        self._finish(program)
        os.kill(paused, signal.SIGCONT)
        logbook = self._keep_logbook()
        self._run(self.tested.Before('mine'))
        self._await_end()
        self.assertIsNone(self.error)
        ((_request, name, outcome),) = self._await_late(logbook)
        self.assertTrue(name.startswith('one.'), name)
        self.assertIn(str(paused), outcome)
        self.first.drain(self.program)

    def test_a_result_outlives_both_its_engine_and_its_worker(self) -> None:
        program = self._engine()
        self._await_lines('start', program)
        program.kill()
        program.communicate()
        self.program.terminate()
        self.first.await_log(self.program, 'worker processes drain')
        self._go()
        # Nobody records the outcome: the grace time goes by.
        self.assertEqual(0, self.program.wait(2 * daemons.DEADLINE))
        self.program = self.first.start()
        self.first.await_ready()
        self._finish(self._engine())
        self._assert_done_once()
