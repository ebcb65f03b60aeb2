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

"""taskflow-worker as a fixture: a real daemon on a real broker.

What it serves besides the package's own tasks is laid out as a distribution
on disk, as if it were installed.
"""

from __future__ import annotations

import importlib
import os
import pathlib
import select
import socket
import subprocess
import sys
import time
import types

import fixtures
from oslo_config import cfg

from taskflow_service import conf as service_conf
from taskflow_service import identity
from taskflow_service import registry
from taskflow_service.engines import embedded
from taskflow_service.executors import hub
from taskflow_service.messaging import transport
from taskflow_service.notifications import publisher
from tests import servers

ROOT = pathlib.Path(__file__).parent.parent
DEADLINE = 60


class Daemon(fixtures.Fixture):
    """Configuration, state path and log of daemons that come and go.

    ``conf`` is the same configuration for engines in the test, ``text`` more
    groups for its file. Each
    ``start()`` gives a process; what is still there is killed at the end, and
    what the test's engines made for ``conf`` is closed.
    """

    def __init__(
        self,
        broker: servers.RabbitMQ,
        processes: int = 1,
        modules: dict[str, str] | None = None,
        tasks: dict[str, str] | None = None,
        text: str = '',
        **worker: object,
    ) -> None:
        super().__init__()
        self._broker = broker
        self._modules = modules or {}
        self._tasks = tasks or {}
        self._text = text
        self._worker = {
            'name': 'host',
            'processes': processes,
            'startup_timeout': 60,
            **worker,
        }

    def _setUp(self) -> None:
        self.path = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.log = self.path / 'worker.log'
        self.file = self.path / 'service.conf'
        options = '\n'.join(
            f'{name} = {value}' for name, value in self._worker.items()
        )
        self.file.write_text(
            f'[DEFAULT]\n'
            f'transport_url = {self._broker.url}\n'
            f'state_path = {self.path / "state"}\n'
            f'log_file = {self.log}\n'
            f'[engine]\ntype = workers\n'
            f'[remote]\nnamespace = {self._broker.namespace}\n'
            f'[worker]\n{options}\n'
            f'{self._text}'
        )
        self._install()
        self.conf = cfg.ConfigOpts()
        service_conf.register_opts(self.conf)
        transport.register_opts(self.conf)
        self.conf(['--config-file', str(self.file)], default_config_dirs=[])
        # What engines of the test have made for it, the last made first.
        for room in (identity, transport, hub, embedded, publisher):
            self.addCleanup(room.forget, self.conf)

    def _install(self) -> None:
        self.site = self.path / 'site'
        info = self.site / 'tested-1.0.dist-info'
        info.mkdir(parents=True)
        (info / 'METADATA').write_text(
            'Metadata-Version: 2.1\nName: tested\nVersion: 1.0\n'
        )
        lines = [f'{name} = {path}' for name, path in self._tasks.items()]
        (info / 'entry_points.txt').write_text(
            '[taskflow_service.tasks]\n' + '\n'.join(lines) + '\n'
        )
        for name, text in self._modules.items():
            (self.site / f'{name}.py').write_text(text)

    def import_module(self, name: str) -> types.ModuleType:
        """Import one of its modules here, as if it were installed here too.

        Its tasks have the names here that they have there, whatever was
        looked up before. Both are undone with the fixture.
        """
        sys.path.insert(0, str(self.site))
        self.addCleanup(registry.forget)
        self.addCleanup(sys.modules.pop, name, None)
        self.addCleanup(sys.path.remove, str(self.site))
        registry.forget()
        return importlib.import_module(name)

    def start(self) -> subprocess.Popen[str]:
        """Start a daemon; ``await_ready`` says when it serves."""
        notify = self.path / f'notify-{time.monotonic_ns()}'
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self._listener.close)
        self._listener.bind(str(notify))
        self._listener.settimeout(DEADLINE)
        program = subprocess.Popen(
            [
                sys.executable,
                '-m',
                'taskflow_service.cmd.worker',
                '--config-file',
                str(self.file),
            ],
            cwd=ROOT,
            env={
                **os.environ,
                'NOTIFY_SOCKET': str(notify),
                'PYTHONPATH': f'{self.site}:{ROOT}',
            },
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert program.stderr is not None
        self.addCleanup(program.stderr.close)
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        return program

    def await_ready(self) -> None:
        """Block until every process of the daemon last started serves."""
        word = self._listener.recv(100)
        if word != b'READY=1':
            raise AssertionError(f'it says {word!r}')

    def await_log(
        self, program: subprocess.Popen[str], text: str, count: int = 1
    ) -> None:
        """Block until the log has a text so often; the daemon must live."""
        deadline = time.monotonic() + DEADLINE
        while self.read_log().count(text) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f'no {text!r} in\n{self.read_log()}')
            try:
                code = program.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(f'ended with {code}\n{self.read_log()}')

    def read_log(self) -> str:
        """Return what the daemons have logged so far."""
        return self.log.read_text() if self.log.exists() else ''

    def drain(self, program: subprocess.Popen[str]) -> None:
        """End a daemon by SIGTERM; it must end with 0 and say nothing."""
        program.terminate()
        code = program.wait(DEADLINE)
        assert program.stderr is not None
        said = program.stderr.read()
        if (code, said) != (0, ''):
            raise AssertionError(f'{code}: {said}\n{self.read_log()}')


def children(program: subprocess.Popen[str]) -> list[int]:
    """List the processes that a daemon's first process has started."""
    return children_of(program.pid)


def children_of(pid: int) -> list[int]:
    """List the processes that a process has started, whichever thread."""
    path = f'/proc/{pid}/task'
    return [
        int(pid)
        for thread in os.listdir(path)
        for pid in pathlib.Path(path, thread, 'children').read_text().split()
    ]


def await_ends(pids: list[int]) -> None:
    """Block until processes, which need not be one's own, have ended."""
    poll = select.poll()
    handles = []
    for pid in pids:
        try:
            handles.append(os.pidfd_open(pid))
        except ProcessLookupError:
            continue
        poll.register(handles[-1], select.POLLIN)
    deadline = time.monotonic() + DEADLINE
    try:
        for _ in handles:
            left = max(0.0, deadline - time.monotonic())
            ended = poll.poll(left * 1000)
            if not ended:
                raise AssertionError(f'of {pids} some live on')
            poll.unregister(ended[0][0])
    finally:
        for handle in handles:
            os.close(handle)
