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
"""What an engine remembers of requests and of the workers that have them."""

from __future__ import annotations

import collections
import dataclasses
import enum
import typing

from taskflow_service import clock
from taskflow_service.protocol import messages

NEVER = clock.Boottime(float('-inf'))


class Phase(enum.Enum):
    """Where a piece of work is in its life at the engine."""

    WAITING = 'waiting'
    #: Room is reserved; the commit is under way.
    PLACED = 'placed'
    #: Committed: sent, or about to be.
    OPEN = 'open'
    #: Its end was received, even if that is not committed yet.
    CLOSED = 'closed'


class Charge(enum.IntEnum):
    """Which window of a credit pays for a request."""

    SLOT = 0
    BACKLOG = 1
    NOTHING = 2


class Kind(typing.NamedTuple):
    """What decides where a request may go; work of one kind is alike."""

    task: str
    version: str = '1.0'
    idempotent: bool = False
    #: Routing labels of which a worker must announce one; empty: any.
    topics: tuple[str, ...] = ()
    #: A revert or a probe: needs no credit, but is let in one by one.
    extra: bool = False


class Work:
    """One request, from the moment it is ready until its end.

    The shell makes it and reads it back: ``tag`` is its own. ``place`` sets
    ``request_uuid``, ``grant`` and ``worker``; before ``start`` the shell
    sets ``request``, the description that travels.
    """

    __slots__ = (
        'kind',
        'tag',
        'epoch',
        'start_timeout',
        'avoid',
        'request_uuid',
        'grant',
        'request',
        'phase',
        'peer',
        'charge',
        'seq',
        'sent',
        'since',
        'base',
        'starved',
        'state',
        'started',
        'progress',
    )

    def __init__(
        self,
        kind: Kind,
        tag: typing.Any = None,
        epoch: int = 0,
        start_timeout: float | None = None,
        request_uuid: str = '',
    ) -> None:
        self.kind = kind
        self.tag = tag
        self.epoch = epoch
        #: Seconds that it may be ready while no live worker can take it.
        self.start_timeout = start_timeout
        #: Of a probe: the incarnation that lost what it asks about.
        self.avoid: str | None = None
        self.request_uuid = request_uuid
        self.grant = 0
        self.request: messages.Request | None = None
        self.phase = Phase.WAITING
        self.peer: Peer | None = None
        self.charge = Charge.NOTHING
        #: The orders that spoke of it last; None: still to be sent.
        self.seq: int | None = None
        #: Whether any orders ever carried it.
        self.sent = False
        #: Since when this engine waits for it: silence counts from here.
        self.since = NEVER
        #: How long its kind had been without a worker when it came.
        self.base = 0.0
        #: How long it waited without one so far: for a new request of the
        #: same attempt the shell carries it over.
        self.starved = 0.0
        self.state: messages.State | None = None
        self.started: clock.Wall | None = None
        self.progress: str | None = None

    @property
    def worker(self) -> messages.Peer | None:
        """Where it is; stored with the request."""
        return None if self.peer is None else self.peer.peer


@dataclasses.dataclass(slots=True)
class Pending:
    """Something said of a request until a report shows its effect."""

    aim: messages.Aim
    seq: int | None = None


@dataclasses.dataclass(slots=True, eq=False)
class Peer:
    """A worker, as an engine knows it: one per incarnation."""

    peer: messages.Peer
    heard: clock.Boottime = NEVER
    #: The highest report received, and the highest announcement.
    number: int = 0
    announced: int = 0
    #: The highest seq that it acknowledged.
    taken: int = 0
    public: messages.Public | None = None
    #: Credit: windows as of ``taken``, and until when they hold.
    credit: list[int] = dataclasses.field(default_factory=lambda: [0, 0])
    credit_at: clock.Boottime = NEVER
    #: What is reserved but not sent, and what was sent in which seq.
    reserved: list[int] = dataclasses.field(default_factory=lambda: [0, 0])
    flights: collections.deque[tuple[int, int, int]] = dataclasses.field(
        default_factory=collections.deque
    )
    #: Placed and open work.
    open: dict[str, Work] = dataclasses.field(default_factory=dict)
    #: How many of them are reverts or probes.
    extras: int = 0
    unsent: list[Work] = dataclasses.field(default_factory=list)
    cancels: dict[str, Pending] = dataclasses.field(default_factory=dict)
    recalls: dict[str, Pending] = dataclasses.field(default_factory=dict)
    attaches: dict[str, Pending] = dataclasses.field(default_factory=dict)
    #: Outcomes that are stored, with the seq that said so.
    recorded: dict[str, int | None] = dataclasses.field(default_factory=dict)
    #: What was given up here and may still run.
    superseded: dict[str, Work] = dataclasses.field(default_factory=dict)
    #: The kinds of which it was told that there is demand.
    told: frozenset[Kind] = frozenset()
    #: An answer is wanted; a report is wanted in return.
    answer: bool = False
    ask: bool = False
    #: It lent what nobody needs.
    decline: bool = False
    #: How often it was asked since it was last heard.
    asked: int = 0
    asked_at: clock.Boottime = NEVER
    suspect: bool = False
    dead: bool = False

    @property
    def draining(self) -> bool:
        """Whether it takes nothing new."""
        return self.public is not None and self.public.draining

    @property
    def version(self) -> messages.Version | None:
        """In which version to speak to it; None if it understands none."""
        if self.public is None:
            return messages.LOWEST
        return messages.agreed(self.public.lowest, self.public.highest)

    @property
    def slots(self) -> int:
        """How much it can run at once."""
        return 0 if self.public is None else self.public.slots

    @property
    def load(self) -> float:
        """How much it has of this engine's, for each slot."""
        return len(self.open) / max(1, self.slots)

    def serves(self, kind: Kind) -> bool:
        """Say whether it takes requests of a kind at all."""
        public = self.public
        if public is None or self.dead or public.draining:
            return False
        version = public.tasks.get(kind.task)
        return (
            version is not None
            and messages.compatible(version, kind.version)
            and self.version is not None
            and (
                not kind.topics
                or any(topic in public.topics for topic in kind.topics)
            )
        )

    def room(self, charge: int) -> int:
        """Count what may still be sent on one window of its credit."""
        flying = sum(flight[1 + charge] for flight in self.flights)
        return self.credit[charge] - flying - self.reserved[charge]


class Ended(typing.NamedTuple):
    """A request is closed: its one and only end."""

    work: Work
    end: messages.End
    #: What its worker said; None where the engine concluded it.
    outcome: messages.Outcome | None = None


class Late(typing.NamedTuple):
    """An outcome of a request that is not open here.

    It may still be the current one of its atom, if nothing has replaced it;
    else it is evidence.  Either way it is answered once that is stored.
    """

    outcome: messages.Outcome
    worker: messages.Peer


class Started(typing.NamedTuple):
    """A report shows that a request runs; told once."""

    work: Work
    started: clock.Wall


class Progressed(typing.NamedTuple):
    """A running request says something new."""

    work: Work
    progress: str


class Expired(typing.NamedTuple):
    """Ready for longer than its start timeout with nobody to take it."""

    work: Work
    reason: str


class Counted(typing.NamedTuple):
    """A request closed as suspect was lost after all: that counts."""

    work: Work


class Orphaned(typing.NamedTuple):
    """A worker holds an outcome for an engine that is silent.

    Read its flow; if that is there and the request is not current, fetch it.
    """

    orphan: messages.Orphan
    worker: messages.Peer


Event = Ended | Late | Started | Progressed | Expired | Counted | Orphaned
