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
"""What engines and workers say to each other, and how it is written.

Four messages, each frozen and checked when it comes in; on the wire each is
one ASCII JSON string, so that the size limit and a signature are over that
string.  Arguments, results and failures travel as text that was encoded
elsewhere (``serialization.envelope``): the protocol never looks inside.

Times: *seconds* are lengths; ``started`` and ``finished`` are wall clock
(UTC), for people and for stored deadlines.  No liveness is ever judged by a
time that came in a message.
"""

from __future__ import annotations

from collections.abc import Mapping
import dataclasses
import enum
import functools
import json
import typing

from taskflow_service import exceptions
from taskflow_service.protocol import wire

Version = tuple[int, int]

#: The protocol version that this code speaks, and the lowest it accepts.
VERSION: Version = (1, 0)
LOWEST: Version = (1, 0)
#: What a peer speaks that says nothing of it. A default is a part of the
#: protocol: it is what the wire leaves out, so it never changes.
FIRST: Version = (1, 0)
#: Default limit of a message, in characters (ASCII: bytes).
MAX_SIZE = 8 * 1024 * 1024


class Refusal(enum.StrEnum):
    """Why a message is not taken; also the key under which it is counted."""

    MALFORMED = 'malformed'
    TOO_NEW = 'too new'
    TOO_OLD = 'too old'
    TOO_LARGE = 'too large'


class MessageRefused(exceptions.InvalidFormat):
    """A message that is not taken: never executed, never fatal.

    ``reason`` is a :class:`Refusal`, ``message_id`` the id of the message
    where that much could be read, else None.
    """

    def __init__(
        self, reason: Refusal, detail: str, message_id: str | None = None
    ) -> None:
        super().__init__(f'message {message_id}: {reason}: {detail}')
        self.reason = reason
        self.detail = detail
        self.message_id = message_id


class Action(enum.StrEnum):
    """What a request asks of its task."""

    EXECUTE = 'execute'
    REVERT = 'revert'
    #: Whether a lost execute was done, asked of the task's ``probe()``.
    PROBE = 'probe'


class End(enum.StrEnum):
    """What closes a request: a closed set."""

    OK = 'ok'
    FAILED = 'failed'
    CANCELLED = 'cancelled'
    #: Given back before it started: the same attempt wants a new request.
    HANDED_BACK = 'handed back'
    #: Its worker promises never to run it: as handed back.
    DISOWNED = 'disowned'
    #: Its worker is silent for a lease: an idempotent task is tried anew.
    SUSPECT = 'suspect'
    #: Its worker is proven dead.
    DEAD = 'dead'
    #: Its worker was silent for ``lost_after``.
    LOST = 'lost'
    #: Its worker ended it because its own link was bad: as dead.
    FENCED = 'fenced'


class State(enum.StrEnum):
    """How far a held request is."""

    ACCEPTED = 'accepted'
    STARTED = 'started'
    FINISHED = 'finished'


@dataclasses.dataclass(frozen=True, slots=True)
class Peer:
    """Who speaks: the name is the address, the incarnation the identity."""

    name: wire.Label
    incarnation: wire.Label


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One dispatch of an attempt, with all that running it takes.

    ``constructor``, ``arguments``, ``result``, ``failures`` and ``context``
    are encoded values; the timeouts are seconds and count from the start;
    ``deadline`` and ``finish_by`` are wall clock.
    """

    request_uuid: wire.Label
    flow_uuid: wire.Label
    atom: wire.Label
    #: The wire name by which workers register the task.
    task: wire.Label
    action: Action = Action.EXECUTE
    attempt: wire.Count = 1
    #: The epoch of the flow's owner who sends it.
    epoch: wire.Count = 0
    #: The number of the report whose credit it spends, and whether it takes
    #: room of the backlog there, or a slot.
    grant: wire.Count = 0
    backlog: bool = False
    task_version: str = '1.0'
    flow_name: str | None = None
    #: Which try (round of the nearest retry controller) this is, from 1; a
    #: task's token for other services is made of it.
    round: wire.Count = 1
    constructor: str | None = None
    arguments: str | None = None
    result: str | None = None
    failures: str | None = None
    context: str | None = None
    idempotent: bool = False
    strict_fence: bool = False
    run_timeout: float | None = None
    heartbeat_timeout: float | None = None
    cancel_grace: float | None = None
    memory_limit: wire.Count | None = None
    finish_by: float | None = None
    deadline: float | None = None

    @property
    def size(self) -> int:
        """About how many characters it takes on the wire (an upper bound).

        Encoded values are ASCII; quoting doubles at most the quotes and
        backslashes, so twice their length bounds them.
        """
        values = (
            self.constructor,
            self.arguments,
            self.result,
            self.failures,
            self.context,
        )
        return 2048 + 2 * sum(len(value) for value in values if value)


@dataclasses.dataclass(frozen=True, slots=True)
class Demand:
    """Ready atoms of one kind that have no place."""

    task: wire.Label
    count: wire.Count
    idempotent: bool = False
    #: Routing labels of which a worker must announce one; empty: any.
    topics: tuple[wire.Label, ...] = ()
    task_version: str = '1.0'
    #: It has a place, in the backlog of another worker: a slot is welcome
    #: only if nobody else wants it.
    spare: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Aim:
    """A request that is spoken of, and the epoch in whose name."""

    request_uuid: wire.Label
    epoch: wire.Count = 0
    reason: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """A request that a worker has; ``started`` is wall clock."""

    request_uuid: wire.Label
    state: State = State.ACCEPTED
    started: float | None = None
    #: Whether its token has been set.
    cancelled: bool = False
    #: The newest encoded progress, kept until a newer one replaces it.
    progress: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended at its worker; sent until it is recorded."""

    request_uuid: wire.Label
    end: End
    #: The encoded result (OK) or failure; None where the end says it all.
    value: str | None = None
    started: float | None = None
    finished: float | None = None
    #: Where to look for its atom, if the request is not open any more.
    flow_uuid: wire.Label | None = None

    @property
    def size(self) -> int:
        """About how many characters it takes on the wire (an upper bound)."""
        return 1024 + 2 * len(self.value or '')


