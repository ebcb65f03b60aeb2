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
"""What systemd does with the unit below ``etc/``, without a systemd.

One service of ``Type=notify``. Its unit is read as it stands, and its lines
are what is done: ``ExecStart`` until READY, ``ExecReload`` with ``$MAINPID``,
a signal to the first process and a time to heed it, then SIGKILL for the rest
(``KillMode=mixed``). A line that is not known here is an error, so that the
unit says nothing that nobody tries. Not done, and said where it is:
:data:`UNTRIED`.
"""

from __future__ import annotations

from collections.abc import Mapping
import configparser
import contextlib
import os
import pathlib
import select
import shlex
import signal
import socket
import subprocess
import time

from tests import daemons

#: Read and left to systemd: who the service runs as and what is its, what is
#: started before it, and that it is started again.
UNTRIED = frozenset(
    {'User', 'Group', 'StateDirectory', 'Restart', 'RestartSec'}
)
_TRIED = {
    'Type': 'notify',
    'NotifyAccess': 'all',
    'KillMode': 'mixed',
}
_READ = {'ExecStart', 'ExecReload', 'TimeoutStartSec', 'TimeoutStopSec'}


class Service:
    """One service, by the ``systemctl`` commands that concern it.

    :param unit: the file of the unit.
    :param words: what stands for words of its commands that name files of
        an installed system.
    :param environment: of the service's processes.

    Every method blocks until it is done, as ``systemctl`` does, and raises
    AssertionError if it is not within the time that the unit gives. Not
    thread-safe.
    """

    def __init__(
        self,
        unit: pathlib.Path,
        folder: pathlib.Path,
        words: Mapping[str, str],
        environment: Mapping[str, str],
    ) -> None:
        parser = configparser.ConfigParser(interpolation=None)
        parser.optionxform = str  # type: ignore[assignment, method-assign]
        parser.read(unit)
        self._lines = dict(parser['Service'])
        for key, value in self._lines.items():
            if key not in UNTRIED | _READ and _TRIED.get(key) != value:
                raise AssertionError(f'{unit}: what does {key}={value} do?')
        self._folder = folder
        self._words = words
        self._environment = environment
        self.main: subprocess.Popen[str] | None = None

    def control(self, verb: str) -> None:
        """Do ``systemctl <verb>``: start, reload, stop or restart."""
        actions = {
            'start': self.start,
            'reload': self.reload,
            'stop': self.stop,
            'restart': self.restart,
        }
        actions[verb]()

    def start(self) -> None:
        """Run ``ExecStart`` and wait until it has said that it is ready."""
        path = self._folder / f'notify-{time.monotonic_ns()}'
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(path))
            self.main = subprocess.Popen(
                self._command('ExecStart'),
                cwd='/',
                env={**self._environment, 'NOTIFY_SOCKET': str(path)},
                stdin=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
            self._await_ready(notify, self.main)

    def reload(self) -> None:
        """Run ``ExecReload``, which has to succeed."""
        subprocess.run(self._command('ExecReload'), check=True)

    def stop(self) -> None:
        """End the service in order: it has to end with 0, and in time."""
        main, self.main = self.main, None
        assert main is not None, 'it does not run'
        rest = _handles(_descendants(main.pid))
        main.send_signal(signal.SIGTERM)
        try:
            code = main.wait(float(self._lines['TimeoutStopSec']))
        finally:
            main.kill()
            _kill(rest)
        if code != 0:
            raise AssertionError(f'it ended with {code}')

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """End the service at once, if it runs."""
        if self.main is not None:
            rest = _handles(_descendants(self.main.pid))
            self.main.kill()
            self.main.wait()
            _kill(rest)

    def _command(self, key: str) -> list[str]:
        words = shlex.split(self._lines[key])
        pid = '' if self.main is None else str(self.main.pid)
        known = {**self._words, '$MAINPID': pid}
        return [known.get(word, word) for word in words]

    def _await_ready(
        self, notify: socket.socket, main: subprocess.Popen[str]
    ) -> None:
        deadline = time.monotonic() + float(self._lines['TimeoutStartSec'])
        poll = select.poll()
        ended = os.pidfd_open(main.pid)
        try:
            poll.register(notify, select.POLLIN)
            poll.register(ended, select.POLLIN)
            while True:
                left = max(0.0, deadline - time.monotonic())
                events = [each for each, _ in poll.poll(left * 1000)]
                if notify.fileno() in events:
                    if b'READY=1' in notify.recv(4096).split(b'\n'):
                        return
                else:
                    raise AssertionError(
                        f'it ended with {main.wait()}'
                        if events
                        else 'it is not ready in time'
                    )
        finally:
            os.close(ended)


def _descendants(pid: int) -> list[int]:
    found = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for child in daemons.children_of(pid):
            found += [child, *_descendants(child)]
    return found


def _handles(pids: list[int]) -> list[int]:
    """Hold on to processes, so that no number means another one later."""
    handles = []
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            handles.append(os.pidfd_open(pid))
    return handles


def _kill(handles: list[int]) -> None:
    for handle in handles:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        os.close(handle)
