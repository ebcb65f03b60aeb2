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


"""The worker's control: drives the worker's half of the protocol."""

from __future__ import annotations

import collections
from collections.abc import Callable
import dataclasses
import threading

from oslo_config import cfg
from oslo_log import log as logging

from taskflow_service import clock as clock_mod
from taskflow_service import identity
from taskflow_service.messaging import control
from taskflow_service.messaging import transport
from taskflow_service.protocol import messages
from taskflow_service.protocol.worker import machine
from taskflow_service.protocol.worker import records
from taskflow_service.worker import runner
from taskflow_service.worker import spool

LOG = logging.getLogger(__name__)

#: Incarnations of this host, the newest, whose death is told.
_MOST_DEAD = 50
#: How long outcomes wait, at most, for those that are about to follow.
_HOLD = 0.01

_ENGINES = transport.Address(transport.Role.ENGINE)


class Control(control.Control):
    """Takes orders, has requests run, and reports what becomes of them."""

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        peer: messages.Peer,
        public: messages.Public,
        make_runner: Callable[[Control], runner.Runner],
        predecessors: dict[str, bool],
        kept: spool.Spool | None = None,
        url: str | None = None,
        clock: clock_mod.Clock = clock_mod.SYSTEM,
        gave_up: threading.Event | None = None,
    ) -> None:
        super().__init__(conf, transport.Role.WORKER, peer, url, clock)
        self.machine = machine.Worker(
            peer,
            public,
            self.timing,
            clock.boottime(),
            predecessors=predecessors,
            spooled=kept.read() if kept is not None else (),
            max_size=conf.remote.max_message_size,
        )
        self.runner = make_runner(self)
        #: Set, after a drain, once nothing runs any more; once nothing is
        #: held any more either; once nobody who is there could take what is
        #: held; and once that is on disk.
        self.quiet = threading.Event()
        self.drained = threading.Event()
        self.let_go = threading.Event()
        self.spooled = threading.Event()
        #: After a drain: the engines that have yet to record outcomes, each
        #: with how many.
        self.unrecorded: collections.Counter[str] = collections.Counter()
        self._spool = kept
        self._looked = clock.boottime()
        #: Set when it was cut off for so long that it gave up, or when
        #: another process has its name: a daemon exits.
        self.ended_by_itself = threading.Event()
        self._gave_up = gave_up
        #: Called when it has heard itself over the bus.
        self.on_proof: Callable[[], None] | None = None
        self._predecessors = frozenset(predecessors)
        self._ends: collections.Counter[str] = collections.Counter()
        self._draining = False
        #: Outcomes since the last report, and since when they wait.
        self._untold = 0
        self._slots = public.slots
        self._enough = public.slots * (1 + records.BACKLOG_PER_SLOT) // 2
        self._held_since = clock.boottime()

    # Called from other threads

    def drain(self) -> None:
        """Take nothing more, hand back what has not started."""
        self.post(self._drain)

    def cancel_all(self, reason: str) -> None:
        """Tell everything that runs to stop."""
        self.post(self._cancel_all, reason)

    def keep(self) -> None:
        """Write what nobody has recorded to disk; ``spooled`` tells."""
        self.post(self._keep)

    def offer(self, versions: dict[str, str], paths: list[str]) -> None:
        """Serve more, and tell everyone what is served from now on."""
        self.post(self._offer, versions, paths)

    def running(self) -> list[tuple[messages.Request, float]]:
        """List what runs, each with the wall time at which it started."""
        return self.runner.running()

    def counted(self) -> dict[str, int]:
        """Count requests by their ends, and messages that were odd."""
        running = len(self.runner.running())
        return {
            **self._ends,
            **self.machine.counts,
            **self.refusals,
            **self.endpoint.refusals,
            'running': running,
        }

    # What the runner says

    def finished(self, outcome: messages.Outcome, freed: bool) -> None:
        """Take a request's outcome."""
        self._ends[outcome.end] += 1
        self._untold += 1
        self.machine.finished(outcome, freed)

    def freed(self, request_uuid: str) -> None:
        """Take back a slot."""
        self.machine.freed(request_uuid)

    def progressed(self, request_uuid: str, progress: str) -> None:
        """Take a request's progress."""
        self.machine.progressed(request_uuid, progress)

    # What the bus says

    def received(self, message: messages.Message) -> None:
        """Give a message to the machine."""
        self.machine.received(message, self.now(), self.clock.now())

    def returned(self, number: int) -> None:
        """Tell the machine that its own cast came back."""
        self.machine.returned(number, self.now())
        if self.on_proof is not None and self.machine.link_good:
            self.on_proof()

    def namesake(self, incarnation: str) -> None:
        """Stop, unless it was sent by one that had the name before."""
        if incarnation not in self._predecessors:
            super().namesake(incarnation)
            self._give_up()

    @property
    def counts(self) -> collections.Counter[str]:
        """How often the machine took nothing of a message."""
        return self.machine.counts

    # The turn

    def turn(self) -> None:
        """Start, stop and forget what the machine says; report."""
        self.runner.tick()
        now = self.now()
        step = self.machine.step(now, self.clock.now())
        for request in step.start:
            self._say_start(request)
            self.runner.start(request)
        if self._spool is not None and step.forget:
            self._spool.forget(step.forget)
        for request_uuid, reason in step.cancel:
            self.runner.cancel(request_uuid, reason)
        if step.cast is not None:
            self.cast_self(step.cast)
        if step.fence:
            LOG.error(
                '%s was cut off from the message broker for so long that '
                'others may do its work: it cancels what runs',
                self.peer.name,
            )
            self.runner.kill()
            try:
                self._keep()
            finally:
                # Also with a disk that is full: others do the work already.
                self._give_up()
        self._look_at_locks(now)
        self._report(now)
        if self._draining:
            self._look_what_is_left(now)

    def _look_what_is_left(self, now: clock_mod.Boottime) -> None:
        if self.runner.running():
            return
        self.quiet.set()
        if self.machine.idle:
            self.drained.set()
            self.let_go.set()
        elif self.machine.deserted(now):
            self.let_go.set()
        self.unrecorded = collections.Counter(
            entry.party.peer.name for entry in self.machine.held()
        )

    def _say_start(self, request: messages.Request) -> None:
        if not LOG.isEnabledFor(logging.DEBUG):
            return
        with self.runner.about(request):
            LOG.debug(
                'Start %s of %s for flow %s, attempt %d, request %s',
                request.action,
                request.atom,
                request.flow_uuid,
                request.attempt,
                request.request_uuid,
            )

    def _look_at_locks(self, now: clock_mod.Boottime) -> None:
        """Learn who has died on this host, every heartbeat.

        Task processes may outlive their worker, and with them its lock.
        """
        if now - self._looked < self.timing.heartbeat:
            return
        self._looked = now
        ended = sorted(identity.dead(self.conf), key=_started)
        for past in ended[-_MOST_DEAD:]:
            mine = past.name == self.peer.name
            clean = past.end is identity.End.CLEAN
            if mine or not clean:
                self.machine.predecessor(past.incarnation, clean)

    def _grows(self, now: clock_mod.Boottime) -> bool:
        """Whether more outcomes will be there in a moment.

        A message costs as much as some twenty short tasks, so while others
        wait here to run, what has run waits for them: until half of what
        there is room for has, or for a hundredth of a second, which is
        nothing to tasks that take longer. The last of a crowd of short tasks
        are waited for as well.
        """
        if not self._untold:
            self._held_since = now
            return False
        more = self.machine.queued > 0 or (
            self._untold > self._slots and self.machine.busy > 0
        )
        return (
            more
            and self._untold < self._enough
            and now - self._held_since < _HOLD
        )

    def _report(self, now: clock_mod.Boottime) -> None:
        if self._grows(now):
            self.patience = _HOLD
            return
        self.patience = control.TICK
        for engine in self.machine.due():
            address = transport.Address(transport.Role.ENGINE, engine.name)
            if self.sending(address):
                continue
            report = self.machine.report(engine.incarnation, now)
            if report is not None:
                self._untold = 0
                self._held_since = now
                version = self.machine.version(engine.incarnation)
                self.send(address, report, version)
                if self.machine.has_more(engine.incarnation):
                    # Have a turn follow, for what did not fit.
                    self.sending(address)
        if not self.sending(_ENGINES):
            announcement = self.machine.announcement(now)
            if announcement is not None:
                self.send(_ENGINES, announcement)

    def _give_up(self) -> None:
        self.ended_by_itself.set()
        if self._gave_up is not None:
            self._gave_up.set()

    def _keep(self) -> None:
        # Inside one process those who would ask end with it.
        if self._spool is not None:
            self._spool.write(self.machine.held())
        self.spooled.set()

    def _drain(self) -> None:
        if not self._draining:
            self._draining = True
            self.machine.drain(self.now())

    def _offer(self, versions: dict[str, str], paths: list[str]) -> None:
        self.runner.serve(paths)
        public = dataclasses.replace(self.machine.public, tasks=versions)
        self.machine.publish(public)

    def _cancel_all(self, reason: str) -> None:
        self.machine.give_up(reason)


def _started(past: identity.Predecessor) -> float:
    return past.started_at