@dataclasses.dataclass(frozen=True, slots=True)
class Public:
    """What a worker says of itself to everyone."""

    #: Task wire names, each with its version.
    tasks: Mapping[str, str]
    topics: tuple[wire.Label, ...] = ()
    slots: wire.Count = 0
    draining: bool = False
    lowest: tuple[wire.Count, wire.Count] = FIRST
    highest: tuple[wire.Count, wire.Count] = FIRST
    #: Incarnations that are proven dead by a lock file.
    dead: tuple[wire.Label, ...] = ()
    #: Requests of the dead whose outcomes were saved and are told here.
    spooled: tuple[wire.Label, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Orphan:
    """A request that a worker holds for an engine that is silent."""

    request_uuid: wire.Label
    flow_uuid: wire.Label
    finished: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """From an engine to one worker."""

    sender: Peer
    #: The incarnation it is for; the address alone says only the name.
    to: wire.Label
    seq: wire.Count
    #: The highest report number the engine received.
    seen: wire.Count = 0
    execute: tuple[Request, ...] = ()
    cancel: tuple[Aim, ...] = ()
    recall: tuple[wire.Label, ...] = ()
    attach: tuple[Aim, ...] = ()
    recorded: tuple[wire.Label, ...] = ()
    demand: tuple[Demand, ...] = ()
    ask: bool = False
    #: The highest version that the engine reads.
    highest: tuple[wire.Count, wire.Count] = FIRST

    def harmless(self) -> Orders:
        """Leave what may go out even when the owner lease is in doubt."""
        return dataclasses.replace(
            self, execute=(), cancel=(), recall=(), attach=()
        )

    @property
    def binding(self) -> bool:
        """Whether it holds what only a proven owner may send."""
        return bool(self.execute or self.cancel or self.recall or self.attach)

    @property
    def message_id(self) -> str:
        """What a log line calls it."""
        return f'orders {self.seq} of {self.sender.incarnation}'


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """From a worker to one engine: all it has from and for it."""

    sender: Peer
    to: wire.Label
    number: wire.Count
    #: Whether an answer is wanted at once.
    beat: bool = False
    #: The highest seq taken from this engine.
    taken: wire.Count = 0
    #: Whole, finished requests included.
    held: tuple[Held, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    handed_back: tuple[wire.Label, ...] = ()
    disowned: tuple[wire.Label, ...] = ()
    #: Executes of any kind, and idempotent ones besides, as of ``taken``.
    credit: tuple[wire.Count, wire.Count] = (0, 0)
    public: Public | None = None

    @property
    def message_id(self) -> str:
        """What a log line calls it."""
        return f'report {self.number} of {self.sender.incarnation}'


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Announce:
    """From a worker to every engine."""

    sender: Peer
    number: wire.Count
    public: Public
    orphans: tuple[Orphan, ...] = ()

    @property
    def message_id(self) -> str:
        """What a log line calls it."""
        return f'announce {self.number} of {self.sender.incarnation}'


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """From an engine to every worker: who can take this?"""

    sender: Peer
    number: wire.Count
    demand: tuple[Demand, ...] = ()
    #: As in orders.
    highest: tuple[wire.Count, wire.Count] = FIRST

    @property
    def message_id(self) -> str:
        """What a log line calls it."""
        return f'who {self.number} of {self.sender.incarnation}'


Message = Orders | Report | Announce | Who

_KINDS: dict[str, type[typing.Any]] = {
    'orders': Orders,
    'report': Report,
    'announce': Announce,
    'who': Who,
}
_NAMES = {cls: kind for kind, cls in _KINDS.items()}
_READERS = {kind: wire.reader(cls) for kind, cls in _KINDS.items()}
_WRITERS = {cls: wire.writer(cls) for cls in _NAMES}
_encode = json.JSONEncoder(
    ensure_ascii=True,
    allow_nan=False,
    check_circular=False,
    separators=(',', ':'),
).encode


@functools.lru_cache(1024)
def compatible(offered: str, wanted: str) -> bool:
    """Say whether a task of one version serves a request of another.

    As for protocols: the same major number, and no lower minor one.
    """
    have, want = offered.split('.'), wanted.split('.')
    if have[0] != want[0]:
        return False
    try:
        return [int(part) for part in have] >= [int(part) for part in want]
    except ValueError:
        return offered == wanted


def agreed(lowest: Version, highest: Version) -> Version | None:
    """Return in which version to speak to a peer of a range; None: in none."""
    best = min(VERSION, highest)
    return best if best >= max(LOWEST, lowest) else None


def to_wire(
    message: Message,
    max_size: int = MAX_SIZE,
    version: Version | None = None,
) -> str:
    """Write a message as one ASCII JSON string; pure, thread-safe.

    :param version: what was agreed with its reader; None for readers that
        are not known: the lowest, which all can read that we can talk to

    Raises :class:`MessageRefused` if it is longer than ``max_size``.
    """
    cls = type(message)
    plain = _WRITERS[cls](message)
    plain['kind'] = _NAMES[cls]
    # Where a later major version has other words for something, this is the
    # place to put it into those of an earlier one.
    plain['v'] = LOWEST if version is None else version
    text = _encode(plain)
    if len(text) > max_size:
        raise MessageRefused(
            Refusal.TOO_LARGE,
            f'{len(text)} characters, the limit is {max_size}',
            message.message_id,
        )
    return text


def _constant(name: str) -> typing.NoReturn:
    raise ValueError(f'{name} is not JSON')


def _identify(plain: dict[str, typing.Any]) -> str | None:
    """Say which message it is, from as much of it as can be read."""
    kind, sender = plain.get('kind'), plain.get('sender')
    number = plain.get('seq' if kind == 'orders' else 'number')
    if not isinstance(sender, dict) or not isinstance(number, int):
        return None
    name = f'{kind} {number} of {sender.get("incarnation")}'
    return name[: 2 * wire.MAX_LABEL]


def from_wire(text: str, max_size: int = MAX_SIZE) -> Message:
    """Read a message; pure, thread-safe.

    Raises :class:`MessageRefused`, and nothing else, whatever ``text`` is.
    """
    if not isinstance(text, str):
        raise MessageRefused(
            Refusal.MALFORMED, f'{type(text).__name__}, not a string'
        )
    if len(text) > max_size:
        raise MessageRefused(
            Refusal.TOO_LARGE,
            f'{len(text)} characters, the limit is {max_size}',
        )
    try:
        plain = json.loads(text, parse_constant=_constant)
    except (ValueError, RecursionError) as exc:
        raise MessageRefused(
            Refusal.MALFORMED, f'not JSON: {str(exc)[:200]}'
        ) from None
    if type(plain) is not dict:
        raise MessageRefused(Refusal.MALFORMED, 'not an object')
    message_id = _identify(plain)
    _check_version(plain.pop('v', None), message_id)
    read = _READERS.get(str(plain.get('kind')))
    if read is None:
        raise MessageRefused(Refusal.MALFORMED, 'of no known kind', message_id)
    try:
        return typing.cast(Message, read(plain))
    except wire.Malformed as exc:
        raise MessageRefused(Refusal.MALFORMED, str(exc), message_id) from None


def _check_version(version: object, message_id: str | None) -> None:
    if (
        type(version) is not list
        or len(version) != 2
        or not all(type(part) is int for part in version)
    ):
        raise MessageRefused(Refusal.MALFORMED, 'has no version', message_id)
    said = '{}.{}'.format(*version)
    if version[0] > VERSION[0]:
        raise MessageRefused(
            Refusal.TOO_NEW,
            f'version {said[:40]}, this process speaks up to major version '
            f'{VERSION[0]}: upgrade it',
            message_id,
        )
    if tuple(version) < LOWEST:
        raise MessageRefused(
            Refusal.TOO_OLD,
            f'version {said[:40]}, the lowest accepted is '
            '{}.{}: upgrade the sender'.format(*LOWEST),
            message_id,
        )
