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
"""What a worker remembers: engines it heard, requests it has, promises.

Everything of the worker side that is not a rule is here.  One dictionary
maps a request to its entry, queued, running or done; of what left it only
the promise never to run it is kept, for one lease.
"""

from __future__ import annotations

import collections
import dataclasses
import enum

from taskflow_service import clock
from taskflow_service.protocol import link
from taskflow_service.protocol import messages

#: The backlog: requests held beyond the slots, for each slot and in all.
BACKLOG_PER_SLOT = 15
MAX_BACKLOG = 1000

NEVER = clock.Boottime(float('-inf'))


class Phase(enum.Enum):
    """Where a request is in its life at the worker."""

    QUEUED = messages.State.ACCEPTED
    RUNNING = messages.State.STARTED
    DONE = messages.State.FINISHED


@dataclasses.dataclass(slots=True)
class Spooled:
    """An outcome that an earlier process of this name left on disk."""

    request: messages.Request
    #: The engine that was to have it.
    engine: messages.Peer
    outcome: messages.Outcome


@dataclasses.dataclass(slots=True, eq=False)
class Entry:
    """A request that the worker has."""

    request: messages.Request
    #: The engine it is reported to: who sent it, or attached it last.
    party: Party
    #: The highest epoch in whose name it was spoken of.
    epoch: int
    phase: Phase
    #: The report whose room it takes; moved on while it is queued.
    grant: int = 0
    #: Reports above this number list it.
    since: int = 0
    started: clock.Wall | None = None
    progress: str | None = None
    cancelled: bool = False
    fenced: bool = False
    outcome: messages.Outcome | None = None
    #: When the outcome was last told.
    told: clock.Boottime = NEVER

    @property
    def request_uuid(self) -> str:
        """Its identity."""
        return self.request.request_uuid


@dataclasses.dataclass(slots=True, eq=False)
class Party:
    """An engine, as a worker knows it: one per incarnation."""

    peer: messages.Peer
    heard: clock.Boottime = NEVER
    #: The highest protocol version that it reads.
    highest: messages.Version = messages.FIRST
    #: The highest seq taken; what does not exceed it is dropped.
    taken: int = 0
    #: The highest report it has seen, and the highest ``who`` it sent.
    seen: int = 0
    who: int = 0
    #: What it wants: executes of any kind, and idempotent ones of these.
    demand: int = 0
    demand_idempotent: int = 0
    #: Slots that it would take if they are free: for what waits in other
    #: backlogs, and for what follows its outcomes since its last orders.
    spare: int = 0
    implied: int = 0
    #: Its credit: windows as of ``taken``, the report and time that said so.
    lent: int = 0
    lent_backlog: int = 0
    lent_in: int = 0
    lent_at: clock.Boottime = NEVER
    #: How much of it was in a report, and is not spent.
    told: int = 0
    told_backlog: int = 0
    #: Its requests that wait for a slot.
    queue: collections.deque[Entry] = dataclasses.field(
        default_factory=collections.deque
    )
    #: The turn at which it was last given a slot.
    served: int = 0
    #: Said once, in the next report.
    handed_back: list[str] = dataclasses.field(default_factory=list)
    disowned: list[str] = dataclasses.field(default_factory=list)
    dead: list[str] = dataclasses.field(default_factory=list)
    #: A report is wanted; one that wants an answer; one that tells all.
    due: bool = False
    beat: bool = False
    introduce: bool = True

    @property
    def incarnation(self) -> str:
        """Its identity."""
        return self.peer.incarnation

    @property
    def untold(self) -> bool:
        """Whether it lacks what it could have, because no report said so.

        While some of its requests wait here it lacks nothing: more room for
        such can wait until they end.
        """
        return self.lent > self.told or (
            self.lent_backlog > self.told_backlog and not self.queue
        )

    def take_back(self) -> None:
        """Lend it nothing any more."""
        self.lent = self.lent_backlog = self.told = self.told_backlog = 0


