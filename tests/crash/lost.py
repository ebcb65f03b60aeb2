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


"""What tests of lost workers share: a daemon, an engine, and tasks.

Real daemons on RabbitMQ with the shortest leases that are allowed. The tasks
leave a line for each start, each undo and each probe, and wait for a file.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import textwrap
import threading
import time
import types
import typing

from oslotest import base

from taskflow_service import engines
from taskflow_service.persistence import backends
from tests import daemons
from tests import servers

LEASE = 5
LOST_AFTER = 12.0

TASKS = textwrap.dedent("""
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

    class WaitUnsure(Wait):
        def probe(self, path):
            raise RuntimeError('nobody knows')

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


NAMES = (
    'Before',
    'Wait',
    'WaitAgain',
    'WaitDone',
    'WaitUnsure',
    'WaitNotDone',
    'Polite',
    'Burn',
    'Step',
    'StepAgain',
)


class Case(base.BaseTestCase):
    """An engine in this process, daemons beside it."""

    private = False
    lost_after: float = LOST_AFTER
    options: typing.Mapping[str, object] = types.MappingProxyType({})

    def setUp(self) -> None:
        super().setUp()
        self.broker = self.useFixture(servers.RabbitMQ(private=self.private))
        self.first = self._daemon('one')
        self.path = self.first.path
        self.tested = self.first.import_module('tested')
        self.program = self.first.start()
        self.first.await_ready()

    def _daemon(self, name: str) -> daemons.Daemon:
        """Lay out a daemon that has a name and a state path of its own."""
        made = self.useFixture(
            daemons.Daemon(
                self.broker,
                modules={'tested': TASKS},
                tasks={
                    f'tested.{name.lower()}': f'tested:{name}'
                    for name in NAMES
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


def go_on(pid: int) -> None:
    """Continue a process, if it is still there."""
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        pass
