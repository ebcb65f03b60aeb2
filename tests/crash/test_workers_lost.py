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


"""What becomes of tasks whose worker vanishes, pauses or is cut off."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sqlite3
import subprocess
import threading
import time
import types
import typing

import fixtures

from taskflow_service import exceptions
from taskflow_service import states
from taskflow_service.executors import hub
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow
from tests import daemons
from tests.crash import lost


class LostTest(lost.Case):
    def _second(self) -> subprocess.Popen[str]:
        second = self._daemon('two')
        program = second.start()
        second.await_ready()
        return program

    def _vanish(self) -> None:
        """Kill the whole of the first daemon; it stays away."""
        children = daemons.children(self.program)
        for pid in (self.program.pid, *children):
            os.kill(pid, signal.SIGKILL)
        daemons.await_ends(children)

    def test_an_idempotent_task_goes_to_another_worker(self) -> None:
        self._run(self.tested.WaitAgain('waiting'))
        self._pid()
        self._second()
        self._vanish()
        began = time.monotonic()
        self._await_notes('start', 2)
        # The lease, and the time in which a message and a process move.
        self.assertLess(time.monotonic() - began, lost.LEASE + 5)
        self._go()
        self._await_end()
        self.assertIsNone(self.error)

    def test_w6_another_task_fails_after_lost_after_and_is_undone(
        self,
    ) -> None:
        self._run(
            linear_flow.Flow('two').add(
                self.tested.Before('before'), self.tested.Wait('waiting')
            )
        )
        self._pid()
        self._second()
        self._vanish()
        self._await_end()
        self.assertIsInstance(self.error, exceptions.WorkerLost)
        self.assertEqual(states.REVERTED, self.engine.storage.get_flow_state())
        self.assertEqual(1, len(self._notes('undone')))
        self.assertEqual(1, len(self._notes('start')))

    def test_a_probe_that_says_done_is_believed(self) -> None:
        self._run(self.tested.WaitDone('waiting'))
        self._pid()
        self._second()
        self._vanish()
        self._await_end()
        self.assertIsNone(self.error)
        self.assertEqual('done before', self.engine.storage.fetch('answer'))
        self.assertEqual(1, len(self._notes('start')))
        self.assertEqual(1, len(self._notes('probe')))

    def test_a_probe_that_says_not_done_starts_it_anew(self) -> None:
        self._run(self.tested.WaitNotDone('waiting'))
        self._pid()
        self._second()
        self._vanish()
        self._await_notes('start', 2)
        self._go()
        self._await_end()
        self.assertIsNone(self.error)
        self.assertEqual(1, len(self._notes('probe')))

    def test_a_probe_that_cannot_tell_is_named_beside_who_was_lost(
        self,
    ) -> None:
        self._run(self.tested.WaitUnsure('waiting'))
        self._pid()
        self._second()
        self._vanish()
        self._await_end()
        self.assertIsInstance(self.error, exceptions.WorkerLost)
        self.assertEqual('one.1', self.error.worker)
        self.assertRegex(
            str(self.error),
            r'one\.1 .* was lost while it ran execute .* is not known: its '
            r'probe, on worker two\.1 .* failed: .*nobody knows',
        )
        self.assertEqual(1, len(self._notes('start')))

    def test_an_answer_of_a_probe_that_cannot_be_kept_is_no_loss(
        self,
    ) -> None:
        logbook = self._keep_logbook()
        with contextlib.closing(sqlite3.connect(logbook)) as connection:
            connection.execute(
                'CREATE TRIGGER refuse BEFORE UPDATE ON tfs_atom_details '
                "WHEN new.results LIKE '%done before%' "
                "BEGIN SELECT RAISE(ABORT, 'not that'); END"
            )
        self._run(self.tested.WaitDone('waiting'))
        self._pid()
        self._second()
        self._vanish()
        self._await_end()
        self.assertIsInstance(self.error, exceptions.ValueNotStorable)
        self.assertIn("Of task 'waiting', result", str(self.error))
        self.assertEqual(states.REVERTED, self.engine.storage.get_flow_state())

    def test_a_late_outcome_of_a_paused_worker_is_refused_and_kept(
        self,
    ) -> None:
        log = self.useFixture(fixtures.FakeLogger(level=logging.WARNING))
        logbook = self._keep_logbook()
        self._run(self.tested.WaitAgain('waiting'))
        paused = self._pid()
        self._second()
        os.kill(paused, signal.SIGSTOP)
        self.addCleanup(lost.go_on, paused)
        pids = [int(line[1]) for line in self._await_notes('start', 2)]
        self._go()
        self._await_end()
        self.assertIsNone(self.error)
        before = self._rows(logbook, 'SELECT * FROM tfs_atom_details')
        os.kill(paused, signal.SIGCONT)
        found = self._await_late(logbook)
        # Of the worker that was paused, of no request that is current, once.
        ((request, name, outcome),) = found
        self.assertTrue(name.startswith('one.'), name)
        self.assertIn('"ok"', outcome)
        self.assertIn(str(pids[0]), outcome)
        self.assertNotIn(request, str(before))
        self.assertEqual(1, log.output.count('Refused a late outcome (ok)'))
        self.assertEqual(1, hub.shared(self.first.conf).evidence.refused)
        # What has replaced it is as it was.
        self.assertEqual(
            before, self._rows(logbook, 'SELECT * FROM tfs_atom_details')
        )
        self.assertEqual(pids[1], self.engine.storage.fetch('answer'))
        # The worker may forget it, and does: a drain waits for nobody.
        self.assertEqual(2, len(self._notes('end')))
        self.first.drain(self.program)


class KilledTest(lost.Case):
    """It is known at once when the worker is there again, by its name."""

    lost_after = 10.0 * daemons.DEADLINE

    def _lose(self, *pids: int) -> None:
        """Kill processes while a task runs that may not run again."""
        self._run(
            linear_flow.Flow('two').add(
                self.tested.Before('before'), self.tested.Wait('waiting')
            )
        )
        self._pid()
        children = daemons.children(self.program)
        for pid in pids or (self.program.pid, *children):
            os.kill(pid, signal.SIGKILL)
        daemons.await_ends(children)

    def _assert_known(self) -> None:
        self._await_end()
        self.assertIsInstance(self.error, exceptions.WorkerLost)
        self.assertEqual(states.REVERTED, self.engine.storage.get_flow_state())
        self.assertEqual(1, len(self._notes('undone')))
        self.assertEqual(1, len(self._notes('start')))

    def test_a_child_that_is_killed(self) -> None:
        """Its master starts another by itself."""
        self._lose(*daemons.children(self.program))
        self._assert_known()

    def test_a_master_that_is_killed(self) -> None:
        """Its child ends with it, and the task with the child."""
        self._lose(self.program.pid)
        self.first.start()
        self.first.await_ready()
        self._assert_known()

    def test_all_are_killed(self) -> None:
        self._lose()
        self.first.start()
        self.first.await_ready()
        self._assert_known()


class BusyTest(lost.Case):
    """Four slots, so four of these are all that the worker can do."""

    def _fill(self, name: str, **store: typing.Any) -> None:
        log = self.useFixture(fixtures.FakeLogger(level=logging.WARNING))
        flow = unordered_flow.Flow('busy')
        task = getattr(self.tested, name)
        for number in range(4):
            flow.add(task(f'busy {number}', provides=f'{number}'))
        self._run(flow, **store)
        self._await_notes('start', 4)
        if name == 'Wait':
            threading.Event().wait(lost.LEASE + 2)
            self._go()
        self._await_end()
        self.assertIsNone(self.error)
        # Nothing was tried anew, and nobody was thought lost.
        self.assertEqual(4, len(self._notes('start')))
        self.assertEqual('', log.output)

    def test_a_worker_that_is_busy_for_longer_than_its_lease_lives(
        self,
    ) -> None:
        self._fill('Wait')

    def test_a_worker_that_burns_its_processor_for_longer_lives(self) -> None:
        self._fill('Burn', seconds=lost.LEASE + 2)


class TaskProcessTest(lost.Case):
    """Tasks in processes of their own, below the worker's process."""

    options = types.MappingProxyType(
        {'executor': 'processes', 'slots': 2, 'cancel_grace': 1}
    )

    def _worker(self) -> int:
        (pid,) = daemons.children(self.program)
        return pid

    def test_a_task_process_that_dies_costs_its_task_alone(self) -> None:
        self._run(self.tested.Wait('waiting'))
        worker = self._worker()
        os.kill(self._pid(), signal.SIGKILL)
        self._await_end()
        self.assertIsInstance(self.error, exceptions.WorkerLost)
        self._run(self.tested.Before('before'))
        self._await_end()
        self.assertIsNone(self.error)
        self.assertEqual(worker, self._worker())

    def test_a_task_ends_with_its_worker(self) -> None:
        self._run(self.tested.Wait('waiting'))
        pid = self._pid()
        worker = self._worker()
        self.assertNotEqual(pid, worker)
        os.kill(worker, signal.SIGKILL)
        daemons.await_ends([pid, worker])
        self._await_end()
        self.assertIsInstance(self.error, exceptions.WorkerLost)
        self.assertEqual([], self._notes('end'))

    def test_a_time_limit_is_enforced(self) -> None:
        work = self.tested.Wait('waiting')
        work.run_timeout = 1.0
        self._run(work)
        pid = self._pid()
        self._await_end()
        self.assertIsInstance(self.error, exceptions.RunTimeout)
        # It is gone before its end is told.
        self.assertRaises(ProcessLookupError, os.kill, pid, 0)

    def test_a_drain_lets_a_task_process_end_its_task(self) -> None:
        self._run(self.tested.Wait('waiting'))
        self._pid()
        self.program.terminate()
        self.first.await_log(self.program, 'worker processes drain')
        self._go()
        self._await_end()
        self.assertIsNone(self.error)
        self.assertEqual(0, self.program.wait(daemons.DEADLINE))
