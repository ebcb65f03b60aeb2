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


"""A task process: runs one request after the other, and can be killed.

It is started with one end of a pipe. Its main thread runs tasks, so that
code which wants the main thread is at home; a second one reads the pipe: a
cancellation, the next request, or the end of the worker, after which nobody
may go on running its requests.
"""

from __future__ import annotations

import contextlib
import json
from multiprocessing import connection
from multiprocessing import reduction
import os
import queue
import resource
import signal
import sys
import threading
import typing

from taskflow_service import cancellation
from taskflow_service import exceptions
from taskflow_service import registry
from taskflow_service.executors import settings as settings_mod
from taskflow_service.messaging import codec
from taskflow_service.protocol import messages
from taskflow_service.protocol import wire
from taskflow_service.worker import body
from taskflow_service.worker import catalogue

#: What the worker says to a task process, and what it hears.
RUN, CANCEL, SERVE, STOP = 'run', 'cancel', 'serve', 'stop'
READY, BROKEN, PROGRESS, ENDED = 'ready', 'broken', 'progress', 'ended'

#: Seconds between two looks at whether the worker still lives.
_LOOK_EVERY = 1.0

write_request = wire.writer(messages.Request)
read_request = wire.reader(messages.Request)

_VERDICTS: dict[str, type[exceptions.ExecutionFailure]] = {
    cls.__name__: cls
    for cls in (
        exceptions.Cancelled,
        exceptions.RunTimeout,
        exceptions.HeartbeatTimeout,
    )
}


class Lock:
    """A descriptor that a task process gets however it is started."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __reduce__(self) -> tuple[typing.Any, ...]:
        # Called while a process is spawned; one that is forked inherits it.
        return _lock_of, (reduction.DupFd(self.descriptor),)


def _lock_of(sent: typing.Any) -> Lock:
    return Lock(sent.detach())


def main(
    pipe: connection.Connection,
    settings: settings_mod.Settings,
    served: list[registry.TaskType],
    lock: Lock,
) -> None:
    """Run requests from a pipe until it closes.

    ``lock`` holds the worker's name for as long as this process lives.
    """
    # A Ctrl-C or a hang-up is the worker's to answer.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    offered = catalogue.Catalogue(served)
    process = _TaskProcess(pipe, offered)
    try:
        conf = settings_mod.conf_of(settings)
        registry.run_setup(conf)
        caller = body.Body(offered, codec.Codec(conf))
    except Exception as ex:
        process.say(BROKEN, ' '.join(str(ex).split()) or type(ex).__name__)
        sys.exit(1)
    # Nobody is there to hear it if the worker was killed meanwhile.
    with contextlib.suppress(BrokenPipeError):
        process.say(READY)
        process.serve(caller)
    os.close(lock.descriptor)


class _TaskProcess:
    """The two threads of a task process."""

    def __init__(
        self, pipe: connection.Connection, offered: catalogue.Catalogue
    ) -> None:
        self._pipe = pipe
        self._offered = offered
        self._parent = os.getppid()
        self._lock = threading.Lock()
        self._requests: queue.SimpleQueue[messages.Request] = (
            queue.SimpleQueue()
        )
        self._uuid: str | None = None
        self._cancellation = cancellation.Cancellation()
        self._verdict: exceptions.ExecutionFailure | None = None

    def say(self, *words: str | None) -> None:
        """Tell the worker something; thread-safe."""
        with self._lock:
            self._pipe.send_bytes(json.dumps(words).encode())

    def serve(self, caller: body.Body) -> None:
        """Run requests in this thread."""
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            request = self._requests.get()
            with _memory_limit(request.memory_limit):
                end, text = caller.run(
                    request,
                    self._cancellation,
                    lambda text: self.say(PROGRESS, text),
                    lambda: self._verdict,
                )
            self.say(ENDED, end, text)

    def _listen(self) -> None:
        try:
            while self._wait():
                word, *rest = json.loads(self._pipe.recv_bytes())
                if word == RUN:
                    request = read_request(rest[0])
                    self._uuid = request.request_uuid
                    self._verdict = None
                    self._cancellation = cancellation.Cancellation()
                    self._requests.put(request)
                elif word == CANCEL and rest[0] == self._uuid:
                    self._cancel(*rest[1:])
                elif word == STOP:
                    break
                elif word == SERVE:
                    self._offered.add(registry.tasks_from(rest[0]))
        except (EOFError, OSError):
            pass
        # The worker is gone, or wants no more: what runs must not go on.
        os._exit(0)

    def _wait(self) -> bool:
        """Wait for a word; False if the worker is gone."""
        while not self._pipe.poll(_LOOK_EVERY):
            # Another process that was forked may hold the pipe open.
            if os.getppid() != self._parent:
                return False
        return True

    def _cancel(self, kind: str, text: str, reason: str) -> None:
        cls = _VERDICTS[kind]
        if cls is exceptions.Cancelled:
            self._verdict = exceptions.Cancelled(text, reason=reason)
        else:
            self._verdict = cls(text)
        self._cancellation.cancel(reason or text)


class _memory_limit:
    """Bounds the address space while a task runs."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._before = resource.getrlimit(resource.RLIMIT_AS)

    def __enter__(self) -> None:
        if self._limit is not None:
            _, hard = self._before
            resource.setrlimit(resource.RLIMIT_AS, (self._limit, hard))

    def __exit__(self, *exc_info: object) -> None:
        if self._limit is not None:
            resource.setrlimit(resource.RLIMIT_AS, self._before)
