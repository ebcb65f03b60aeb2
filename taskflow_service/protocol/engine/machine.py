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
"""The engine side of the protocol as one object; see the package."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
import dataclasses
import typing

from taskflow_service import clock
from taskflow_service.protocol import link
from taskflow_service.protocol import messages
from taskflow_service.protocol.engine import orders
from taskflow_service.protocol.engine import ownership
from taskflow_service.protocol.engine import peers
from taskflow_service.protocol.engine import records
from taskflow_service.protocol.engine import silence
from taskflow_service.protocol.engine import waiting


@dataclasses.dataclass(slots=True, frozen=True)
class Tick:
    """What the passing of time makes the shell send."""

    #: A number to cast to oneself.
    cast: int | None = None
    #: A search to send to all workers.
    who: messages.Who | None = None


class Engine:
    """An engine's half of the protocol.

    Not thread-safe, but for :meth:`may_send`: one thread at a time calls it.
    No method blocks or does I/O. ``now`` never goes back.
    """

    def __init__(
        self,
        me: messages.Peer,
        timing: link.Timing,
        now: clock.Boottime,
        new_id: Callable[[], str],
        *,
        owner: ownership.Ownership | None = None,
        max_size: int = messages.MAX_SIZE,
    ) -> None:
        self.me = me
        self._timing = timing
        self._owner = ownership.Unowned() if owner is None else owner
        self._link = link.Link(timing, now)
        self._peers = peers.Peers(me, timing)
        self._silence = silence.Silence(timing, self._peers, self._link)
        self._waiting = waiting.Waiting(me, timing, self._peers, new_id)
        self._sending = orders.Sending(
            me, self._peers, self._waiting, self._owner, max_size // 2
        )
        self._ticked = now
        #: Set by the shell while the database is out: deadlines wait.
        self.outage = False

    # Events

    def received(self, message: messages.Message, now: clock.Boottime) -> None:
        """Take a message from the bus, whoever it is for."""
        if isinstance(message, messages.Report):
            self._peers.report(message, now)
        elif isinstance(message, messages.Announce):
            self._peers.announce(message, now)
        else:
            self._peers.counts['not for engines'] += 1

    def returned(self, number: int, now: clock.Boottime) -> None:
        """Take a cast to oneself that came back."""
        self._link.returned(number, now)

    def tick(self, now: clock.Boottime) -> Tick:
        """Let time pass; call it at least once a second."""
        elapsed, self._ticked = now - self._ticked, now
        cast = self._link.tick(now, self._silence.doubtful)
        judging = self._link.good and not self.outage
        self._silence.tick(now)
        self._waiting.tick(now, elapsed, judging)
        return Tick(cast, self._waiting.who(now))

    def renewed(self, began: clock.Boottime, claims: int | None) -> bool:
        """Take a renewal of the owner lease; see ``ownership``."""
        verify = self._owner.renewed(began, claims)
        if verify:
            self._sending.doubt()
        return verify

    def doubt(self) -> None:
        """Hold back what binds in all orders that are built already.

        For a shell that verifies by other means than :meth:`renewed`; the
        works whose orders are held back count as lost, and go out again.
        """
        self._sending.doubt()

    def verified(self, claims: int) -> None:
        """Take note that the flows were read; :meth:`forget` came before."""
        self._owner.verified(claims)

    def events(self) -> list[records.Event]:
        """Take what happened, in order."""
        happened = self._peers.events
        if happened:
            self._peers.events = []
        return happened

    # The loop's side

    def place(
        self, works: Iterable[records.Work], now: clock.Boottime
    ) -> list[records.Work]:
        """Put ready work in line, and return all that has a place now.

        What is returned may be earlier work, of any flow; each has its
        ``request_uuid``, ``grant`` and ``worker``. It must be started,
        released or forgotten. The rest waits, and may come with a later
        call (after any report).
        """
        for work in works:
            self._waiting.wait(work)
        return self._waiting.place(now)

    def start(
        self, works: Iterable[records.Work], now: clock.Boottime
    ) -> None:
        """Send placed work, with its ``request``; RUNNING is committed."""
        self._waiting.start(works, now)

    def release(self, works: Iterable[records.Work]) -> None:
        """Give back the room of placed work that was not committed."""
        self._waiting.release(works)

    def withdraw(self, work: records.Work) -> bool:
        """Take waiting work out of its line; False if it does not wait."""
        return self._waiting.withdraw(work)

    def attach(
        self, work: records.Work, worker: messages.Peer, now: clock.Boottime
    ) -> None:
        """Look for a request of an earlier owner; its end will come.

        ``work`` holds the ``request_uuid`` and the epoch of the new owner.
        """
        peer = self._peers.peer(worker)
        work.phase = records.Phase.OPEN
        work.since = now
        work.sent = True
        # Whoever asks anew wants to be told anew.
        self._peers.unrecorded.pop(work.request_uuid, None)
        self._peers.adopt(work, peer)
        if peer.dead:
            self._peers.bury(peer)
        if work.phase is records.Phase.OPEN:
            self._peers.ask_after(work)

    def fetch(
        self, request_uuid: str, epoch: int, worker: messages.Peer
    ) -> None:
        """Ask for an orphaned outcome, with the epoch read in its flow."""
        peer = self._peers.peer(worker)
        peer.attaches[request_uuid] = records.Pending(
            messages.Aim(request_uuid, epoch)
        )

    def cancel(self, work: records.Work, reason: str) -> None:
        """Make a started request stop; its end still comes."""
        if work.phase is not records.Phase.OPEN or work.peer is None:
            return
        if work.request is not None and not work.sent:
            self._peers.close(work, messages.End.CANCELLED)
        else:
            self._peers.cancel(work, work.epoch, reason)

    def recorded(self, request_uuids: Iterable[str]) -> None:
        """Take note that outcomes are stored: their workers may forget.

        Only after the transaction that recorded an outcome, or that stored
        it as late having read there that it is not current.
        """
        for request_uuid in request_uuids:
            told = self._peers.unrecorded.pop(request_uuid, None)
            if told is not None:
                told[0].recorded[request_uuid] = None

    def forget(
        self,
        works: Iterable[records.Work],
        request_uuids: Iterable[str] = (),
    ) -> None:
        """Drop work and outcomes of flows that another process owns.

        Orders that are built and not sent yet may hold some of it: they go
        out as :meth:`may_send` says, without what binds.
        """
        for work in works:
            if work.phase is records.Phase.OPEN and work.request is not None:
                self._sending.doubt()
            if work.phase is records.Phase.WAITING:
                self._waiting.withdraw(work)
            self._peers.detach(work)
            work.phase = records.Phase.CLOSED
        for request_uuid in request_uuids:
            self._peers.unrecorded.pop(request_uuid, None)

    # The bus's side

    def due(self, now: clock.Boottime) -> list[messages.Peer]:
        """List the workers to which orders should go."""
        return self._sending.due(now)

    def orders(
        self, incarnation: str, now: clock.Boottime
    ) -> messages.Orders | None:
        """Build the orders for a worker, as late as possible."""
        return self._sending.orders(incarnation, now)

    def has_more(self, incarnation: str) -> bool:
        """Tell whether the last orders did not hold all for a worker."""
        peer = self._peers.known.get(incarnation)
        return peer is not None and bool(peer.unsent)

    def version(self, incarnation: str) -> messages.Version:
        """Say in which version to speak to a worker."""
        peer = self._peers.known.get(incarnation)
        version = None if peer is None else peer.version
        return version or messages.LOWEST

    def may_send(self, built: messages.Orders, now: clock.Boottime) -> bool:
        """Say whether orders may go out as built; else ``harmless()``.

        Ask right before the send, in the thread that sends: it may have
        waited for long.
        """
        return self._sending.may_send(built, now)

    # What can be seen

    @property
    def link_good(self) -> bool:
        """Whether its own casts come back."""
        return self._link.good

    @property
    def open(self) -> list[records.Work]:
        """All work that has a place, committed or not."""
        return list(self._peers.open.values())

    @property
    def counts(self) -> typing.Counter[str]:
        """How often each kind of bad or useless message came."""
        return self._peers.counts

    def reason(self, kind: records.Kind, now: clock.Boottime) -> str:
        """Say in one line why work of a kind has no place."""
        return self._waiting.reason(kind, now)

    def workers(self) -> list[records.Peer]:
        """List the workers that are known."""
        return list(self._peers.known.values())
