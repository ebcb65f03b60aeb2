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
"""A worker process of the simulation, and what it leaves when it dies."""

from __future__ import annotations

import dataclasses

from taskflow_service.protocol import link
from taskflow_service.protocol import messages
from taskflow_service.protocol.messages import Action
from taskflow_service.protocol.messages import End
from taskflow_service.protocol.worker import fence
from taskflow_service.protocol.worker import machine
from taskflow_service.protocol.worker import records
from tests.simulation import bus
from tests.simulation import checks


@dataclasses.dataclass(slots=True)
class Past:
    """An earlier incarnation of a name, as its lock file tells."""

    incarnation: str
    #: When the last of its processes is gone.
    ended: float
    clean: bool


class Host:
    """A disk: the name file and the spool of one worker."""

    def __init__(
        self,
        world: bus.World,
        name: str,
        ledger: checks.Ledger,
        timing: link.Timing,
        public: messages.Public,
    ) -> None:
        self.world = world
        self.name = name
        self.ledger = ledger
        self.timing = timing
        self.public = public
        self.past: list[Past] = []
        self.spool: dict[str, records.Spooled] = {}
        self.worker: Worker | None = None

    def boot(self) -> None:
        """Start a worker, unless one runs."""
        if self.worker is not None and self.worker.alive:
            return
        lingers = max((p.ended for p in self.past), default=0.0)
        if lingers > self.world.time:
            self.world.at(lingers - self.world.time + 0.01, self.boot)
            return
        self.worker = Worker(self)

    def crash(self) -> None:
        """kill -9 of the control process; task processes linger a little."""
        worker = self.worker
        if worker is None or not worker.alive:
            return
        self.world.say(worker.peer.incarnation, 'is killed')
        lingers = self.world.random.uniform(0.5, 2.0)
        for run in worker.runs.values():
            run.dies = self.world.time + lingers
        worker.kill()
        self.past.append(
            Past(worker.peer.incarnation, self.world.time + lingers, False)
        )

    def leave(self, clean: bool) -> None:
        """An end by the worker's own doing."""
        worker = self.worker
        assert worker is not None
        for entry in worker.core.held():
            if entry.outcome is not None:
                self.spool[entry.request_uuid] = records.Spooled(
                    entry.request, entry.party.peer, entry.outcome
                )
        for run in worker.runs.values():
            run.dies = min(run.dies, self.world.time)
        worker.kill()
        self.past.append(Past(worker.peer.incarnation, self.world.time, clean))


class Worker(bus.Process):
    """One incarnation of a worker."""

    def __init__(self, host: Host) -> None:
        world = host.world
        super().__init__(world, host.name, world.new_id('W'))
        self.host = host
        self.core = machine.Worker(
            self.peer,
            host.public,
            host.timing,
            self.now,
            predecessors={p.incarnation: p.clean for p in host.past},
            spooled=list(host.spool.values()),
        )
        self.slots = host.public.slots
        self.runs: dict[str, checks.Run] = {}
        self.draining = False
        self._sending: set[str] = set()
        self._poked = False
        world.bus.register(self)
        self.at(0.0, self._tick)

    @property
    def wall(self) -> float:
        return self.world.time

    def received(self, message: object) -> None:
        if isinstance(message, tuple):
            if message[0] == self.peer.incarnation:
                self.core.returned(message[1], self.now)
        else:
            self.core.received(message, self.now, self.wall)
        self._poke()

    def _tick(self) -> None:
        self.at(self.host.timing.heartbeat / 5, self._tick)
        self._decide()

    def _poke(self) -> None:
        if not self._poked:
            self._poked = True
            self.at(0.0005, self._decide)

    def _decide(self) -> None:
        self._poked = False
        step = self.core.step(self.now, self.wall)
        for request in step.start:
            # A hop of its own: a pause may come between the two.
            self.at(self.world.random.uniform(0, 0.002), self._start, request)
        for request_uuid, reason in step.cancel:
            # Whoever is cut off has no time to be polite.
            patience = 0.2 if reason == fence.REASON else 2.0
            self.at(
                self.world.random.uniform(0, patience),
                self._cancelled,
                request_uuid,
            )
        for request_uuid in step.forget:
            self.host.spool.pop(request_uuid, None)
        if step.cast is not None:
            self.world.bus.send(
                self, self.peer.name, (self.peer.incarnation, step.cast)
            )
        if step.fence:
            self.world.say(self.peer.incarnation, 'fences itself')
            self.host.ledger.fenced(self)
            self.at(2.5, self._leave, False)
        self._send()
        if self.draining and self.core.idle:
            self._leave(True)

    def _send(self) -> None:
        for peer in self.core.due():
            if peer.incarnation not in self._sending:
                report = self.core.report(peer.incarnation, self.now)
                if report is not None:
                    self._sending.add(peer.incarnation)
                    self.at(
                        self.world.random.uniform(0, 0.003),
                        self._sent,
                        peer,
                        report,
                    )
        announcement = self.core.announcement(self.now)
        if announcement is not None:
            self.world.bus.fanout(self, self.world.engines, announcement)

    def _sent(self, peer: messages.Peer, report: messages.Report) -> None:
        self.world.say(self.peer.incarnation, 'sends', report)
        self.world.bus.send(self, peer.name, report)
        self._sending.discard(peer.incarnation)
        self._poke()

    # Task processes

    def _start(self, request: messages.Request) -> None:
        run = self.host.ledger.started(self, request)
        self.runs[request.request_uuid] = run
        seconds = run.spec.seconds
        if request.action is not Action.EXECUTE:
            seconds = min(seconds, 3.0)
        # The task's own process: it is paused with the worker, and does
        # not care whether the control process lives.
        self.world.at(seconds, self._run_ends, run)

    def _run_ends(self, run: checks.Run) -> None:
        if run.ended or run.dies <= self.world.time:
            return
        if self.paused_until > self.world.time:
            self.world.at(
                self.paused_until - self.world.time, self._run_ends, run
            )
            return
        end, value = self.host.ledger.ended(run)
        self.at(0.0005, self._finish, run, end, value)

    def _cancelled(self, request_uuid: str) -> None:
        run = self.runs.get(request_uuid)
        if run is not None and not run.ended:
            run.ended = True
            run.stopped = True
            run.until = self.world.time
            self._finish(run, End.CANCELLED, None)

    def _finish(self, run: checks.Run, end: End, value: str | None) -> None:
        del self.runs[run.request.request_uuid]
        self.core.finished(
            messages.Outcome(run.request.request_uuid, end, value)
        )
        self._decide()

    # Ends

    def drain(self, grace: float) -> None:
        self.world.say(self.peer.incarnation, 'drains')
        self.draining = True
        self.core.drain(self.now)
        self._poke()
        self.at(grace, self._leave, None)

    def _leave(self, clean: bool | None) -> None:
        if clean is None:
            # What still runs is killed, and has no outcome.
            clean = not self.runs
        self.host.leave(clean)
        self.world.at(self.world.random.uniform(0, 5), self.host.boot)
