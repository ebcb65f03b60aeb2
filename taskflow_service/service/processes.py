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

"""A master and its children, on cotyledon, with what it lacks.

cotyledon forks the children, starts them again when they die, and gives each
its signals. Repaired here:

* Every child leads a process group of its own, with its task processes in
  it. Otherwise SIGHUP to the master, which cotyledon sends on to the whole
  group, kills task processes, and Ctrl-C on a terminal reaches everyone.
* The first SIGINT is taken for SIGTERM, and a second one kills all groups:
  cotyledon would give up at once, and is deaf while it shuts down.
* The death of the master, seen on a pipe, ends a child and its task
  processes at once: cotyledon would let them drain with nobody to look after
  them. (PR_SET_PDEATHSIG is no help: it follows the thread that forked.)

And children tell the master how their start went, so that a service that
cannot start ends with one line instead of being started for ever, and so
that a service manager hears READY only when it is true.
"""

from __future__ import annotations

from collections.abc import Callable
import logging
from multiprocessing import context
import os
import select
import signal
import sys
import threading
import time
import typing

import cotyledon
from cotyledon import types

LOG = logging.getLogger(__name__)

#: Ended by a second SIGINT, as shells count it.
EXIT_INTERRUPTED = 130

#: How long a signal for a child waits until the child can take it, seconds.
_FORK_TIME = 5.0

_READY = 'ready'
_FAILED = 'failed'


class Channel:
    """Pipes between a master and the children that it forks."""

    def __init__(self) -> None:
        # Nothing is ever written to the first: it ends when the master does.
        self._alive_reader, self._alive_writer = os.pipe()
        self._reports_reader, self._reports_writer = os.pipe()

    def enter_child(self, on_orphaned: Callable[[], None]) -> None:
        """Keep the child's ends; call back when the master is gone."""
        os.close(self._alive_writer)
        os.close(self._reports_reader)
        watcher = threading.Thread(
            target=self._watch,
            args=(on_orphaned,),
            name='master-watch',
            daemon=True,
        )
        watcher.start()

    def report(self, kind: str, text: str = '') -> None:
        """Tell the master something, in one line of a page at most."""
        line = ' '.join(f'{os.getpid()} {kind} {text}'.split())
        # Writes of up to PIPE_BUF bytes are not mixed with others'.
        data = line.encode(errors='replace')[: select.PIPE_BUF - 1]
        os.write(self._reports_writer, data + b'\n')

    def listen(self, on_report: Callable[[int, str, str], None]) -> None:
        """Hand the children's reports over in a thread of the master."""
        listener = threading.Thread(
            target=self._listen,
            args=(on_report,),
            name='child-reports',
            daemon=True,
        )
        listener.start()

    def _watch(self, on_orphaned: Callable[[], None]) -> None:
        os.read(self._alive_reader, 1)
        on_orphaned()

    def _listen(self, on_report: Callable[[int, str, str], None]) -> None:
        # No file object: a fork would leave its copy with a descriptor that
        # is closed, and somebody else's by the time it is collected.
        rest = b''
        while True:
            rest += os.read(self._reports_reader, select.PIPE_BUF)
            *lines, rest = rest.split(b'\n')
            for line in lines:
                words = line.decode(errors='replace').split(' ', 2)
                pid, kind, text = [*words, ''][:3]
                on_report(int(pid), kind, text)


class Child(cotyledon.Service):
    """What runs in each child; made after the fork, in the main thread.

    A subclass does its work in ``run`` (a thread), calls ``ready`` once it
    serves, and ends it in ``terminate`` (another thread), after which the
    process is gone: nothing that ``run`` does later is certain to happen.
    """

    # Endless: the master is who loses patience, and it kills the group.
    graceful_shutdown_timeout = 0

    def __init__(self, worker_id: types.WorkerId, channel: Channel) -> None:
        os.setpgid(0, 0)
        super().__init__(worker_id)
        os.environ.pop('NOTIFY_SOCKET', None)
        self._channel = channel
        channel.enter_child(self.orphaned)

    def ready(self) -> None:
        """Tell the master that this child serves."""
        self._channel.report(_READY)

    def failed(self, reason: str) -> None:
        """Tell the master that this child cannot serve; it ends us."""
        self._channel.report(_FAILED, reason)

    def orphaned(self) -> None:
        """End this process and its group; the master is gone."""
        # Nothing is logged first: who read the log may be gone too, and
        # neither an error nor a full pipe may keep this from happening.
        os.killpg(0, signal.SIGKILL)


