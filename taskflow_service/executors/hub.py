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


"""The engine's place on the bus: one per process and transport.

All loops and flows of a process share it. Its turns drive the engine's half
of the protocol; the loops reach that half directly, under a lock, because
where a task goes is decided before it is committed and nobody should wait for
another thread to decide it.
"""

from __future__ import annotations

import atexit
import collections
from collections.abc import Iterable
import os
import threading
import time
import typing
import weakref

from oslo_config import cfg
from oslo_log import log as logging

from taskflow_service import clock as clock_mod
from taskflow_service import identity
from taskflow_service.executors import evidence as evidence_mod
from taskflow_service.messaging import control
from taskflow_service.messaging import transport
from taskflow_service.protocol import messages
from taskflow_service.protocol.engine import machine
from taskflow_service.protocol.engine import records

LOG = logging.getLogger(__name__)

_WORKERS = transport.Address(transport.Role.WORKER)
#: Seconds after which it is said that nobody serves a task.
_MISSED = 5.0
#: Seconds to wait at the end of the program for the last messages.
_LAST_WORDS = 2.0


class Client(typing.Protocol):
    """Who has work here: the tag of a Work begins with it."""

    def placed(self, work: records.Work) -> None:
        """Take note, under the lock, that waiting work has a place."""

    def happened(self, event: records.Event) -> None:
        """Take an event of one's own work; in a turn of the hub."""

    def cut_off(self, seconds: float) -> None:
        """Take note for how long nothing could be sent; likewise."""