@dataclasses.dataclass(slots=True)
class Step:
    """What the shell has to do; see the package."""

    start: list[messages.Request] = dataclasses.field(default_factory=list)
    #: Requests whose token is to be set, each with the reason.
    cancel: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    #: Requests whose outcome is recorded: the spool may drop them.
    forget: list[str] = dataclasses.field(default_factory=list)
    #: A number to cast to oneself.
    cast: int | None = None
    #: The own link was bad for too long: end everything that runs.
    fence: bool = False


class Book:
    """All of a worker's memory; one thread, no I/O."""

    def __init__(
        self,
        me: messages.Peer,
        public: messages.Public,
        timing: link.Timing,
    ) -> None:
        self.me = me
        self.public = public
        self.timing = timing
        self.parties: dict[str, Party] = {}
        self.requests: dict[str, Entry] = {}
        #: Earlier incarnations of this name, and whether each ended clean.
        self.predecessors: dict[str, bool] = {}
        #: Promises never to run a request, with when they were made.
        self.disowned: dict[str, clock.Boottime] = {}
        #: When each report left, for one lease (kept in order).
        self.left: dict[int, clock.Boottime] = {}
        self.number = 0
        #: Requests that take a slot; one may do so after its end.
        self.busy: set[str] = set()
        #: The one revert or probe that runs, and those that wait.
        self.extra: str | None = None
        self.extras: collections.deque[Entry] = collections.deque()
        self.step = Step()
        self.counts: collections.Counter[str] = collections.Counter()

    @property
    def backlog(self) -> int:
        """How many requests may wait beyond the slots."""
        return min(self.public.slots * BACKLOG_PER_SLOT, MAX_BACKLOG)

    def party(self, peer: messages.Peer) -> Party:
        """Find or make the record of an engine."""
        found = self.parties.get(peer.incarnation)
        if found is None:
            found = self.parties[peer.incarnation] = Party(peer)
        return found

    def fresh(self, grant: int, now: clock.Boottime) -> bool:
        """Say whether a report left less than one lease ago."""
        left = self.left.get(grant)
        return left is not None and now - left < self.timing.lease

    def silent(self, party: Party, now: clock.Boottime) -> bool:
        """Say whether an engine was not heard for a lease."""
        return now - party.heard >= self.timing.lease

    def remove(self, entry: Entry) -> None:
        """Forget a request that does not run."""
        del self.requests[entry.request_uuid]
        self.unqueue(entry)

    def unqueue(self, entry: Entry) -> None:
        """Take a request out of the line in which it waits."""
        if entry.phase is Phase.QUEUED:
            for line in (entry.party.queue, self.extras):
                if entry in line:
                    line.remove(entry)

    def hand_back(self, entry: Entry, now: clock.Boottime, why: str) -> None:
        """Return a request that has not started; never run it."""
        self.remove(entry)
        self.disowned[entry.request_uuid] = now
        entry.party.handed_back.append(entry.request_uuid)
        entry.party.due = True
        self.counts[f'handed back: {why}'] += 1

    def disown(
        self, party: Party, request_uuid: str, now: clock.Boottime
    ) -> None:
        """Promise never to run a request that is not here."""
        self.disowned[request_uuid] = now
        party.disowned.append(request_uuid)
        party.due = True

    def prune(self, now: clock.Boottime) -> None:
        """Drop what is older than a lease, and engines that are gone."""
        lease = self.timing.lease
        for memory in (self.left, self.disowned):
            old = []
            for key, at in memory.items():
                if now - at < lease:
                    break
                old.append(key)
            for key in old:
                del memory[key]  # type: ignore[arg-type]
        if any(self.silent(party, now) for party in self.parties.values()):
            keep = {e.party.incarnation for e in self.requests.values()}
            self.parties = {
                incarnation: party
                for incarnation, party in self.parties.items()
                if incarnation in keep or not self.silent(party, now)
            }
