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


"""What becomes of tasks whose worker vanishes, pauses or is cut off.

Real daemons on RabbitMQ with the shortest leases that are allowed.
"""

from __future__ import annotations

from concurrent import futures
import contextlib
import importlib
import logging
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
import types
import typing
import uuid

import fixtures
from oslotest import base

from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import identity
from taskflow_service import states
from taskflow_service.engines import embedded
from taskflow_service.executors import hub
from taskflow_service.messaging import transport
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow
from taskflow_service.persistence import backends
from tests import daemons
from tests import servers

LEASE = 5
LOST_AFTER = 12.0
_OURS = ' taskflow_service.'

# Tasks that leave a line for each start, each undo and each probe, and wait
# for a file.
_TASKS = textwrap.dedent("""
    import os
    import time
    from taskflow_service import task

    def note(path, *words):
        with open(os.path.join(path, 'notes'), 'a') as notes:
            notes.write(' '.join(map(str, words)) + '\\n')

    class Before(task.Task):
        def execute(self, path):
            note(path, 'before')

        def revert(self, path, **kwargs):
            note(path, 'undone')

    class Wait(task.Task):
        default_provides = 'answer'

        def execute(self, path):
            note(path, 'start', os.getpid(), task.current().attempt)
            deadline = time.monotonic() + 120
            while not os.path.exists(os.path.join(path, 'go')):
                if time.monotonic() > deadline:
                    raise RuntimeError('nobody came')
                time.sleep(0.02)
            note(path, 'end', os.getpid())
            return os.getpid()

    class WaitAgain(Wait):
        idempotent = True

    class WaitDone(Wait):
        def probe(self, path):
            note(path, 'probe')
            return task.Done('done before')

    class WaitNotDone(Wait):
        def probe(self, path):
            note(path, 'probe')
            return task.NOT_DONE

    class Polite(task.Task):
        def execute(self, path):
            note(path, 'start', os.getpid(), task.current().attempt)
            if task.current().cancellation.wait(120):
                note(path, 'stopped')
            task.current().cancellation.raise_if_cancelled()

    class Burn(task.Task):
        def execute(self, path, seconds):
            note(path, 'start', os.getpid(), task.current().attempt)
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                pass

    class Step(task.Task):
        def execute(self, path):
            note(path, 'step', self.name)
            time.sleep(0.1)

    class StepAgain(Step):
        idempotent = True
""")

_NAMES = (
    'Before',
    'Wait',
    'WaitAgain',
    'WaitDone',
    'WaitNotDone',
    'Polite',
    'Burn',
    'Step',
    'StepAgain',
)


