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
"""Work that is ready: where it waits, and where it goes.

It waits by kind until a worker's credit has room for it.  Placing reserves
that room and decides where; only what was committed after that is ever sent.
"""

from __future__ import annotations

import collections
from collections.abc import Callable
from collections.abc import Iterable
import dataclasses
import heapq

from taskflow_service import clock
from taskflow_service.protocol import link
from taskflow_service.protocol import messages
from taskflow_service.protocol.engine import balance
from taskflow_service.protocol.engine import peers
from taskflow_service.protocol.engine import records

#: Looking for workers backs off from one to so many seconds; that is also
#: how often it is done while those that are known are busy.
MAX_SEARCH = 30.0
#: Credit that nobody needs is given back after so many seconds.
DECLINE_AFTER = 0.5


@dataclasses.dataclass(slots=True)
class Line:
    """The work of one kind that waits for a place."""

    works: collections.deque[records.Work] = dataclasses.field(
        default_factory=collections.deque
    )
    #: Seconds without any live worker that serves this kind.
    starved: float = 0.0


class Waiting:
    """The lines of ready work; part of an Engine."""

    def __init__(
        self,
        me: messages.Peer,
        timing: link.Timing,
        known: peers.Peers,
        new_id: Callable[[], str],
    ) -> None:
        self._me = me
        self._timing = timing
        self._peers = known
        self._new_id = new_id
        self._lines: dict[records.Kind, Line] = {}
        self._balance = balance.Balance(known)
        self._search_at: clock.Boottime = records.NEVER
        self._search_wait = 1.0
        #: Whether some kind has no live worker at all.
        self._urgent = False
        self._who = 0

    def wait(self, work: records.Work) -> None:
        """Put ready work in line."""
        line = self._lines.get(work.kind)
        if line is None:
            line = self._lines[work.kind] = Line()
        work.phase = records.Phase.WAITING
        work.base = line.starved
        line.works.append(work)

    def withdraw(self, work: records.Work) -> bool:
        """Take work out of its line; False if it is not there."""
        line = self._lines.get(work.kind)
        if line is None or work not in line.works:
            return False
        line.works.remove(work)
        work.starved += line.starved - work.base
        self._tidy(work.kind)
        return True

    def _tidy(self, kind: records.Kind) -> None:
        if not self._lines[kind].works:
            del self._lines[kind]

    def place(self, now: clock.Boottime) -> list[records.Work]:
        """Give places to what waits, as far as there is room."""
        placed: list[records.Work] = []
        for kind in list(self._lines):
            if kind.extra:
                self._place_extras(kind, placed, now)
            else:
                self._place_executes(kind, placed, now)
            self._tidy(kind)
        self._balance.recall(now)
        return placed

    def _capable(
        self, kind: records.Kind, now: clock.Boottime
    ) -> list[records.Peer]:
        return [
            peer
            for peer in self._peers.known.values()
            if peer.serves(kind) and self._peers.live(peer, now)
        ]

    def _place_executes(
        self,
        kind: records.Kind,
        placed: list[records.Work],
        now: clock.Boottime,
    ) -> None:
        works = self._lines[kind].works
        # A little less than the worker reckons with: it must not lapse
        # there while the orders are on their way.
        valid = now - self._timing.heartbeat * 0.8
        able = [p for p in self._capable(kind, now) if p.credit_at > valid]
        windows = [records.Charge.SLOT]
        if kind.idempotent:
            windows.append(records.Charge.BACKLOG)
        for window in windows:
            heap = [
                (peer.load, index, peer.room(window))
                for index, peer in enumerate(able)
                if peer.room(window) > 0
            ]
            heapq.heapify(heap)
            while works and heap:
                _load, index, room = heap[0]
                peer = able[index]
                work = works.popleft()
                self._reserve(work, peer, window)
                placed.append(work)
                if room > 1:
                    heapq.heapreplace(heap, (peer.load, index, room - 1))
                else:
                    heapq.heappop(heap)

    def _place_extras(
        self,
        kind: records.Kind,
        placed: list[records.Work],
        now: clock.Boottime,
    ) -> None:
        works = self._lines[kind].works
        able = sorted(self._capable(kind, now), key=lambda peer: peer.load)
        for peer in able:
            if not works:
                break
            if peer.extras:
                continue
            if now - peer.heard >= self._timing.heartbeat:
                # Its grant would be old on arrival.
                if now - peer.asked_at >= 1.0:
                    peer.ask = True
                    peer.asked_at = now
                continue
            # Where a request was lost it may still run, unless that is
            # known; asking there whether it was done is the last resort.
            alone = len(able) == 1 and not peer.superseded
            work = next(
                (
                    work
                    for work in works
                    if alone or work.avoid != peer.peer.incarnation
                ),
                None,
            )
            if work is not None:
                works.remove(work)
                self._reserve(work, peer, records.Charge.NOTHING)
                placed.append(work)

    def _reserve(
        self, work: records.Work, peer: records.Peer, charge: records.Charge
    ) -> None:
        work.phase = records.Phase.PLACED
        line = self._lines[work.kind]
        work.starved += line.starved - work.base
        work.request_uuid = self._new_id()
        work.grant = peer.number
        work.charge = charge
        work.seq = None
        work.state = work.started = work.progress = None
        self._peers.adopt(work, peer)
        if charge is not records.Charge.NOTHING:
            peer.reserved[charge] += 1

    def release(self, works: Iterable[records.Work]) -> None:
        """Give back the room of placed work that was not committed."""
        for work in works:
            self._peers.detach(work)
            work.phase = records.Phase.WAITING
            work.peer = None

    def start(
        self, works: Iterable[records.Work], now: clock.Boottime
    ) -> None:
        """Send placed work on its way; it is committed."""
        for work in works:
            peer = work.peer
            if peer is None or work.phase is not records.Phase.PLACED:
                continue
            work.phase = records.Phase.OPEN
            work.since = now
            if peer.dead or peer.draining:
                self._peers.close(work, messages.End.HANDED_BACK)
            else:
                peer.unsent.append(work)

    def demand(self, peer: records.Peer) -> dict[records.Kind, int]:
        """Count, by kind, what a worker could have.

        That it may have a place already, in another worker's backlog.
        """
        demand = {
            kind: len(line.works)
            for kind, line in self._lines.items()
            if line.works and peer.serves(kind)
        }
        spare = self._balance.spare.get(peer.peer.incarnation)
        return demand if spare is None else spare | demand

    def demands(self, peer: records.Peer) -> tuple[messages.Demand, ...]:
        """Say to a worker what it could have."""
        return tuple(
            _demand(kind, count, spare=kind not in self._lines)
            for kind, count in self.demand(peer).items()
        )

    # Time

    def tick(self, now: clock.Boottime, elapsed: float, judging: bool) -> None:
        """Let time pass for what waits, and give back unused credit."""
        for kind, line in list(self._lines.items()):
            if judging and not self._capable(kind, now):
                line.starved += elapsed
                self._expire(kind, line, now)
        self._balance.tick(now, self._lines)
        for peer in self._peers.known.values():
            if self._is_unused(peer, now):
                peer.credit[:] = [0, 0]
                peer.decline = True

    def _is_unused(self, peer: records.Peer, now: clock.Boottime) -> bool:
        """Whether a credit is better given back than kept."""
        slots = peer.room(records.Charge.SLOT)
        age = now - peer.credit_at
        if (
            max(slots, peer.room(records.Charge.BACKLOG)) <= 0
            or age >= self._timing.heartbeat
            or self.demand(peer)
        ):
            return False
        # A slot that is lent is kept free, also from one's own backlog.
        return age >= DECLINE_AFTER or (slots > 0 and _has_backlog(peer))

    def _expire(
        self, kind: records.Kind, line: Line, now: clock.Boottime
    ) -> None:
        expired = [
            work
            for work in line.works
            if work.start_timeout is not None
            and work.starved + line.starved - work.base >= work.start_timeout
        ]
        for work in expired:
            line.works.remove(work)
            work.phase = records.Phase.CLOSED
            self._peers.events.append(
                records.Expired(work, self.reason(kind, now))
            )
        self._tidy(kind)

    def who(self, now: clock.Boottime) -> messages.Who | None:
        """Build a search for workers, if it is time for one."""
        if not self._lines:
            return None
        urgent = not all(self._capable(kind, now) for kind in self._lines)
        if urgent and not self._urgent:
            self._search_at = records.NEVER
            self._search_wait = 1.0
        self._urgent = urgent
        if now < self._search_at:
            return None
        wait = self._search_wait if urgent else MAX_SEARCH
        self._search_at = clock.Boottime(now + wait)
        self._search_wait = min(2 * wait, MAX_SEARCH)
        self._who += 1
        return messages.Who(
            sender=self._me,
            number=self._who,
            demand=tuple(
                _demand(kind, len(line.works))
                for kind, line in self._lines.items()
            ),
            highest=messages.VERSION,
        )

    def reason(self, kind: records.Kind, now: clock.Boottime) -> str:
        """Say in one line why work of a kind has no place."""
        able = self._capable(kind, now)
        if able:
            return f'all {len(able)} live workers that serve {kind.task} ' + (
                'are busy with reverts and probes'
                if kind.extra
                else 'are busy'
            )
        where = ' on topic ' + ' or '.join(kind.topics) if kind.topics else ''
        text = f'no live worker serves {kind.task}{where}'
        # What those serve that could take it but for one thing.
        offers = [
            (peer, peer.public)
            for peer in self._peers.known.values()
            if peer.public is not None
            and kind.task in peer.public.tasks
            and not peer.draining
            and self._peers.live(peer, now)
        ]
        foreign = [
            f'{peer.peer.name} speaks {_range(public.lowest, public.highest)}'
            for peer, public in offers
            if peer.version is None
        ]
        if foreign:
            spoken = _range(messages.LOWEST, messages.VERSION)
            return (
                f'{text} in a protocol version of this process, which speaks '
                f'{spoken}: {", ".join(sorted(foreign))}; upgrade the older'
            )
        versions = {public.tasks[kind.task] for _, public in offers}
        versions -= {kind.version}
        if versions and not kind.topics:
            return (
                f'{text} in version {kind.version}, only in '
                f'{", ".join(sorted(versions))}'
            )
        return text


def _range(lowest: messages.Version, highest: messages.Version) -> str:
    first, last = ('{}.{}'.format(*version) for version in (lowest, highest))
    return first if first == last else f'{first} to {last}'


def _has_backlog(peer: records.Peer) -> bool:
    """Whether something may wait there for a slot."""
    return any(
        work.request is not None
        and work.request.backlog
        and work.state is not messages.State.STARTED
        for work in peer.open.values()
    )


def _demand(
    kind: records.Kind, count: int, spare: bool = False
) -> messages.Demand:
    return messages.Demand(
        kind.task, count, kind.idempotent, kind.topics, kind.version, spare
    )
