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

"""What the soak runs: servers, workers and engines, each of them killable."""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import typing

from oslo_config import cfg

from taskflow_service import conf as service_conf
from taskflow_service.persistence import backends
from tests import daemons
from tests import instances
from tests.soak import tasks

#: Seconds; far shorter than an operator's.
LEASE = 5
LOST_AFTER = 30

_CONF = """\
[DEFAULT]
transport_url = {broker}
state_path = {folder}/{name}
log_file = {folder}/{name}.log
[engine]
type = workers
lease = {lease}
[remote]
namespace = {namespace}
lease = {lease}
lost_after = {lost_after}
[persistence]
backend = sqlalchemy
[database]
connection = {database}
[serialization]
allowed_modules = tests.soak
[worker]
name = {name}
slots = 4
executor = {executor}
processes = {processes}
tasks = soak.*
startup_timeout = 120
graceful_shutdown_timeout = {grace}
cancel_grace = 2
"""


def pause(seconds: float) -> None:
    """Let time go by, which is what is tried here; blocks."""
    threading.Event().wait(seconds)


class Plan(typing.NamedTuple):
    """What a fleet consists of and does."""

    broker: str
    database: str
    namespace: str = 'soak'
    seed: int = 0
    #: Flows a second that each engine starts, while fewer than ``most`` of
    #: its own are under way, and until it has started ``count`` in its lives.
    rate: float = 1.5
    most: int = 25
    count: int = 1 << 30
    #: Seconds that a task takes at the longest, but for what is to be slow.
    longest: float = 0.5
    #: Seconds that a worker which is to end lets its tasks go on.
    grace: float = 10


class Process:
    """One daemon or engine program, and all that it starts."""

    def __init__(self, fleet: Fleet, name: str, command: list[str]) -> None:
        self.fleet = fleet
        self.name = name
        self.command = command
        self.program: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        return self.program is not None and self.program.poll() is None

    def start(self) -> None:
        """Start it unless it runs."""
        if self.alive:
            return
        path = f'{self.fleet.site}:{daemons.ROOT}'
        with (self.fleet.folder / f'{self.name}.out').open('ab') as out:
            self.program = subprocess.Popen(
                [sys.executable, '-m', *self.command],
                cwd=daemons.ROOT,
                env={**os.environ, 'PYTHONPATH': path},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def tree(self) -> list[tuple[str, int]]:
        """List the roles and ids of its processes; the first one first."""
        if self.program is None or self.program.poll() is not None:
            return []
        return [
            ('first', self.program.pid),
            *below(self.program.pid, 'worker'),
        ]

    def pids(self, role: str | None = None) -> list[int]:
        """List the ids of its processes, or of those of a role."""
        return [pid for each, pid in self.tree() if role in (None, each)]

    def kill(self) -> None:
        """Kill all of it at once."""
        for pid in self.pids():
            _kill(pid, signal.SIGKILL)
        self.wait(60)

    def signal(self, number: int) -> None:
        """Send a signal to its first process."""
        if self.alive:
            assert self.program is not None
            _kill(self.program.pid, number)

    def wait(self, seconds: float) -> int | None:
        """Wait for its first process; None if that lives on."""
        if self.program is None:
            return None
        try:
            return self.program.wait(seconds)
        except subprocess.TimeoutExpired:
            return None


def below(pid: int, role: str = 'any') -> Iterator[tuple[str, int]]:
    """Yield the roles and ids of what a process started, and so on."""
    with contextlib.suppress(OSError):
        for thread in os.listdir(f'/proc/{pid}/task'):
            path = pathlib.Path(f'/proc/{pid}/task/{thread}/children')
            for child in map(int, path.read_text().split()):
                line = pathlib.Path(f'/proc/{child}/cmdline').read_bytes()
                if b'resource_tracker' in line:
                    continue
                yield role, child
                yield from below(child, 'task')


def _kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


class Fleet(contextlib.ExitStack):
    """Four workers and two engines, which have a folder in common."""

    def __init__(self, folder: pathlib.Path, plan: Plan) -> None:
        super().__init__()
        self.folder = folder
        self.plan = plan
        self.site = folder / 'site'
        self.workers = {
            name: self._make(name, executor, processes)
            for name, executor, processes in (
                ('w1', 'threads', 2),
                ('w2', 'processes', 1),
                ('w3', 'processes', 1),
                ('w4', 'threads', 1),
            )
        }
        self.engines = {
            name: self._make(name, 'threads', 1) for name in ('e1', 'e2')
        }

    @property
    def processes(self) -> dict[str, Process]:
        return {**self.workers, **self.engines}

    def _make(self, name: str, executor: str, processes: int) -> Process:
        config = self.folder / f'{name}.conf'
        config.write_text(
            _CONF.format(
                **self.plan._asdict(),
                folder=self.folder,
                name=name,
                lease=LEASE,
                lost_after=LOST_AFTER,
                executor=executor,
                processes=processes,
            )
        )
        if name.startswith('w'):
            command = ['taskflow_service.cmd.worker', '--config-file']
            return Process(self, name, [*command, str(config)])
        plan = self.plan
        numbers = (plan.seed, plan.rate, plan.most, plan.count, plan.longest)
        command = ['tests.soak.engine', str(config), str(self.folder), name]
        return Process(self, name, [*command, *map(str, numbers)])

    def start(self) -> None:
        """Start everything; the schema is made, nobody is waited for."""
        self._install()
        self.callback(self._end)
        conf = cfg.ConfigOpts()
        service_conf.register_opts(conf)
        conf(
            ['--config-file', str(self.folder / 'e1.conf')],
            default_config_dirs=[],
        )
        backend = backends.from_conf(conf, upgrade=True)
        assert backend is not None
        backend.close()
        for process in self.processes.values():
            process.start()

    def _end(self) -> None:
        for process in self.processes.values():
            process.kill()

    def _install(self) -> None:
        info = self.site / 'soaked-1.0.dist-info'
        info.mkdir(parents=True)
        (info / 'METADATA').write_text(
            'Metadata-Version: 2.1\nName: soaked\nVersion: 1.0\n'
        )
        lines = ['[taskflow_service.tasks]']
        for name, kind in tasks.TASKS.items():
            lines.append(f'{name} = {kind.__module__}:{kind.__name__}')
        (info / 'entry_points.txt').write_text('\n'.join(lines) + '\n')


class World(Fleet):
    """A fleet with a broker and a database that nobody else uses."""

    def __init__(
        self,
        folder: pathlib.Path,
        broker: instances.RabbitMQ,
        database: instances.PostgreSQL,
        query: str,
        **plan: typing.Any,
    ) -> None:
        self.broker = broker
        self.database = database
        super().__init__(
            folder, Plan(broker.url + query, database.url, **plan)
        )

    def wipe_broker(self) -> None:
        """Stop the broker, and forget all of its queues; it is down then."""
        self.broker.stop()
        shutil.rmtree(self.broker.folder / 'mnesia', ignore_errors=True)


def start_patiently(server: instances.Instance) -> None:
    """Start a server whose predecessor may not be quite gone."""
    for left in reversed(range(5)):
        try:
            return server.start()
        except RuntimeError:
            with contextlib.suppress(Exception):
                server.kill()
            if not left:
                raise
            pause(1)
