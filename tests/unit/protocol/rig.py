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
"""One engine and its workers, wired by hand: nothing moves by itself."""

from __future__ import annotations

import itertools

from taskflow_service.protocol import link
from taskflow_service.protocol import messages
from taskflow_service.protocol.engine import machine as engine_machine
from taskflow_service.protocol.engine import records
from taskflow_service.protocol.worker import machine as worker_machine

TIMING = link.Timing()
LEASE = TIMING.lease
BEAT = TIMING.heartbeat


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0


class EngineRig:
    """An engine whose link is good and whose messages go nowhere."""

    def __init__(self, clock: Clock, name: str = 'e1', **kwargs) -> None:
        self.clock = clock
        self.ids = itertools.count(1)
        self.core = engine_machine.Engine(
            messages.Peer('host.1', name),
            TIMING,
            clock.now,
            lambda: f'{name}-r{next(self.ids)}',
            **kwargs,
        )
        self.link_up = True
        self.who = None

    def tick(self) -> None:
        tick = self.core.tick(self.clock.now)
        if tick.cast is not None and self.link_up:
            self.core.returned(tick.cast, self.clock.now)
        self.who = tick.who

    def hear(self, *said) -> None:
        for message in said:
            self.core.received(message, self.clock.now)

    def say(self, incarnation: str = 'w1') -> messages.Orders | None:
        """Build the next orders, if any are due."""
        due = [peer.incarnation for peer in self.core.due(self.clock.now)]
        if incarnation not in due:
            return None
        return self.core.orders(incarnation, self.clock.now)

    def want(self, count: int = 1, **kind) -> list[records.Work]:
        """Make that much work ready, and place what has a place."""
        works = [
            records.Work(records.Kind('t.task', **kind)) for _ in range(count)
        ]
        return self.core.place(works, self.clock.now)

    def start(self, works, action=messages.Action.EXECUTE) -> None:
        for work in works:
            work.request = messages.Request(
                request_uuid=work.request_uuid,
                flow_uuid='f1',
                atom='atom',
                task='t.task',
                action=action,
                grant=work.grant,
                backlog=work.charge is records.Charge.BACKLOG,
                epoch=work.epoch,
                idempotent=work.kind.idempotent,
            )
        self.core.start(works, self.clock.now)

    def ends(self) -> list[tuple[str, messages.End]]:
        return [
            (event.work.request_uuid, event.end)
            for event in self.core.events()
            if isinstance(event, records.Ended)
        ]


class WorkerRig:
    """A worker whose link is good and whose tasks end when told to."""

    def __init__(
        self, clock: Clock, name: str = 'w1', slots: int = 1, **kwargs
    ) -> None:
        self.clock = clock
        self.core = worker_machine.Worker(
            messages.Peer('host.2', name),
            messages.Public({'t.task': '1.0'}, ('gold',), slots),
            TIMING,
            clock.now,
            **kwargs,
        )
        self.link_up = True
        self.running: list[str] = []
        self.cancelled: list[tuple[str, str]] = []
        self.forgotten: list[str] = []
        self.fenced = False

    def step(self) -> None:
        step = self.core.step(self.clock.now, self.clock.now)
        if step.cast is not None and self.link_up:
            self.core.returned(step.cast, self.clock.now)
        self.running += [request.request_uuid for request in step.start]
        self.cancelled += step.cancel
        self.forgotten += step.forget
        self.fenced = self.fenced or step.fence

    def hear(self, *said) -> None:
        for message in said:
            if message is not None:
                self.core.received(message, self.clock.now, self.clock.now)
        self.step()

    def finish(self, request_uuid, end=messages.End.OK) -> None:
        self.running.remove(request_uuid)
        self.core.finished(messages.Outcome(request_uuid, end, '"x"'))
        self.step()

    def say(self, incarnation: str = 'e1') -> messages.Report | None:
        """Build the next report, if one is due."""
        if incarnation not in [p.incarnation for p in self.core.due()]:
            return None
        return self.core.report(incarnation, self.clock.now)

    def announce(self) -> messages.Announce | None:
        return self.core.announcement(self.clock.now)


class Rig:
    """One of each, on a bus that works while it is asked to."""

    def __init__(self, slots: int = 1, **engine) -> None:
        self.clock = Clock()
        self.engine = EngineRig(self.clock, **engine)
        self.worker = WorkerRig(self.clock, slots=slots)
        self.sent = 0

    def wait(self, seconds: float, talk: bool = True) -> None:
        """Let time pass, a second at a time."""
        for _ in range(round(seconds)):
            self.clock.now += 1.0
            self.engine.tick()
            self.worker.step()
            if talk:
                self.talk()

    def talk(self) -> None:
        """Exchange messages until nobody has anything to say."""
        for _ in range(20):
            said = 0
            report = self.worker.say()
            if report is not None:
                self.engine.hear(report)
                said += 1
            orders = self.engine.say()
            if orders is not None:
                self.worker.hear(orders)
                said += 1
            self.sent += said
            if not said:
                return
        raise AssertionError('they do not stop talking')

    def meet(self, count: int = 1, **kind) -> list[records.Work]:
        """Find each other for that much work; return what has a place."""
        self.engine.want(count, **kind)
        self.engine.tick()
        self.worker.hear(self.engine.who)
        report = self.worker.say()
        self.engine.hear(report)
        return self.engine.core.place((), self.clock.now)

    def begin(self, count: int = 1, **kind) -> list[str]:
        """Get that much work to the worker; return the requests."""
        works = self.meet(count, **kind)
        self.engine.start(works)
        self.talk()
        return [work.request_uuid for work in works]
