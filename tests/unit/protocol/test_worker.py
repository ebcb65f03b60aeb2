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
"""The worker's half: what it takes, lends, says, and when it stops."""

from __future__ import annotations

import dataclasses

from oslotest import base

from taskflow_service.protocol import messages
from taskflow_service.protocol.messages import Action
from taskflow_service.protocol.messages import End
from taskflow_service.protocol.worker import records
from tests.unit.protocol import rig

ENGINES = {
    name: messages.Peer(f'host.{name}', name) for name in ('e1', 'e2', 'e3')
}


class WorkerTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.clock = rig.Clock()
        self.seqs = dict.fromkeys(ENGINES, 0)

    def make(self, slots=1, **kwargs):
        self.worker = rig.WorkerRig(self.clock, slots=slots, **kwargs)
        self.worker.step()
        return self.worker

    def orders(self, engine='e1', to='w1', **said):
        self.seqs[engine] += 1
        self.worker.hear(
            messages.Orders(
                sender=ENGINES[engine],
                to=to,
                seq=self.seqs[engine],
                **said,
            )
        )

    def request(self, request_uuid, **changes):
        values = {
            'request_uuid': request_uuid,
            'flow_uuid': 'f',
            'atom': 'a',
            'task': 't.task',
            'grant': self.worker.core._book.number,
        }
        return messages.Request(**(values | changes))

    def want(self, engine='e1', count=1, **kind):
        """Say that an engine has demand; return the report it gets."""
        self.orders(
            engine,
            demand=(messages.Demand('t.task', count, **kind),),
            ask=True,
        )
        return self.worker.say(engine)

    def run_one(self, request_uuid='r1', **changes):
        self.want()
        self.orders(execute=(self.request(request_uuid, **changes),))
        self.assertIn(request_uuid, self.worker.running)

    # Credit

    def test_credit_goes_to_engines_with_demand(self):
        self.make(slots=2)
        self.assertEqual((2, 0), self.want(count=5).credit)
        self.assertEqual((0, 0), self.want('e2', count=5).credit)

    def test_a_backlog_is_lent_for_idempotent_tasks_only(self):
        self.make(slots=2)
        self.assertEqual((2, 30), self.want(count=99, idempotent=True).credit)

    def test_a_backlog_is_bounded(self):
        self.make(slots=200)
        report = self.want(count=5000, idempotent=True)
        self.assertEqual((200, 1000), report.credit)

    def test_engines_share_a_backlog(self):
        self.make(slots=1)
        self.orders('e1', demand=(messages.Demand('t.task', 99, True),))
        self.orders('e2', demand=(messages.Demand('t.task', 99, True),))
        self.assertEqual(1, self.worker.say('e1').credit[0])
        lent = self.worker.core._book.parties
        self.assertLessEqual(sum(p.lent_backlog for p in lent.values()), 15)

    def test_credit_lapses_after_a_heartbeat(self):
        self.make()
        self.want(count=1)
        self.clock.now += rig.BEAT
        self.orders('e1')  # needs nothing any more
        self.worker.step()
        self.assertEqual((1, 0), self.want('e2').credit)

    def test_credit_that_is_not_needed_is_free_at_once(self):
        self.make()
        report = self.want()
        self.orders(seen=report.number)
        self.assertEqual((1, 0), self.want('e2').credit)

    def test_demand_for_what_is_not_served_here_gets_nothing(self):
        self.make()
        for demand in (
            messages.Demand('t.other', 1),
            messages.Demand('t.task', 1, task_version='2.0'),
            messages.Demand('t.task', 1, task_version='1.1'),
            messages.Demand('t.task', 1, topics=('silver',)),
        ):
            self.worker.hear(
                messages.Who(sender=ENGINES['e1'], number=1, demand=(demand,))
            )
            self.assertIsNone(self.worker.say())
        good = messages.Demand('t.task', 1, topics=('silver', 'gold'))
        self.worker.hear(
            messages.Who(sender=ENGINES['e1'], number=2, demand=(good,))
        )
        self.assertEqual((1, 0), self.worker.say().credit)

    def test_a_lent_slot_is_not_filled_from_the_backlog(self):
        self.make(slots=1)
        self.want(count=9, idempotent=True)
        requests = [self.request(f'r{i}', idempotent=True) for i in range(3)]
        self.orders('e1', execute=tuple(requests))
        self.want('e2', count=1)
        self.worker.finish('r0')
        # e2 was served less recently, so the slot is lent to it.
        self.assertEqual([], self.worker.running)
        self.assertEqual((1, 0), self.worker.say('e2').credit)
        self.orders('e2', execute=(self.request('s0'),))
        self.assertEqual(['s0'], self.worker.running)

    def test_what_is_for_the_backlog_takes_no_slot(self):
        self.make(slots=1)
        self.want(count=9, idempotent=True)
        again = self.request('again', idempotent=True, backlog=True)
        once = self.request('once')
        # Both spend the same credit; they may come in either order.
        self.orders('e1', execute=(again, once))
        self.assertEqual(['once'], self.worker.running)
        self.assertEqual(0, self.worker.core.counts.total())

    def test_more_room_is_told_to_who_has_spent_what_it_knew_of(self):
        self.make(slots=2)
        self.want('e2', count=1)
        self.orders('e2', execute=(self.request('s0'),))
        self.worker.say('e2')
        report = self.want(count=9, idempotent=True)
        self.assertEqual((1, 8), report.credit)
        # No use for the backlog: what waits can run only once.
        demand = (messages.Demand('t.task', 5),)
        self.orders(execute=(self.request('r0'),), demand=demand)
        self.worker.say()
        self.worker.finish('s0')
        self.assertEqual(1, self.worker.say().credit[0])

    def test_what_follows_an_outcome_has_room_without_asking(self):
        self.make()
        self.run_one()
        self.worker.finish('r1')
        self.assertEqual((1, 0), self.worker.say().credit)

    # Reverts and probes

    def test_reverts_run_in_a_slot_of_their_own_or_queue(self):
        self.make()
        self.run_one()
        undo = [
            self.request(f'u{i}', action=action)
            for i, action in enumerate((Action.REVERT, Action.PROBE))
        ]
        self.orders('e1', execute=tuple(undo))
        self.assertEqual(['r1', 'u0'], self.worker.running)
        self.worker.finish('u0')
        self.assertEqual(['r1', 'u1'], self.worker.running)

    # Bad input

    def test_an_unknown_task_is_handed_back_and_never_run(self):
        self.make()
        self.want()
        for change in ({'task': 't.other'}, {'task_version': '3.0'}):
            request = self.request(f'r-{change}'[:40], **change)
            self.orders('e1', execute=(request,))
            self.assertEqual(
                (request.request_uuid,), self.worker.say().handed_back
            )
        self.assertEqual([], self.worker.running)

    def test_orders_for_another_incarnation_are_dropped(self):
        self.make()
        self.orders('e1', to='w0', execute=(self.request('r1'),), ask=True)
        self.assertIsNone(self.worker.say())
        self.assertEqual([], self.worker.running)
        self.assertEqual(1, self.worker.core.counts['for another incarnation'])

    def test_a_stale_grant_is_handed_back(self):
        self.make()
        self.want()
        old = self.request('r1')
        self.clock.now += rig.LEASE
        self.worker.step()
        self.orders('e1', execute=(old,))
        self.assertEqual([], self.worker.running)
        self.assertEqual(('r1',), self.worker.say().handed_back)

    def test_a_stale_grant_is_not_renewed_in_the_line(self):
        self.make()
        self.run_one('r1', idempotent=True)
        again = self.worker.core.held()[0].request
        self.worker.finish('r1')
        self.orders(recorded=('r1',))
        self.clock.now += rig.LEASE
        self.worker.step()  # and the engine is forgotten, with its seq
        self.want('e2')
        self.orders('e2', execute=(self.request('r2'),))
        self.seqs['e1'] = 0
        self.orders('e1', execute=(again,))
        self.assertIn('r1', self.worker.say('e1').handed_back)
        self.orders('e1', seen=self.worker.core._book.number)
        self.worker.finish('r2')
        self.worker.step()
        self.assertNotIn('r1', self.worker.running)

    # Cancelling and attaching

    def test_a_cancel_sets_the_token_and_shows(self):
        self.make()
        self.run_one()
        self.orders('e1', cancel=(messages.Aim('r1', 0, 'why'),), ask=True)
        self.assertEqual([('r1', 'why')], self.worker.cancelled)
        self.assertTrue(self.worker.say().held[0].cancelled)

    def test_a_cancel_of_an_older_epoch_is_ignored(self):
        """A delayed cancel of an old owner must not act."""
        self.make()
        self.run_one(epoch=3)
        self.orders('e2', attach=(messages.Aim('r1', 4),))
        self.orders('e1', cancel=(messages.Aim('r1', 3),))
        self.assertEqual([], self.worker.cancelled)
        self.assertEqual(1, self.worker.core.counts['older epoch'])
        self.orders('e2', cancel=(messages.Aim('r1', 4),))
        self.assertEqual([('r1', '')], self.worker.cancelled)

    def test_an_attach_of_an_older_epoch_does_not_take_back(self):
        self.make()
        self.run_one(epoch=3)
        self.orders('e2', attach=(messages.Aim('r1', 4),))
        self.orders('e1', attach=(messages.Aim('r1', 3),), ask=True)
        self.assertEqual((), self.worker.say('e1').held)
        self.assertEqual('r1', self.worker.say('e2').held[0].request_uuid)

    def test_an_attach_moves_a_request_to_the_new_owner(self):
        self.make()
        self.run_one()
        self.orders('e2', attach=(messages.Aim('r1', 1),))
        self.assertEqual('r1', self.worker.say('e2').held[0].request_uuid)
        self.worker.finish('r1')
        (outcome,) = self.worker.say('e2').outcomes
        self.assertEqual((End.OK, 'f'), (outcome.end, outcome.flow_uuid))
        self.assertIsNone(self.worker.say('e1'))

    def test_an_attach_of_the_unknown_is_a_promise(self):
        self.make()
        self.want()
        self.orders('e2', attach=(messages.Aim('r1', 1),))
        self.assertEqual(('r1',), self.worker.say('e2').disowned)
        self.orders('e1', execute=(self.request('r1'),))
        self.assertEqual([], self.worker.running)

    def test_a_queued_request_that_is_cancelled_never_starts(self):
        self.make()
        self.want(count=2, idempotent=True)
        self.orders(
            execute=tuple(
                self.request(uuid, idempotent=True) for uuid in ('r1', 'r2')
            )
        )
        self.orders(cancel=(messages.Aim('r2'),))
        (outcome,) = self.worker.say().outcomes
        self.assertEqual(
            (End.CANCELLED, 'r2'), (outcome.end, outcome.request_uuid)
        )
        self.worker.finish('r1')
        self.assertEqual([], self.worker.running)

    def test_a_recall_takes_only_what_has_not_started(self):
        self.make()
        self.want(count=2, idempotent=True)
        self.orders(
            execute=tuple(
                self.request(uuid, idempotent=True) for uuid in ('r1', 'r2')
            )
        )
        self.orders(recall=('r1', 'r2'))
        self.assertEqual(('r2',), self.worker.say().handed_back)
        self.assertEqual(['r1'], self.worker.running)

    # Reports

    def test_progress_costs_no_message(self):
        """Only the newest goes, with the next heartbeat."""
        self.make()
        self.run_one()
        self.worker.say()
        for tick in range(1000):
            self.worker.core.progressed('r1', str(tick))
        self.worker.step()
        self.assertIsNone(self.worker.say())
        self.clock.now += rig.BEAT
        self.worker.step()
        self.assertEqual('999', self.worker.say().held[0].progress)

    def test_an_outcome_is_told_until_it_is_recorded(self):
        self.make()
        self.run_one()
        self.worker.finish('r1')
        self.assertEqual(1, len(self.worker.say().outcomes))
        for _ in range(3):
            self.orders()
            self.clock.now += rig.BEAT
            self.worker.step()
            self.assertEqual(1, len(self.worker.say().outcomes))
        self.orders(recorded=('r1',))
        self.assertEqual(['r1'], self.worker.forgotten)
        self.assertTrue(self.worker.core.idle)

    def test_outcomes_that_do_not_fit_go_in_the_next_report(self):
        self.make(slots=3, max_size=20_000)
        self.want(count=3)
        self.orders(
            execute=tuple(self.request(uuid) for uuid in ('a', 'b', 'c'))
        )
        for uuid in 'abc':
            self.worker.running.remove(uuid)
            self.worker.core.finished(
                messages.Outcome(uuid, End.OK, 'x' * 3000)
            )
        self.worker.step()
        sent = []
        while (report := self.worker.say()) is not None:
            self.assertLess(len(messages.to_wire(report)), 20_000)
            self.assertEqual(3, len(report.held))
            sent += [outcome.request_uuid for outcome in report.outcomes]
        self.assertEqual(['a', 'b', 'c'], sent)

    def test_a_slot_that_stays_taken_is_not_lent(self):
        """A thread that does not stop outlives its attempt."""
        self.make()
        self.run_one()
        self.worker.core.finished(
            messages.Outcome('r1', End.FAILED), freed=False
        )
        self.worker.step()
        self.assertEqual((0, 0), self.worker.say().credit)
        self.worker.core.freed('r1')
        self.worker.step()
        self.assertEqual((1, 0), self.want().credit)

    def test_changes_are_announced_together(self):
        self.make()
        self.assertIsNotNone(self.worker.announce())
        public = self.worker.core._book.public
        for slots in (2, 3, 4):
            self.worker.core.publish(dataclasses.replace(public, slots=slots))
            self.assertIsNone(self.worker.announce())
        self.clock.now += 1
        self.assertEqual(4, self.worker.announce().public.slots)
        self.assertIsNone(self.worker.announce())

    # Ends

    def test_strict_fence_acts_on_silence_alone(self):
        self.make(slots=2)
        self.want(count=2)
        self.orders(
            execute=(
                self.request('r1', strict_fence=True),
                self.request('r2'),
            )
        )
        for _ in range(120):
            self.clock.now += 1
            self.worker.step()
        self.assertEqual(['r1'], [uuid for uuid, _ in self.worker.cancelled])
        self.worker.finish('r1', End.CANCELLED)
        self.assertIs(End.FENCED, self.worker.core.held()[0].outcome.end)
        self.assertFalse(self.worker.fenced)

    def test_what_finished_before_the_fence_could_stop_it_counts(self):
        self.make()
        self.run_one()
        self.worker.link_up = False
        for _ in range(125):
            self.clock.now += 1
            self.worker.step()
        self.assertTrue(self.worker.fenced)
        self.worker.finish('r1', End.OK)
        self.assertIs(End.OK, self.worker.core.held()[0].outcome.end)

    def test_what_it_gives_up_at_its_end_is_no_failure_of_the_task(self):
        self.make()
        self.run_one()
        self.worker.core.give_up('the worker stops')
        self.worker.step()
        self.assertEqual([('r1', 'the worker stops')], self.worker.cancelled)
        self.worker.finish('r1', End.CANCELLED)
        self.assertIs(End.FENCED, self.worker.core.held()[0].outcome.end)
        self.assertFalse(self.worker.fenced)

    def test_an_embedded_worker_goes_on_when_its_link_is_back(self):
        self.make()
        self.run_one()
        self.worker.link_up = False
        for _ in range(125):
            self.clock.now += 1
            self.worker.step()
        self.worker.finish('r1', End.CANCELLED)
        self.want('e2')
        self.orders('e2', execute=(self.request('r2'),))
        self.assertEqual([], self.worker.running)
        self.worker.link_up = True
        for _ in range(5):
            self.clock.now += 1
            self.worker.step()
        self.assertEqual((1, 0), self.want('e2').credit)

    def test_a_drain_does_not_wait_for_an_engine_that_is_silent(self):
        self.make()
        self.run_one()
        self.worker.finish('r1', End.OK)
        core = self.worker.core
        core.drain(self.clock.now)
        self.assertFalse(core.deserted(self.clock.now))
        for _ in range(16):
            self.clock.now += 1
            self.worker.step()
        self.assertFalse(core.idle)
        self.assertTrue(core.deserted(self.clock.now))

    def test_a_drain_waits_where_nobody_can_be_heard(self):
        self.make()
        self.run_one()
        self.worker.finish('r1', End.OK)
        self.worker.link_up = False
        for _ in range(30):
            self.clock.now += 1
            self.worker.step()
        self.assertFalse(self.worker.core.deserted(self.clock.now))

    def test_a_drain_waits_for_what_runs_for_a_silent_engine(self):
        self.make()
        self.run_one()
        for _ in range(16):
            self.clock.now += 1
            self.worker.step()
        self.assertFalse(self.worker.core.deserted(self.clock.now))

    def test_a_drain_does_not_wait_for_what_is_on_disk_already(self):
        kept = records.Spooled(
            messages.Request(
                request_uuid='r0',
                flow_uuid='f',
                atom='a',
                task='t.task',
                grant=1,
                epoch=1,
            ),
            ENGINES['e1'],
            messages.Outcome('r0', End.OK),
        )
        self.make(spooled=[kept])
        self.worker.core.drain(self.clock.now)
        self.worker.step()
        self.assertTrue(self.worker.core.idle)
        self.assertEqual([], self.worker.forgotten)

    def test_a_drain_waits_for_what_runs_and_takes_nothing_new(self):
        self.make()
        self.run_one()
        self.worker.core.drain(self.clock.now)
        self.worker.step()
        self.assertTrue(self.worker.say().public.draining)
        self.assertEqual((0, 0), self.want('e2').credit)
        self.assertFalse(self.worker.core.idle)
        self.worker.finish('r1')
        self.orders(recorded=('r1',))
        self.assertTrue(self.worker.core.idle)
