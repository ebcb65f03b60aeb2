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


"""Who runs a flow: claims, the owner's lease, and taking over.

A flow's row names its owner, and its epoch counts its claims; every commit
proves both. An owner is a process. It has one row, whose counter it raises
every third of its lease as long as it drives flows; who waits for one of
them watches that row on its own monotonic clock, so that no two clocks are
ever compared. A flow may be taken at once if it was released or its owner is
proven dead, else once the owner's row was seen unchanged for one of its
leases.

The taker raises a second counter, ``claims``, in the row of the owner it took
from. An owner that finds there a number that it has not verified reads which
flows are still its own, and until it has, must not speak for any of them.

This module knows rules and time; rows are behind ``leases.Registry``, and
other owners are watched in ``watches``.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from collections.abc import Set
import threading
import typing

from oslo_log import log as logging

from taskflow_service import clock as clocks
from taskflow_service import exceptions
from taskflow_service.persistence import leases
from taskflow_service.persistence import together
from taskflow_service.persistence import unit
from taskflow_service.persistence import watches

LOG = logging.getLogger(__name__)


class _Driven(typing.NamedTuple):
    epoch: int
    driver: leases.Driver | None


class _Taken:
    """The flows that this process drives or is claiming, in any logbook.

    By owner as well, because a test plays several processes in one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flows: set[tuple[str, str]] = set()

    def add(self, owner: str, flow_uuid: str) -> bool:
        """Take a flow; False if it is taken."""
        with self._lock:
            if (owner, flow_uuid) in self._flows:
                return False
            self._flows.add((owner, flow_uuid))
            return True

    def discard(self, owner: str, flow_uuids: Iterable[str]) -> None:
        """Let go of flows."""
        with self._lock:
            self._flows.difference_update((owner, uuid) for uuid in flow_uuids)


_taken = _Taken()


