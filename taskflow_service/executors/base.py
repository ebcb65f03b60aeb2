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

"""The contract between the loop and whatever runs tasks.

An executor is driven by one loop. ``place`` says which of the ready atoms
it takes, without any I/O; then the loop commits that they are RUNNING; then
``start`` sets them going, or ``release`` gives the room back if there was no
commit. What becomes of them arrives through the ``deliver`` callable that
the loop passes to :meth:`Executor.bind`, from any thread.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from collections.abc import Iterable
import typing

from taskflow_service import clock as clock_mod
from taskflow_service.protocol import messages

if typing.TYPE_CHECKING:
    from taskflow_service import task as task_mod
    from taskflow_service.persistence import base as persistence_base


#: What a request asks of its task, and what closes it: the protocol's words,
#: also where no protocol is involved.
Action = messages.Action
End = messages.End


class Run(typing.Protocol):
    """The flow that a request belongs to, as an executor sees it."""

    flow_uuid: str
    flow_name: str
    #: The epoch under which this process owns the flow (0: not durable).
    epoch: int
    #: ``oslo_context`` values that travel with a request, or None.
    context: dict[str, typing.Any] | None
    #: The executor's: how many more requests the flow may place while others
    #: wait for room.
    share: int

    def poke(self) -> None:
        """Have the loop offer what is ready once more. Thread-safe."""


class Request:
    """One dispatch of an attempt: what is placed, started and ended.

    The loop makes it and fills ``arguments`` (and ``result`` and
    ``failures`` for a revert) between ``place`` and ``start``. An executor
    that is elsewhere fills ``request_uuid``, ``worker``, ``incarnation``,
    ``start_by`` and ``finish_by`` in ``place``; they are committed with
    RUNNING. For a revert the arguments contain what ``revert`` is given of
    ``result`` and ``flow_failures``. ``reason`` says in one line why a
    waiting request has no place.
    """

    __slots__ = (
        'run',
        'node',
        'task',
        'action',
        'attempt',
        'number',
        'arguments',
        'result',
        'failures',
        'request_uuid',
        'worker',
        'incarnation',
        'start_by',
        'finish_by',
        'reason',
        'timed_out',
        'former',
        'private',
    )

    def __init__(
        self,
        run: Run,
        node: int,
        task: task_mod.Task,
        action: Action,
        attempt: int,
        number: int = 1,
    ) -> None:
        self.run = run
        self.node = node
        self.task = task
        self.action = action
        self.attempt = attempt
        #: The try (round of the nearest retry controller) it belongs to.
        self.number = number
        self.arguments: dict[str, typing.Any] | None = None
        self.result: typing.Any = None
        self.failures: dict[str, typing.Any] | None = None
        self.request_uuid: str | None = None
        self.worker: str | None = None
        self.incarnation: str | None = None
        self.start_by: float | None = None
        self.finish_by: float | None = None
        self.reason: str | None = None
        #: The loop's: why it cancelled the request, if it did.
        self.timed_out: typing.Any = None
        #: The request of the same atom that this one takes the place of.
        self.former: Request | None = None
        #: The executor's own business.
        self.private: typing.Any = None

    def __repr__(self) -> str:
        return (
            f'<Request {self.action} {self.task.name} of flow '
            f'{self.run.flow_uuid} attempt {self.attempt}>'
        )


class Outcome(typing.NamedTuple):
    """How a request ended, or what it says on its way.

    ``end`` is None for a progress event: ``value`` is then
    ``(event_type, details)``. OK carries the result, FAILED and CANCELLED a
    ``types.failure.Failure``; the rest carry None or a reason.
    """

    request: Request
    end: End | None
    value: typing.Any = None
    #: Wall-clock times as the executor saw them, None if it did not look.
    started_at: float | None = None
    finished_at: float | None = None
    #: The loop's: when it came, if it had to wait for the logbook.
    received: clock_mod.Monotonic | None = None


#: A progress event of ours: the worker of a request that was closed as
#: suspect is proven dead, which counts as a loss of its atom.
COUNTED: typing.Final = 'counted'

Deliver = Callable[[Outcome], None]


class Logbook(typing.Protocol):
    """Where a flow is kept, as far as an executor needs to know."""

    def may_speak(self) -> bool:
        """Whether this process is sure to own the flows that it claimed."""

    def get_connection(self) -> persistence_base.Connection:
        """Open a connection; the caller closes it."""


class Offer(typing.Protocol):
    """The ready atoms of one flow, best (priority, then order) first."""

    @property
    def run(self) -> Run:
        """The flow."""

    def __len__(self) -> int: ...

    def take(self) -> Request:
        """Pop the best one; IndexError if there is none."""

    def put_back(self, request: Request) -> None:
        """Undo a ``take`` of this turn."""


class Executor(abc.ABC):
    """Runs requests for one loop.

    All methods are called from the loop's thread and must not block on the
    tasks, unless said otherwise.
    """

    #: True if tasks run outside of this process, so that arguments, results
    #: and the constructor's arguments must be storable.
    remote: typing.ClassVar[bool] = False

    #: True if a cancelled request ends for certain, because what runs it can
    #: be killed; else the loop gives it up after a grace time.
    enforces: typing.ClassVar[bool] = False

    @property
    def holds(self) -> bool:
        """Whether taken requests wait inside for a place."""
        return False

    def bind(self, deliver: Deliver) -> None:
        """Say where outcomes go; called once, before ``open``."""
        self.deliver = deliver

    def open(self) -> None:
        """Start what the executor needs; idempotent."""

    def check(self, tasks: Iterable[task_mod.Task]) -> None:
        """Refuse, at compile time, tasks that this executor cannot run.

        Raises ``exceptions.CompilationFailure`` naming task and argument.
        """

    @abc.abstractmethod
    def place(self, offer: Offer) -> list[Request]:
        """Take ready atoms, reserve room, decide where; no I/O.

        What is taken and not returned waits inside the executor for room
        (with its ``reason``), and may be returned by a later call for the
        same flow, also with an empty offer.
        """

    @abc.abstractmethod
    def start(self, requests: list[Request]) -> None:
        """Set placed requests going; their RUNNING is committed."""

    @abc.abstractmethod
    def release(self, requests: list[Request]) -> None:
        """Give the room of placed requests back; they were not committed."""

    def taken(self, request: Request) -> None:
        """Take note that the loop has a request's outcome: its room is free.

        Not sooner: its own flow is the first that may use it.
        """

    def called(self) -> Iterable[Run]:
        """Take out, one by one, flows that waited for the room there is.

        Each is to be offered for anew before the next one is asked for.
        """
        return ()

    def withdraw(self, run: Run) -> list[Request]:
        """Give up and return what waits, unplaced, for this flow."""
        return []

    def know(self, run: Run, logbook: Logbook | None) -> None:
        """Take note, before a flow's first turn, of where it is kept."""

    def attach(self, request: Request) -> None:
        """Ask after a request that an earlier owner of its flow started.

        Delivers its outcome, or DISOWNED. Only remote executors can.
        """
        self.deliver(Outcome(request, End.DISOWNED))

    def recorded(self, requests: list[Request]) -> None:
        """Take note that the outcomes of these are committed."""

    def cancel(self, request: Request, reason: str) -> None:
        """Reach a started request's token; its outcome still arrives."""

    def abandon(self, requests: list[Request]) -> None:
        """Let go of requests whose flow this process does not own any more.

        Who owns it now may want the outcomes of those that are elsewhere.
        """
        for request in requests:
            self.cancel(request, 'its flow is not run here any more')

    def outage(self, away: bool) -> None:
        """Take note that the logbook is away, or back.

        Start deadlines are moved by the time that it is away.
        """

    def idle(self) -> None:
        """Do one turn of upkeep; called before the loop waits."""

    def next_deadline(self) -> float | None:
        """Monotonic time at which ``idle`` wants to be called, if any."""
        return None

    def hush(self, run: Run) -> None:
        """Say nothing more in the name of a flow that was lost.

        Called from any thread, before :meth:`abandon`.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Stop, and wait for what runs to end; idempotent; may block."""
