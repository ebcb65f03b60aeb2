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
"""Rules of the protocol, each broken on purpose.

A test suite that cannot tell a protocol without a rule from one with it does
not test that rule.  Each function here takes a ``mock.patch.object``-like
callable and replaces one rule by what somebody might have written instead.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
from unittest import mock

from taskflow_service.protocol import link
from taskflow_service.protocol.engine import machine as engine_machine
from taskflow_service.protocol.engine import ownership
from taskflow_service.protocol.engine import peers
from taskflow_service.protocol.engine import records as engine_records
from taskflow_service.protocol.engine import silence
from taskflow_service.protocol.engine import turn
from taskflow_service.protocol.messages import End
from taskflow_service.protocol.worker import fence
from taskflow_service.protocol.worker import intake
from taskflow_service.protocol.worker import records
from taskflow_service.protocol.worker import reporting
from tests.simulation import database
from tests.simulation import engine

Patch = Callable[[object, str, object], None]


def request_uuid_ignored(patch: Patch) -> None:
    """An outcome counts for its atom, whatever request it is of."""

    def find(self, flow, request_uuid):
        runs = self.world.ledger.runs
        for (flow_uuid, name), found in runs.items():
            if flow_uuid == flow.uuid and any(
                run.request.request_uuid == request_uuid for run in found
            ):
                return next(a for a in flow.atoms if a.spec.name == name)
        return None

    patch(engine.Engine, 'find', find)


def epoch_ignored(patch: Patch) -> None:
    """A commit does not prove that the flow is still its owner's."""

    def commit(self, unit):
        self._write(self.flows[unit.flow.uuid], unit)
        return 'ok'

    patch(database.Database, 'commit', commit)


def seq_ignored(patch: Patch) -> None:
    """Orders are taken however old they are."""
    original = intake.Intake.orders

    def orders(self, message, now, wall):
        party = self._book.party(message.sender)
        taken, party.taken = party.taken, -1
        original(self, message, now, wall)
        party.taken = max(party.taken, taken)

    patch(intake.Intake, 'orders', orders)


def number_ignored(patch: Patch) -> None:
    """Reports count however old they are."""
    original = peers.Peers.report

    def report(self, message, now):
        peer = self.peer(message.sender)
        number, peer.number = peer.number, -1
        original(self, message, now)
        peer.number = max(peer.number, number)

    patch(peers.Peers, 'report', report)


def grant_ignored(patch: Patch) -> None:
    """A request is started however old the report is that it is for."""
    patch(records.Book, 'fresh', lambda self, grant, now: True)


def promises_forgotten(patch: Patch) -> None:
    """A worker does not remember what it handed back or disowned."""
    originals = {
        name: getattr(records.Book, name) for name in ('hand_back', 'disown')
    }

    def forgetting(name):
        def call(self, *args):
            originals[name](self, *args)
            self.disowned.clear()

        return call

    for name in originals:
        patch(records.Book, name, forgetting(name))


def never_fenced(patch: Patch) -> None:
    """A worker that is cut off goes on."""
    patch(fence.Fence, 'tick', lambda self, now: False)


def never_sent_again(patch: Patch) -> None:
    """What a report lacks is not sent again."""
    patch(peers.Peers, 'resend', lambda self, work: None)


def never_attached(patch: Patch) -> None:
    """A new owner does the work of the last one again."""

    def attach(self, work, worker, now):
        work.phase = engine_records.Phase.OPEN
        self._peers.adopt(work, self._peers.peer(worker))
        self._peers.close(work, End.DISOWNED)

    patch(engine_machine.Engine, 'attach', attach)


def lease_ignored(patch: Patch) -> None:
    """An engine sends whatever it built, however long ago."""
    patch(ownership.Ownership, 'may_bind', lambda self, now: True)
    patch(engine_machine.Engine, 'may_send', lambda self, orders, now: True)


def claims_ignored(patch: Patch) -> None:
    """An engine whose renewal succeeds believes that it owns its flows."""
    patch(
        ownership.Ownership,
        'renewed',
        lambda self, began, claims: setattr(self, '_renewed', began),
    )


def outcomes_told_once(patch: Patch) -> None:
    """A worker forgets an outcome when it has told it."""
    original = reporting.Reporting.report

    def report(self, incarnation, now):
        built = original(self, incarnation, now)
        for outcome in built.outcomes if built else ():
            entry = self._book.requests.get(outcome.request_uuid)
            if entry is not None:
                self._book.remove(entry)
        return built

    patch(reporting.Reporting, 'report', report)


def silence_means_dead(patch: Patch) -> None:
    """A worker that is silent for a lease is taken for dead."""
    original = silence.Silence.tick

    def tick(self, now):
        original(self, now)
        for peer in list(self._peers.known.values()):
            if peer.suspect and not peer.dead:
                for work in list(peer.open.values()):
                    self._peers.close(work, End.DEAD)

    patch(silence.Silence, 'tick', tick)


def credit_unbounded(patch: Patch) -> None:
    """Slots are lent without counting what is lent or runs already."""
    patch(intake.Intake, '_free', lambda self: self._book.public.slots)


def recorded_too_early(patch: Patch) -> None:
    """An outcome is acknowledged before it is stored."""
    original = peers.Peers._outcome

    def outcome(self, peer, told, now):
        original(self, peer, told, now)
        if self.unrecorded.pop(told.request_uuid, None) is not None:
            peer.recorded[told.request_uuid] = None

    patch(peers.Peers, '_outcome', outcome)


def turns_used_twice(patch: Patch) -> None:
    """A turn number is used again when its unit seems not committed."""
    original = database.Unit

    def unit(flow, epoch, turn, new_turn):
        return original(flow, epoch, turn, turn + 1)

    patch(database, 'Unit', unit)


def own_link_ignored(patch: Patch) -> None:
    """Silence counts although nobody could have been heard."""
    patch(link.Link, 'good', property(lambda self: True))
    patch(link.Link, 'proven', lambda self, now: True)


def fenced_by_reports_alone(patch: Patch) -> None:
    """A worker that no engine answers stops, though its link is good."""
    original = fence.Fence.tick

    def tick(self, now):
        self._link.confirmed = self._seen
        return original(self, now)

    patch(fence.Fence, 'tick', tick)


def losses_uncounted(patch: Patch) -> None:
    """A task is tried again however many workers it has killed."""
    patch(turn, 'counts', lambda end: False)


RULES: dict[str, Callable[[Patch], None]] = {
    rule.__name__: rule
    for rule in (
        request_uuid_ignored,
        epoch_ignored,
        seq_ignored,
        number_ignored,
        grant_ignored,
        promises_forgotten,
        never_fenced,
        never_sent_again,
        never_attached,
        lease_ignored,
        claims_ignored,
        outcomes_told_once,
        silence_means_dead,
        credit_unbounded,
        recorded_too_early,
        turns_used_twice,
        own_link_ignored,
        fenced_by_reports_alone,
        losses_uncounted,
    )
}


@contextlib.contextmanager
def broken(name: str) -> Iterator[None]:
    """Run without one rule."""
    with contextlib.ExitStack() as stack:

        def patch(target: object, attribute: str, value: object) -> None:
            stack.enter_context(mock.patch.object(target, attribute, value))

        RULES[name](patch)
        yield
