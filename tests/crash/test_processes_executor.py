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

"""Tasks of the parallel engine in processes that die, hang and recover."""

from __future__ import annotations

import os
import pathlib
import select
import signal
import threading

import fixtures
from oslotest import base

from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import states
from taskflow_service import task
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow

WAIT = 60


class Pid(task.Task):
    """Says in which process it runs."""

    def execute(self) -> int:
        return os.getpid()


class Die(task.Task):
    """Takes its process with it."""

    def execute(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Deaf(task.Task):
    """Neither hears SIGTERM nor looks at its token."""

    def execute(self, path: str) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        pathlib.Path(path).write_text(str(os.getpid()))
        threading.Event().wait()


class Greedy(task.Task):
    """Wants more memory than it may have."""

    memory_limit = 1 << 31

    def execute(self) -> int:
        return len(bytearray(1 << 32))


class Lock(task.Task):
    """Returns what cannot leave a process."""

    def execute(self) -> object:
        return threading.Lock()


def load(flow: object, **options: object) -> object:
    return engines.load(
        flow, engine='parallel', executor='processes', max_workers=2, **options
    )


class ProcessesExecutorTest(base.BaseTestCase):
    """What a task does to its process is its failure, and no other's."""

    def test_tasks_run_in_processes_of_their_own(self) -> None:
        engine = load(
            unordered_flow.Flow('f').add(
                Pid('a', provides='a'), Pid('b', provides='b')
            )
        )
        engine.run()
        found = engine.storage.fetch_all()
        self.assertNotIn(os.getpid(), found.values())

    def test_a_task_that_kills_its_process_fails_and_the_pool_goes_on(
        self,
    ) -> None:
        engine = load(
            unordered_flow.Flow('f').add(
                Die('d'), *(Pid(f'p{n}', provides=f'p{n}') for n in range(4))
            ),
            never_resolve=True,
        )
        error = self.assertRaises(exceptions.ExecutionFailure, engine.run)
        self.assertIn('signal 9', str(error))
        self.assertIn("'d'", str(error))
        self.assertEqual(states.FAILURE, engine.storage.get_atom_state('d'))
        again = load(linear_flow.Flow('g').add(Pid('p', provides='p')))
        again.run()
        self.assertEqual(states.SUCCESS, again.storage.get_flow_state())

    def test_a_process_that_is_killed_while_idle_fails_nothing(self) -> None:
        engine = engines.load(
            linear_flow.Flow('f').add(
                Pid('a', provides='a'), Pid('b', provides='b')
            ),
            engine='parallel',
            executor='processes',
            max_workers=1,
        )

        def kill(state: str, details: dict[str, object]) -> None:
            pid = engine.storage.fetch('a')
            if details['task_name'] == 'a':
                handle = os.pidfd_open(pid)
                self.addCleanup(os.close, handle)
                os.kill(pid, signal.SIGKILL)
                select.select([handle], [], [], WAIT)

        engine.atom_notifier.register(states.SUCCESS, kill)
        engine.run()
        results = engine.storage.fetch_all()
        self.assertNotEqual(results['a'], results['b'])

    def test_a_task_that_does_not_stop_is_killed(self) -> None:
        path = pathlib.Path(self.useFixture(fixtures.TempDir()).path, 'pid')
        deaf = Deaf('deaf')
        deaf.run_timeout = 2.0
        engine = load(
            linear_flow.Flow('f').add(deaf),
            store={'path': str(path)},
            cancel_grace=0.5,
        )
        self.assertRaises(exceptions.RunTimeout, engine.run)
        self.assertEqual(states.REVERTED, engine.storage.get_flow_state())
        # Its request ended because its process had.
        pid = int(path.read_text())
        self.assertRaises(ProcessLookupError, os.kill, pid, 0)

    def test_memory_is_limited(self) -> None:
        engine = load(linear_flow.Flow('f').add(Greedy('g')))
        self.assertRaises(MemoryError, engine.run)

    def test_what_cannot_leave_a_process_fails_its_task(self) -> None:
        engine = load(linear_flow.Flow('f').add(Lock('l')))
        error = self.assertRaises(exceptions.ValueNotStorable, engine.run)
        self.assertIn("'l'", str(error))
        self.assertIn('lock', str(error))

    def test_a_task_that_cannot_travel_is_refused_at_compile(self) -> None:
        engine = load(
            linear_flow.Flow('f').add(
                task.FunctorTask(lambda: None, name='nameless')
            )
        )
        error = self.assertRaises(
            exceptions.CompilationFailure, engine.compile
        )
        self.assertIn("'nameless'", str(error))