class _Started:
    """An event on a pipe: set once, by a child, for its master.

    multiprocessing's own needs a semaphore in /dev/shm, which a container or
    a hardened host may keep from us.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()

    def __del__(self) -> None:
        os.close(self._reader)
        os.close(self._writer)

    def set(self) -> None:
        os.write(self._writer, b'.')

    def is_set(self) -> bool:
        return self.wait(0)

    def wait(self, timeout: float | None = None) -> bool:
        # The byte is left in the pipe: it stays set.
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        return bool(poll.poll(None if timeout is None else timeout * 1000))


class _Fork(context.ForkContext):
    """Forks children that tell when they take signals."""

    def Event(self) -> _Started:  # type: ignore[override]
        return _Started()


class Manager(cotyledon.ServiceManager):
    """The master: ``serve`` starts the children and returns an exit code.

    There can be one in the life of a process. It must be made before any
    thread, connection or transport: children are forked from it.
    """

    def __init__(self) -> None:
        super().__init__(mp_context=_Fork())
        # Unhandled it would end us, and everybody with us.
        signal.signal(signal.SIGUSR2, self._signal_catcher)
        self._channel = Channel()
        self._processes = 0
        self._patience: Callable[[], float] = float
        self._ready: set[int] = set()
        # Guards ``_ending``: a signal and a failed start may both end us.
        self._lock = threading.Lock()
        self._ending: threading.Thread | None = None
        self._exit_code: int | None = None
        self._reason: str | None = None

    def serve(
        self,
        child: type[Child],
        processes: int,
        args: tuple[typing.Any, ...],
        patience: Callable[[], float],
    ) -> tuple[int, str | None]:
        """Run until a signal, or a start that fails, ends it; blocks.

        ``child`` is made with its number, the channel and ``args``. A child
        that has not ended ``patience()`` seconds after it was told to is
        killed with its group. Returns the exit code, and the reason if the
        service could not start.
        """
        self._processes = processes
        self._patience = patience
        self.add(child, processes, args=(self._channel, *args))
        self._channel.listen(self._on_report)
        try:
            self.run()
        except SystemExit:
            # The one way out of cotyledon's loop.
            pass
        return self._exit_code or 0, self._reason

    # What cotyledon calls.

    def _systemd_notify_once(self) -> None:  # type: ignore[override]
        """Say nothing at the start: nothing is ready then."""

    def _on_signal_received(self, sig: int) -> None:
        if sig in (signal.SIGTERM, signal.SIGINT):
            if not self._end() and sig == signal.SIGINT:
                LOG.warning('Interrupted again: killing what still runs')
                self._kill_groups()
                self._exit_code = EXIT_INTERRUPTED
        elif sig == signal.SIGHUP:
            self._reload()
        elif sig == signal.SIGUSR2:
            self._pass_on(signal.SIGUSR2)
        elif sig == signal.SIGCHLD:
            self._got_sig_chld.set()
        if self._exit_code is not None:
            sys.exit(self._exit_code)

    def _reload(self) -> None:
        self._run_hooks('reload')
        self._pass_on(signal.SIGHUP)

    def _pass_on(self, sig: int) -> None:
        for process, started in self._children():
            # One that cannot take signals yet has just read the files.
            if started.is_set():
                _signal(process, sig)

    # The end.

    def _end(self, exit_code: int = 0, reason: str | None = None) -> bool:
        """Begin to end; False if that has begun before."""
        with self._lock:
            if self._ending is not None:
                return False
            self._reason = reason
            # In a thread, so that a second SIGINT is heard meanwhile.
            self._ending = threading.Thread(
                target=self._drain, args=(exit_code,), daemon=True
            )
        self._ending.start()
        return True

    def _drain(self, exit_code: int) -> None:
        if self._reason is None:
            LOG.info('Ending; worker processes drain')
        self._dead.set()
        self._got_sig_chld.set()
        if self._child_supervisor is not None:
            self._child_supervisor.join()
        deadline = time.monotonic() + self._patience()
        for process, started in self._children():
            # Until then, its signals would be taken for the master's.
            started.wait(_FORK_TIME)
            _signal(process, signal.SIGTERM)
        for process, _ in self._children():
            process.join(max(0.0, deadline - time.monotonic()))
            if process.exitcode is None:
                LOG.error('Process %d does not end: killed', process.pid)
                _kill_group(process)
                process.join()
            if process.exitcode:
                exit_code = 1
        self._exit_code = exit_code
        # Wakes the main thread, which alone can leave cotyledon's loop.
        os.kill(os.getpid(), signal.SIGCHLD)

    def _kill_groups(self) -> None:
        for process, _ in self._children():
            _kill_group(process)

    def _children(self) -> list[tuple[typing.Any, typing.Any]]:
        """List (process, event that it takes signals); a copy."""
        return [
            (process, info.started_event)
            for processes in list(self._running_services.values())
            for process, info in list(processes.items())
        ]

    # What children report.

    def _on_report(self, pid: int, kind: str, text: str) -> None:
        if kind == _READY:
            self._ready.add(pid)
            if len(self._ready) == self._processes:
                cotyledon.ServiceManager._systemd_notify_once()
        elif not self._ready:
            self._end(1, text)
        else:
            # The service as such can start: this one is tried again.
            LOG.error('Process %d could not start: %s', pid, text)
            os.kill(pid, signal.SIGTERM)


def _signal(process: typing.Any, sig: int) -> None:
    try:
        os.kill(process.pid, sig)
    except ProcessLookupError:
        LOG.debug('Process %d is gone already', process.pid)


def _kill_group(process: typing.Any) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        # It has no group yet, or is gone.
        _signal(process, signal.SIGKILL)