class _Case(base.BaseTestCase):
    """An engine in this process, daemons beside it."""

    private = False
    lost_after: float = LOST_AFTER
    options: typing.Mapping[str, object] = types.MappingProxyType({})

    def setUp(self) -> None:
        super().setUp()
        self.broker = self.useFixture(servers.RabbitMQ(private=self.private))
        self.first = self._daemon('one')
        self.path = self.first.path
        sys.path.insert(0, str(self.first.site))
        self.addCleanup(sys.modules.pop, 'tested', None)
        self.addCleanup(sys.path.remove, str(self.first.site))
        self.tested = importlib.import_module('tested')
        self.program = self.first.start()
        self.first.await_ready()

    def _daemon(self, name: str) -> daemons.Daemon:
        """Lay out a daemon that has a name and a state path of its own."""
        made = self.useFixture(
            daemons.Daemon(
                self.broker,
                modules={'tested': _TASKS},
                tasks={
                    f'tested.{name.lower()}': f'tested:{name}'
                    for name in _NAMES
                },
                name=name,
                graceful_shutdown_timeout=10,
                **self.options,
            )
        )
        limits = f'[remote]\nlease = {LEASE}\nlost_after = {self.lost_after}\n'
        made.file.write_text(made.file.read_text() + limits)
        made.conf.set_override('lease', float(LEASE), 'remote')
        made.conf.set_override('lost_after', self.lost_after, 'remote')
        for room in (identity, transport, hub, embedded):
            self.addCleanup(room.forget, made.conf)
        return made

    def _run(self, flow: typing.Any, **store: typing.Any) -> None:
        """Run a flow in a thread."""
        self.engine = engines.load(
            flow, conf=self.first.conf, store={'path': str(self.path), **store}
        )
        self.error: Exception | None = None

        def run() -> None:
            try:
                self.engine.run()
            except Exception as exc:
                self.error = exc

        self.running = threading.Thread(target=run, daemon=True)
        self.running.start()

    def _notes(self, word: str) -> list[list[str]]:
        file = self.path / 'notes'
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.split() for line in lines if line.split()[0] == word]

    def _await_notes(self, word: str, count: int = 1) -> list[list[str]]:
        deadline = time.monotonic() + daemons.DEADLINE
        while len(self._notes(word)) < count:
            self.assertLess(time.monotonic(), deadline, self.first.read_log())
            self.running.join(0.05)
            if not self.running.is_alive():
                break
        found = self._notes(word)
        self.assertEqual(count, len(found), repr(self.error))
        return found

    def _go(self) -> None:
        (self.path / 'go').touch()

    def _await_end(self) -> None:
        self.running.join(daemons.DEADLINE)
        self.assertFalse(self.running.is_alive(), self.first.read_log())

    def _kill(self, program: subprocess.Popen[str]) -> None:
        """Kill a daemon and all of its processes."""
        os.killpg(program.pid, signal.SIGKILL)
        for pid in daemons.children(program):
            os.kill(pid, signal.SIGKILL)
        program.wait(daemons.DEADLINE)

    def _pid(self) -> int:
        return int(self._await_notes('start')[0][1])


class LostTest(_Case):
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
        self.assertLess(time.monotonic() - began, LEASE + 5)
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

    def test_a_late_outcome_of_a_paused_worker_is_refused_and_kept(
        self,
    ) -> None:
        log = self.useFixture(fixtures.FakeLogger(level=logging.WARNING))
        logbook = self._keep_logbook()
        self._run(self.tested.WaitAgain('waiting'))
        paused = self._pid()
        self._second()
        os.kill(paused, signal.SIGSTOP)
        self.addCleanup(self._continue, paused)
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

    def _keep_logbook(self) -> str:
        """Keep the flows of this test in a logbook; return its file."""
        path = str(self.path / 'logbook')
        conf = self.first.conf
        conf.set_override('connection', f'sqlite:///{path}', 'database')
        conf.set_override('backend', 'sqlalchemy', 'persistence')
        backend = backends.from_conf(conf, upgrade=True)
        assert backend is not None
        backend.close()
        return path

    @staticmethod
    def _rows(logbook: str, query: str) -> list[typing.Any]:
        """Look into a logbook as another program would."""
        with contextlib.closing(sqlite3.connect(logbook)) as connection:
            return connection.execute(query).fetchall()

    def _await_late(self, logbook: str) -> list[typing.Any]:
        query = 'SELECT request_uuid, worker, outcome FROM tfs_late_outcomes'
        deadline = time.monotonic() + daemons.DEADLINE
        while True:
            found = self._rows(logbook, query)
            if found:
                return found
            self.assertLess(time.monotonic(), deadline, self.first.read_log())
            threading.Event().wait(0.05)

    def _continue(self, pid: int) -> None:
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass


class KilledTest(_Case):
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


class BusyTest(_Case):
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
            threading.Event().wait(LEASE + 2)
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
        self._fill('Burn', seconds=LEASE + 2)