class Hub(control.Control):
    """Drives the engine's half of the protocol for all loops."""

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        url: str | None = None,
        clock: clock_mod.Clock = clock_mod.SYSTEM,
    ) -> None:
        me = identity.of_process(conf)
        peer = messages.Peer(me.name, me.incarnation)
        super().__init__(conf, transport.Role.ENGINE, peer, url, clock)
        #: Held around every use of the machine.
        self.lock = threading.RLock()
        self._unserved: dict[str, float] = {}
        #: Those that have work here.
        self.clients: weakref.WeakSet[Client] = weakref.WeakSet()
        #: Those of them whose logbook is away.
        self._without_logbook: weakref.WeakSet[Client] = weakref.WeakSet()
        self._leaving = False
        #: Since when nothing can be sent.
        self._cut_off: clock_mod.Boottime | None = None
        self.evidence = evidence_mod.Evidence(self.recorded, self._fetch)
        self.machine = machine.Engine(
            peer,
            self.timing,
            clock.boottime(),
            _new_id,
            max_size=conf.remote.max_message_size,
        )

    # From the loops

    def place(self, works: Iterable[records.Work]) -> None:
        """Put work in line; whose turn it is hears of its place."""
        with self.lock:
            self._place(works)

    def start(self, works: Iterable[records.Work]) -> None:
        """Send placed work: it is committed."""
        with self.lock:
            now = self.now()
            self.machine.start(works, now)
            self._send_orders(now)

    def release(self, works: Iterable[records.Work]) -> None:
        """Give back the room of placed work."""
        with self.lock:
            self.machine.release(works)

    def withdraw(self, works: Iterable[records.Work]) -> None:
        """Take work back that waits for a place."""
        with self.lock:
            for work in works:
                self.machine.withdraw(work)

    def attach(self, work: records.Work, worker: messages.Peer) -> None:
        """Look for a request of an earlier owner."""
        with self.lock:
            self.machine.attach(work, worker, self.now())
        self.poke()

    def cancel(self, work: records.Work, reason: str) -> None:
        """Make a started request stop."""
        with self.lock:
            self.machine.cancel(work, reason)
        self.poke()

    def recorded(self, request_uuids: Iterable[str]) -> None:
        """Take note that outcomes are stored."""
        with self.lock:
            self.machine.recorded(request_uuids)

    def forget(
        self, works: Iterable[records.Work], request_uuids: Iterable[str]
    ) -> None:
        """Let go of what another process owns now."""
        with self.lock:
            self.machine.forget(works, request_uuids)

    def outage(self, client: Client, away: bool) -> None:
        """Take note that a client's logbook is away, or back."""
        with self.lock:
            if away:
                self._without_logbook.add(client)
            else:
                self._without_logbook.discard(client)
            self.machine.outage = bool(self._without_logbook)

    def hush(self, client: Client, run: typing.Any) -> None:
        """Let go of all of a flow at once, before its loop does.

        The logbook says that another process owns it: from here on this one
        may speak again, but not of that.
        """
        with self.lock:
            works = [
                work
                for work in self.machine.open
                if work.tag[0] is client and work.tag[1].run is run
            ]
            self.machine.forget(works)

    def reason(self, work: records.Work) -> str:
        """Say in one line why work has no place."""
        with self.lock:
            return self.machine.reason(work.kind, self.now())

    def flush(self) -> None:
        """Tell the workers at once which outcomes they may forget."""
        with self.lock:
            for peer in self.machine.workers():
                if peer.recorded:
                    peer.answer = True
        self.poke()

    def say_last_words(self, timeout: float) -> None:
        """Tell the workers what they may forget, and send no more."""
        self._leaving = True
        self.flush()
        self.finish(timeout)

    def poke(self) -> None:
        """Have a turn taken soon."""
        self.post(control.nothing)

    # From the bus

    def received(self, message: messages.Message) -> None:
        """Give a message to the machine."""
        with self.lock:
            self.machine.received(message, self.now())

    def returned(self, number: int) -> None:
        """Tell the machine that its own cast came back."""
        with self.lock:
            self.machine.returned(number, self.now())

    @property
    def counts(self) -> collections.Counter[str]:
        """How often the machine took nothing of a message."""
        return self.machine.counts

    def counted(self) -> dict[str, int]:
        """Count messages that were odd, and outcomes that came late."""
        return {
            **self.counts,
            **self.refusals,
            **self.endpoint.refusals,
            'late outcomes': self.evidence.refused,
        }

    # The turn

    def turn(self) -> None:
        """Let time pass, hand events over, place and send."""
        with self.lock:
            now = self.now()
            tick = self.machine.tick(now)
            events = self.machine.events()
        for event in events:
            self._hand_over(event)
        self._look_at_link(now)
        with self.lock:
            self._place(())
            self._send_orders(now)
        if tick.cast is not None:
            self.cast_self(tick.cast)
        if tick.who is not None:
            self._say_who_is_missing(tick.who)
            if not self.sending(_WORKERS):
                self.send(_WORKERS, tick.who)

    def _look_at_link(self, now: clock_mod.Boottime) -> None:
        """Tell those whose work waits for how long nothing could be sent.

        An outage moves start deadlines; one that lasts for all of the time
        that a task may wait ends its waiting, so that nothing waits for
        ever.
        """
        if self.machine.link_good:
            self._cut_off = None
            return
        if self._cut_off is None:
            self._cut_off = now
        for client in list(self.clients):
            self._guarded(client.cut_off, now - self._cut_off)

    def _place(self, works: Iterable[records.Work]) -> None:
        for work in self.machine.place(works, self.now()):
            work.tag[0].placed(work)

    def _send_orders(self, now: clock_mod.Boottime) -> None:
        for worker in self.machine.due(now):
            address = transport.Address(transport.Role.WORKER, worker.name)
            # There is a later turn for what waits here, except at the end.
            if self.sending(address) and not self._leaving:
                continue
            orders = self.machine.orders(worker.incarnation, now)
            if orders is not None:
                version = self.machine.version(worker.incarnation)
                self.send(address, orders, version, self._last_look)
                if self.machine.has_more(worker.incarnation):
                    # Have a turn follow, for what did not fit.
                    self.sending(address)

    def _last_look(self, message: messages.Message) -> messages.Message:
        """Leave out what only a proven owner may send, if that is unsure."""
        orders = typing.cast(messages.Orders, message)
        if self.evidence.may_speak() and self.machine.may_send(
            orders, self.now()
        ):
            return orders
        return orders.harmless()

    def _say_who_is_missing(self, who: messages.Who) -> None:
        now = self.now()
        with self.lock:
            workers = self.machine.workers()
        for demand in who.demand:
            kind = records.Kind(
                demand.task,
                demand.task_version,
                demand.idempotent,
                demand.topics,
            )
            if any(worker.serves(kind) for worker in workers):
                self._unserved.pop(demand.task, None)
            elif now - self._unserved.setdefault(demand.task, now) >= _MISSED:
                with self.lock:
                    reason = self.machine.reason(kind, now)
                self.say('Tasks wait: %s', reason)

    def _hand_over(self, event: records.Event) -> None:
        if isinstance(event, records.Late):
            self.evidence.late(event)
        elif isinstance(event, records.Orphaned):
            self.evidence.orphaned(event)
        else:
            self._guarded(event.work.tag[0].happened, event)

    def _fetch(
        self, request_uuid: str, epoch: int, worker: messages.Peer
    ) -> None:
        with self.lock:
            self.machine.fetch(request_uuid, epoch, worker)
        self.poke()


def _new_id() -> str:
    return os.urandom(16).hex()


_lock = threading.Lock()
_hubs: dict[tuple[int, str | None], Hub] = {}


def shared(conf: cfg.ConfigOpts, url: str | None = None) -> Hub:
    """Return the process's hub for a configuration, opened if need be.

    Connects to nothing before it returns.

    :raises ConfigurationError: what is configured can carry no requests
    """
    key = (id(conf), url)
    with _lock:
        hub = _hubs.get(key)
        if hub is None:
            hub = _hubs[key] = Hub(conf, url)
            hub.open()
    return hub


def forget(conf: cfg.ConfigOpts) -> None:
    """Close what :func:`shared` made for a configuration; takes a second."""
    with _lock:
        mine = [key for key in _hubs if key[0] == id(conf)]
        hubs = [_hubs.pop(key) for key in mine]
    for hub in hubs:
        hub.close()


def _say_last_words() -> None:
    # What the workers still hold for this process they may forget. The
    # listeners end with the process: closing one takes a second.
    deadline = time.monotonic() + _LAST_WORDS
    with _lock:
        hubs = list(_hubs.values())
        _hubs.clear()
    for hub in hubs:
        hub.say_last_words(max(0.0, deadline - time.monotonic()))


atexit.register(_say_last_words)
os.register_at_fork(after_in_child=_hubs.clear)
