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

"""What runs in a task process of the local engine.

The main thread calls tasks, one at a time; another reads what the engine
says, so that a running task can be told to stop, and ends the process when
the engine is gone.
"""

from __future__ import annotations

from collections.abc import Callable
import dataclasses
from multiprocessing import connection
import os
import pickle
import queue
import resource
import signal
import threading
import typing

from taskflow_service import cancellation
from taskflow_service import exceptions
from taskflow_service import task as task_mod
from taskflow_service.executors import attempt as attempt_mod
from taskflow_service.executors import base
from taskflow_service.types import failure as ft

#: What the engine says.
RUN, CANCEL, STOP = 'run', 'cancel', 'stop'
#: What the process says.
READY, PROGRESS, ENDED = 'ready', 'progress', 'ended'


@dataclasses.dataclass(slots=True)
class Flow:
    """What a request's flow is, as far as it travels."""

    flow_uuid: str
    flow_name: str
    epoch: int
    context: dict[str, typing.Any] | None
    share: int = 0

    def poke(self) -> None:
        """Do nothing: its loop is in another process."""


class Order(typing.NamedTuple):
    """A request, as it travels."""

    flow: Flow
    node: int
    task: task_mod.Task
    action: base.Action
    attempt: int
    number: int
    arguments: dict[str, typing.Any]


def main(
    pipe: connection.Connection, prepare: Callable[[], None] | None = None
) -> None:
    """Run what comes through a pipe until it says stop, or closes.

    ``prepare`` is called first; if it raises, every request fails with that.
    """
    # Ctrl-C is the engine's business: it decides what becomes of tasks.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child = _Child(pipe)
    if prepare is not None:
        child.prepare(prepare)
    child.run()


class _Child:
    def __init__(self, pipe: connection.Connection) -> None:
        self._pipe = pipe
        self._sending = threading.Lock()
        self._orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._token = cancellation.Cancellation()
        self._unprepared: ft.Failure | None = None

    def prepare(self, prepare: Callable[[], None]) -> None:
        try:
            prepare()
        except Exception:
            self._unprepared = ft.Failure()

    def run(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()
        self._say(READY)
        while True:
            order = self._orders.get()
            if order is None:
                return
            self._say(ENDED, *self._ended(order))

    def _read(self) -> None:
        while True:
            try:
                word, rest = pickle.loads(self._pipe.recv_bytes())  # noqa: S301
            except (EOFError, OSError):
                # Nobody is there any more to hear of an outcome.
                os._exit(1)
            if word == RUN:
                self._token = cancellation.Cancellation()
                self._orders.put(rest)
            elif word == CANCEL:
                self._token.cancel(rest)
            else:
                self._orders.put(None)

    def _say(self, word: str, *rest: typing.Any) -> None:
        text = pickle.dumps((word, rest))
        with self._sending:
            self._pipe.send_bytes(text)

    def _ended(self, order: Order) -> tuple[base.End, typing.Any]:
        if self._unprepared is not None:
            return _portable(
                order.task.name, base.End.FAILED, self._unprepared
            )
        request = base.Request(
            order.flow,
            order.node,
            order.task,
            order.action,
            order.attempt,
            order.number,
        )
        request.arguments = order.arguments
        attempt = task_mod.Attempt(
            order.flow.flow_uuid,
            order.task.name,
            order.attempt,
            self._token,
            order.number,
        )
        attempt.task = order.task
        attempt.tell = lambda event, details: self._say(
            PROGRESS, event, details
        )
        _limit_memory(order.task.memory_limit)
        try:
            end, value = attempt_mod.perform(request, attempt)
        finally:
            _limit_memory(None)
        return _portable(order.task.name, end, value)


def _limit_memory(limit: int | None) -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = hard if limit is None else limit
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _portable(
    name: str, end: base.End, value: typing.Any
) -> tuple[base.End, typing.Any]:
    """Make sure that what came of a task can leave the process."""
    try:
        pickle.dumps(value)
        return end, value
    except Exception as error:
        lost = exceptions.ValueNotStorable(
            f'What task {name!r} ended with ({type(value).__name__}) cannot '
            f'leave its process: {error}',
            error,
            type_name=type(value).__name__,
            task=name,
        )
        return base.End.FAILED, ft.Failure.from_exception(lost)
