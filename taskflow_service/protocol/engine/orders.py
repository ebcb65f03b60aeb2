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
"""What an engine sends.

Orders are built as late as possible, so that whatever became ready while a
send was in flight goes out together; and what only a proven owner may send is
held back, here and at the very last, while ownership is in doubt.
"""

from __future__ import annotations

import dataclasses

from taskflow_service import clock
from taskflow_service.protocol import messages
from taskflow_service.protocol.engine import ownership
from taskflow_service.protocol.engine import peers
from taskflow_service.protocol.engine import records
from taskflow_service.protocol.engine import waiting

#: So many outcomes to acknowledge are worth a message of their own.
MANY_RECORDED = 256


class Sending:
    """Builds orders; part of an Engine."""

    def __init__(
        self,
        me: messages.Peer,
        known: peers.Peers,
        ready: waiting.Waiting,
        owner: ownership.Ownership,
        max_size: int,
    ) -> None:
        self._me = me
        self._peers = known
        self._waiting = ready
        self._owner = owner
        self._max_size = max_size
        self._seq = 0
        #: Orders up to this seq were built under ownership now in doubt.
        self._barrier = 0

    def due(self, now: clock.Boottime) -> list[messages.Peer]:
        """List the workers to which orders should go."""
        binding = self._owner.may_bind(now)
        return [
            peer.peer
            for peer in self._peers.known.values()
            if self._due(peer, binding)
        ]

    def _due(self, peer: records.Peer, binding: bool) -> bool:
        if peer.answer or peer.ask or peer.decline:
            return True
        if binding:
            if peer.unsent:
                return True
            for pending in (peer.attaches, peer.recalls, peer.cancels):
                if any(said.seq is None for said in pending.values()):
                    return True
        if peer.recorded and (
            peer.draining or len(peer.recorded) >= MANY_RECORDED
        ):
            return any(seq is None for seq in peer.recorded.values())
        return any(
            kind not in peer.told for kind in self._waiting.demand(peer)
        )

    def orders(
        self, incarnation: str, now: clock.Boottime
    ) -> messages.Orders | None:
        """Build the orders for a worker; None if there is nothing to say."""
        peer = self._peers.known.get(incarnation)
        binding = self._owner.may_bind(now)
        if peer is None or not self._due(peer, binding):
            return None
        demand = self._waiting.demand(peer)
        if not (
            demand
            or peer.open
            or peer.recorded
            or peer.attaches
            or peer.cancels
            or peer.told
            or peer.ask
            or peer.decline
        ):
            # No business: the pair falls silent.
            peer.answer = False
            return None
        self._seq += 1
        orders = messages.Orders(
            sender=self._me,
            to=incarnation,
            seq=self._seq,
            seen=peer.number,
            execute=self._executes(peer) if binding else (),
            cancel=self._say(peer.cancels) if binding else (),
            recall=tuple(aim.request_uuid for aim in self._say(peer.recalls))
            if binding
            else (),
            attach=self._say(peer.attaches) if binding else (),
            recorded=self._say_recorded(peer),
            demand=self._waiting.demands(peer),
            ask=peer.ask,
            highest=messages.VERSION,
        )
        peer.told = frozenset(demand)
        peer.answer = peer.ask = peer.decline = False
        return orders

    def _executes(self, peer: records.Peer) -> tuple[messages.Request, ...]:
        chosen: list[messages.Request] = []
        spent = [0, 0]
        size = 0
        rest: list[records.Work] = []
        for work in peer.unsent:
            request = work.request
            if request is None:
                continue
            size += request.size
            if rest or (chosen and size > self._max_size):
                rest.append(work)
                continue
            if request.grant != work.grant:
                request = dataclasses.replace(request, grant=work.grant)
            if work.charge is not records.Charge.NOTHING:
                spent[work.charge] += 1
                self._peers.unreserve(work)
            work.seq = self._seq
            work.sent = True
            chosen.append(request)
        peer.unsent = rest
        if any(spent):
            peer.flights.append((self._seq, spent[0], spent[1]))
        return tuple(chosen)

    def _say(
        self, pending: dict[str, records.Pending]
    ) -> tuple[messages.Aim, ...]:
        chosen = []
        for said in pending.values():
            if said.seq is None:
                said.seq = self._seq
                chosen.append(said.aim)
                work = self._peers.open.get(said.aim.request_uuid)
                if work is not None and work.seq is None:
                    work.seq = self._seq
        return tuple(chosen)

    def _say_recorded(self, peer: records.Peer) -> tuple[str, ...]:
        chosen = [
            request_uuid
            for request_uuid, seq in peer.recorded.items()
            if seq is None
        ]
        for request_uuid in chosen:
            peer.recorded[request_uuid] = self._seq
        return tuple(chosen)

    def doubt(self) -> None:
        """Hold back orders that were built before ownership is verified."""
        self._barrier = self._seq

    def may_send(self, orders: messages.Orders, now: clock.Boottime) -> bool:
        """Say, at the last moment, whether orders may go out as built.

        May be called from another thread: it only reads.
        """
        return not orders.binding or (
            orders.seq > self._barrier and self._owner.may_bind(now)
        )