class Ownership:
    """The flows of this process in one logbook. Thread-safe.

    :param owner: this process's incarnation
    :param name: what it is called in messages
    :param lease: seconds
    :param proven_dead: whether an incarnation is known to be gone
    :param claim_timeout: seconds to wait for a flow, None for one lease of
        its owner and a renewal
    """

    def __init__(
        self,
        registry: leases.Registry,
        owner: str,
        name: str,
        proven_dead: Callable[[str], bool],
        lease: float = leases.LEASE,
        claim_timeout: float | None = None,
        clock: clocks.Clock = clocks.SYSTEM,
    ) -> None:
        self.owner = owner
        self.name = name
        self.lease = lease
        #: Seconds between two renewals.
        self.heartbeat = lease / 3
        self._margin = max(1.0, lease / 10)
        self._registry = registry
        self._take_free = together.Together(
            self._take_all_free, lambda flow_uuid: {flow_uuid}
        )
        self._proven_dead = proven_dead
        self._claim_timeout = claim_timeout
        self._clock = clock
        self._lock = threading.Lock()
        self._beat = threading.Lock()
        self._driven: dict[str, _Driven] = {}
        self._claiming = 0
        self._told: dict[str, str] = {}
        self._watches = watches.Watches(registry, lease, self.heartbeat, clock)
        self._adopting = False
        self._renewed: float | None = None
        self._verified: int | None = None
        self._failing = False
        self._stop = clock.event()
        self._thread: threading.Thread | None = None

    # -- what others may rely on -----------------------------------------

    def good(self) -> bool:
        """Whether the last renewal began recently enough to claim."""
        return (
            self._renewed is not None
            and self._clock.boottime() - self._renewed
            < self.lease - self._margin
        )

    def may_speak(self) -> bool:
        """Whether orders may be sent to workers for the flows driven here.

        Where none is driven there is nothing to be wrong about.
        """
        return not self._driven or (self._verified is not None and self.good())

    def drives(self, flow_uuid: str) -> bool:
        """Whether something in this process drives a flow."""
        return flow_uuid in self._driven

    def driven(self, flow_uuids: Iterable[str]) -> Set[str]:
        """Tell which of some flows something in this process drives."""
        with self._lock:
            return self._driven.keys() & set(flow_uuids)

    # -- claiming --------------------------------------------------------

    def claim(
        self,
        flow_uuid: str,
        timeout: float | None = None,
        driver: leases.Driver | None = None,
    ) -> unit.Claim:
        """Become the owner of a flow; blocks up to ``timeout`` seconds.

        Raises FlowOwned if the flow is driven in this process, or at the end
        of the timeout; NotFound; StorageOutage.
        """
        if not _taken.add(self.owner, flow_uuid):
            name = f'{self.name}, which is this one'
            raise leases.owned(flow_uuid, self.owner, name)
        with self._lock:
            self._claiming += 1
        try:
            self._start()
            claim = self._await(flow_uuid, timeout)
            with self._lock:
                self._driven[flow_uuid] = _Driven(claim.epoch, driver)
            return claim
        except BaseException:
            _taken.discard(self.owner, [flow_uuid])
            raise
        finally:
            with self._lock:
                self._claiming -= 1

    def claim_free(
        self, drivers: Mapping[str, leases.Driver]
    ) -> Mapping[str, unit.Claim]:
        """Become the owner of those flows that have none; does not wait.

        Raises StorageOutage; then none is claimed.
        """
        wanted = [uuid for uuid in drivers if _taken.add(self.owner, uuid)]
        claims: Mapping[str, unit.Claim] = {}
        with self._lock:
            self._claiming += 1
        try:
            self._start()
            if not self.good():
                self.beat()
            claims = self._registry.take_free(wanted, self.owner)
            with self._lock:
                for uuid, claim in claims.items():
                    self._driven[uuid] = _Driven(claim.epoch, drivers[uuid])
            return claims
        finally:
            _taken.discard(
                self.owner, [uuid for uuid in wanted if uuid not in claims]
            )
            with self._lock:
                self._claiming -= 1

    def _await(self, flow_uuid: str, timeout: float | None) -> unit.Claim:
        """Try until it succeeds or the time is over.

        Waits through an outage of the database as well.
        """
        if timeout is None:
            timeout = self._claim_timeout
        started = self._clock.monotonic()
        pause = self.heartbeat / 3
        while True:
            error: exceptions.TaskFlowException
            try:
                return self._try(flow_uuid)
            except exceptions.FlowOwned as refusal:
                error, owner = refusal, refusal.owner
            except exceptions.StorageOutage as outage:
                error, owner = outage, None
            waited = self._clock.monotonic() - started
            limit = timeout
            if limit is None:
                length = max(self._watches.length(owner), self.lease)
                limit = length + self.heartbeat
            if waited >= limit:
                raise error
            self._pause(min(pause, limit - waited))

    def _try(self, flow_uuid: str) -> unit.Claim:
        """Claim a flow if it may be claimed now; FlowOwned if not."""
        if not self.good():
            self.beat()
        claim = self._take_free(flow_uuid)
        if claim is not None:
            return claim
        standing = self._registry.stand(flow_uuid)
        if standing is None:
            raise exceptions.NotFound(
                f"No flow details found with uuid '{flow_uuid}'"
            )
        proof = self._proof(standing.owner)
        if proof is not None and self._take(flow_uuid, standing, proof):
            return unit.Claim(flow_uuid, standing.epoch + 1, standing.turn)
        raise leases.owned(
            flow_uuid, standing.owner, self._watches.name(standing.owner)
        )

    def _take_all_free(
        self, flow_uuids: Sequence[str]
    ) -> list[unit.Claim | None]:
        taken = self._registry.take_free(flow_uuids, self.owner)
        return [taken.get(uuid) for uuid in flow_uuids]

    def _proof(self, owner: str | None) -> leases.Proof | None:
        """Find a reason to claim a flow of this owner."""
        if owner is None:
            return leases.Proof.RELEASED
        if owner == self.owner:
            return leases.Proof.OWN
        if self._proven_dead(owner):
            return leases.Proof.DEAD
        return leases.Proof.SILENT if self._watches.is_silent(owner) else None

    def _take(
        self,
        flow_uuid: str,
        standing: leases.Standing,
        proof: leases.Proof,
    ) -> bool:
        if not self._registry.take(
            flow_uuid,
            standing,
            self.owner,
            proof,
            self._watches.renewals(standing.owner),
        ):
            return False
        if proof is not leases.Proof.RELEASED:
            LOG.info(
                'Took over flow %s from %s (%s)',
                flow_uuid,
                standing.owner,
                proof.value,
            )
        return True

    def _pause(self, seconds: float) -> None:
        deadline = clocks.Monotonic(self._clock.monotonic() + seconds)
        if self._clock.wait(self._stop, deadline):
            raise exceptions.StorageFailure(
                'The persistence backend was closed while a flow was claimed'
            )

    # -- adopting --------------------------------------------------------

    def adopt(self) -> None:
        """Keep watching the other owners, also while nothing is driven."""
        self._adopting = True
        self._start()

    def is_gone(self, owner: str) -> bool:
        """Whether a claim of this owner's flows would succeed at once."""
        return self._proof(owner) not in (None, leases.Proof.OWN)

    # -- giving up -------------------------------------------------------

    def forget(self, flow_uuids: Iterable[str]) -> None:
        """Take note that flows are no longer driven here."""
        with self._lock:
            ours = self._driven.keys() & set(flow_uuids)
            for uuid in ours:
                del self._driven[uuid]
                self._told.pop(uuid, None)
        _taken.discard(self.owner, ours)

    def release(self, claim: unit.Claim) -> None:
        """Give a flow up for others to claim; never raises.

        Does nothing if its last commit released it, or it was lost. Where
        the database is away, the flow is taken over later, as one whose
        owner does not drive it.
        """
        if not self.drives(claim.flow_uuid):
            return
        self.forget([claim.flow_uuid])
        try:
            self._registry.release(claim.flow_uuid, claim.epoch, self.owner)
        except exceptions.TaskFlowException as error:
            LOG.warning(
                'Flow %s could not be released: %s', claim.flow_uuid, error
            )

    # -- keeping -------------------------------------------------------------

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(
                    target=self._keep, name='tfs-keeper', daemon=True
                )
                self._thread.start()

    def _keep(self) -> None:
        """Keep until stopped; a process that drives nothing keeps nothing."""
        while True:
            # Twice as often as is needed, so that no two looks at the other
            # owners are more than a heartbeat apart.
            deadline = self._clock.monotonic() + self.heartbeat / 2
            if self._clock.wait(self._stop, clocks.Monotonic(deadline)):
                return
            if not (self._driven or self._claiming or self._adopting):
                continue
            try:
                if self._is_due():
                    self.beat()
                self._watches.look()
            except Exception as error:
                # Any: the next beat may succeed, and nobody else renews.
                if not self._failing:
                    self._failing = True
                    LOG.warning('The owner lease was not renewed: %s', error)

    def _is_due(self) -> bool:
        return (
            self._renewed is None
            or self._clock.boottime() - self._renewed >= self.heartbeat * 0.9
        )

    def beat(self) -> None:
        """Renew the lease, verify what is driven, hear what is asked.

        Raises StorageOutage where the database is away.
        """
        with self._beat:
            # While this host slept others may have taken its flows.
            began = self._clock.boottime()
            claims, missing = self._registry.renew(
                self.owner, self.name, self.lease
            )
            if missing or claims != self._verified:
                self._verified = None
            self._renewed = began
            if self._failing:
                self._failing = False
                LOG.info('The owner lease is renewed again')
            if self._verified is None:
                self._verify(claims)
            self._hear()

    def _verify(self, claims: int) -> None:
        """Drop the flows that are no longer this process's."""
        with self._lock:
            driven = dict(self._driven)
        lost = []
        if driven:
            mine = self._registry.mine(self.owner)
            lost = [
                uuid
                for uuid, each in driven.items()
                if mine.get(uuid) != each.epoch
                and not self._ended_here(uuid, each)
            ]
        for uuid in lost:
            LOG.warning('Flow %s was taken over by another process', uuid)
            driver = driven[uuid].driver
            if driver is not None:
                driver.lost(uuid)
        # Only now may this process speak again: nobody speaks of the lost.
        self.forget(lost)
        self._verified = claims

    def _ended_here(self, flow_uuid: str, each: _Driven) -> bool:
        """Whether a flow has no owner because its run here just ended."""
        standing = self._registry.stand(flow_uuid)
        return (
            standing is not None
            and standing.owner is None
            and standing.epoch == each.epoch
        )

    def _hear(self) -> None:
        if not self._driven:
            return
        for uuid, what in self._registry.asked(self.owner).items():
            with self._lock:
                each = self._driven.get(uuid)
                if each is None or self._told.get(uuid) == what:
                    continue
                self._told[uuid] = what
            if each.driver is not None:
                each.driver.asked(uuid, what)

    def close(self) -> None:
        """Stop keeping; idempotent."""
        self._stop.set()
        self.forget(list(self._driven))
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if thread is not threading.current_thread():
            thread.join()
        try:
            self._registry.retire(self.owner)
        except exceptions.TaskFlowException as error:
            LOG.debug('The row of owner %s stays: %s', self.owner, error)