class BrokerAwayTest(_Case):
    """A broker that goes away costs time, and nothing else."""

    private = True
    lost_after = 120.0
    AWAY = float(os.environ.get('TFS_BROKER_AWAY', '60'))
    FLOWS = 100
    STEPS = 6

    def _run_flows(self) -> list[futures.Future[None]]:
        """Begin flows of which half may run a task twice, and do not."""
        self.loop = engines.Loop(self.first.conf)
        self.addCleanup(self.loop.close, False)
        runs = []
        for number in range(self.FLOWS):
            step = self.tested.StepAgain if number % 2 else self.tested.Step
            flow = linear_flow.Flow(f'flow-{number}')
            for count in range(self.STEPS):
                flow.add(step(f'step-{number}-{count}'))
            engine = engines.load(
                flow, conf=self.first.conf, store={'path': str(self.path)}
            )
            runs.append(self.loop.submit(engine))
        return runs

    def _await_steps(self, count: int) -> None:
        deadline = time.monotonic() + 2 * daemons.DEADLINE
        while len(self._notes('step')) < count:
            self.assertLess(time.monotonic(), deadline)
            threading.Event().wait(0.05)

    def test_w9_all_flows_finish_and_no_task_runs_twice(self) -> None:
        log = self.useFixture(
            fixtures.FakeLogger(
                level=logging.INFO, format='%(levelname)s %(name)s %(message)s'
            )
        )
        server = typing.cast(typing.Any, self.broker.server)
        runs = self._run_flows()
        self._await_steps(10)
        server.stop()
        threading.Event().wait(self.AWAY)
        self.assertLess(len(self._notes('step')), self.FLOWS * self.STEPS / 2)
        server.start()
        self._await_steps(self.FLOWS * self.STEPS // 2)
        server.stop()
        # With all of its queues.
        shutil.rmtree(server.folder / 'mnesia')
        server.start()
        done = futures.wait(runs, timeout=2 * daemons.DEADLINE)
        self.assertEqual(set(), done.not_done)
        for run in runs:
            run.result()
        names = sorted(line[1] for line in self._notes('step'))
        wanted = sorted(
            f'step-{number}-{count}'
            for number in range(self.FLOWS)
            for count in range(self.STEPS)
        )
        self.assertEqual(wanted, names)
        ours = [line for line in log.output.splitlines() if _OURS in line]
        self._assert_told(ours)
        # The daemon keeps those quiet, too, on whom it depends.
        self._assert_told(self.first.read_log().splitlines())

    def _assert_told(self, lines: list[str]) -> None:
        """What was going on can be read, in a few lines."""
        bad = [
            line for line in lines if 'WARNING ' in line or 'ERROR ' in line
        ]
        self.assertIn('Cannot send over', '\n'.join(bad))
        self.assertIn('again, after', '\n'.join(lines))
        # Of each of two outages what is new, and that once a minute.
        self.assertLessEqual(len(bad), 20 + self.AWAY / 6, '\n'.join(bad))


class TaskProcessTest(_Case):
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


class CutOffTest(_Case):
    """A worker that cannot know whether it is heard gives itself up."""

    private = True

    def test_it_stops_its_task_and_is_started_again(self) -> None:
        self._run(
            linear_flow.Flow('two').add(
                self.tested.Before('before'), self.tested.Polite('waiting')
            )
        )
        pid = self._pid()
        server = typing.cast(typing.Any, self.broker.server)
        server.stop()
        self.first.await_log(self.program, 'was cut off')
        self.first.await_log(self.program, 'gives up its worker')
        daemons.await_ends([pid])
        self.assertEqual(1, len(self._notes('stopped')))
        server.start()
        self._await_end()
        self.assertIsInstance(self.error, exceptions.WorkerLost)
        self.assertEqual(1, len(self._notes('start')))
        # By the process that was started in its place.
        self.assertEqual(1, len(self._notes('undone')))


class EngineLostTest(_Case):
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

    def _engine(self) -> subprocess.Popen[str]:
        program = subprocess.Popen(
            [
                sys.executable,
                '-m',
                'tests.engine_program',
                str(self.first.file),
                self.uuid,
                str(self.path),
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
