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
"""The engine's half: where work goes, what is sent, who is silent."""

from __future__ import annotations

from oslotest import base

from taskflow_service.protocol import messages
from taskflow_service.protocol.engine import ownership
from taskflow_service.protocol.engine import records
from taskflow_service.protocol.messages import Action
from taskflow_service.protocol.messages import End
from taskflow_service.protocol.messages import Held
from taskflow_service.protocol.messages import Outcome
from taskflow_service.protocol.messages import State
from tests.unit.protocol import rig


class EngineTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.clock = rig.Clock()
        self.rig = rig.EngineRig(self.clock)
        self.engine = self.rig.core
        self.numbers = {}

    def report(self, name='w1', **said):
        """Let a worker report; its public half comes with the first."""
        number = self.numbers.get(name, 0) + 1
        self.numbers[name] = number
        if number == 1:
            said.setdefault('public', self.public())
        said.setdefault('taken', self.engine._sending._seq)
        self.rig.hear(
            messages.Report(
                sender=messages.Peer(f'host.{name}', name),
                to='e1',
                number=number,
                **said,
            )
        )

    def public(self, version='1.0', slots=2, **more):
        return messages.Public({'t.task': version}, ('gold',), slots, **more)

    def begin(self, count=1, credit=(1, 0), name='w1', **kind):
        """Get that much work sent to a worker."""
        self.report(name, credit=credit)
        works = self.rig.want(count, **kind)
        self.rig.start(works)
        self.rig.say(name)
        return works

    def wait(self, seconds, *reporting):
        for second in range(seconds):
            self.clock.now += 1
            for name in reporting:
                if second % 5 == 0:
                    held = [
                        Held(uuid, State.STARTED, 1.0)
                        for peer in self.engine.workers()
                        if peer.peer.incarnation == name
                        for uuid in peer.open
                    ]
                    self.report(name, held=tuple(held))
            self.rig.tick()

    # Placing

    def test_work_goes_where_there_is_credit(self):
        self.report(credit=(1, 0))
        (placed,) = self.rig.want(2)
        self.assertEqual('w1', placed.worker.incarnation)
        self.assertEqual(1, placed.grant)
        self.report(credit=(1, 0))
        self.assertEqual([], self.engine.place((), self.clock.now))
        self.rig.start([placed])
        self.report(credit=(1, 0), taken=0)  # as of before the orders
        self.rig.say()
        self.assertEqual([], self.engine.place((), self.clock.now))
        self.report(credit=(1, 0), taken=1)
        self.assertEqual(1, len(self.engine.place((), self.clock.now)))

    def test_what_is_released_can_be_placed_again(self):
        self.report(credit=(1, 0))
        works = self.rig.want()
        self.engine.release(works)
        self.assertEqual(1, len(self.rig.want()))

    def test_credit_lapses(self):
        self.report(credit=(1, 0))
        self.clock.now += rig.BEAT
        self.assertEqual([], self.rig.want())

    def test_the_backlog_is_for_idempotent_work(self):
        self.report(credit=(1, 5))
        self.assertEqual(1, len(self.rig.want(9)))
        self.assertEqual(5, len(self.rig.want(9, idempotent=True)))

    def test_the_least_loaded_worker_comes_first(self):
        for name in ('w1', 'w2', 'w3'):
            self.report(name, credit=(2, 0))
        names = [work.worker.incarnation for work in self.rig.want(3)]
        self.assertEqual(['w1', 'w2', 'w3'], sorted(names))

    def test_topics_restrict_where_work_goes(self):
        self.report(credit=(2, 0))
        self.assertEqual([], self.rig.want(topics=('silver',)))
        self.assertEqual(1, len(self.rig.want(topics=('silver', 'gold'))))

    def test_reverts_go_one_by_one_to_each_worker(self):
        for name in ('w1', 'w2'):
            self.report(name)
        placed = self.rig.want(5, extra=True)
        self.assertEqual(
            {'w1', 'w2'}, {work.worker.incarnation for work in placed}
        )
        self.rig.start(placed, Action.REVERT)
        self.rig.say()
        self.report(outcomes=(Outcome(placed[0].request_uuid, End.OK),))
        self.assertEqual(1, len(self.engine.place((), self.clock.now)))

    def test_a_probe_runs_on_another_incarnation(self):
        self.report('w1')
        probe = records.Work(records.Kind('t.task', extra=True))
        probe.avoid = 'w1'
        self.report('w2')
        self.assertEqual([probe], self.engine.place([probe], self.clock.now))
        self.assertEqual('w2', probe.worker.incarnation)

    def test_a_probe_asks_where_it_was_lost_when_nobody_else_is_there(self):
        """But not while what it asks about may still run there."""
        (work,) = self.begin()
        self.wait(121)
        self.assertEqual([(work.request_uuid, End.LOST)], self.rig.ends())
        held = (Held(work.request_uuid, State.STARTED, 1.0),)
        self.report('w1', held=held)
        probe = records.Work(records.Kind('t.task', extra=True))
        probe.avoid = 'w1'
        self.assertEqual([], self.engine.place([probe], self.clock.now))
        self.report('w1')
        self.assertEqual([probe], self.engine.place((), self.clock.now))

    def test_a_draining_worker_gets_nothing_new(self):
        self.report(credit=(2, 0), public=self.public(draining=True))
        self.assertEqual([], self.rig.want())
        self.assertEqual([], self.rig.want(extra=True))

    def test_the_reason_can_be_read(self):
        work = records.Work(records.Kind('t.task', '1.0'))
        for public, reason in (
            (None, 'no live worker serves t.task'),
            (
                self.public('2.1'),
                'no live worker serves t.task in version 1.0, only in 2.1',
            ),
            (
                self.public(),
                'all 1 live workers that serve t.task are busy',
            ),
        ):
            if public is not None:
                self.report(public=public)
            self.assertEqual(
                reason, self.engine.reason(work.kind, self.clock.now)
            )
        work = records.Work(records.Kind('t.task', topics=('silver',)))
        self.assertEqual(
            'no live worker serves t.task on topic silver',
            self.engine.reason(work.kind, self.clock.now),
        )

    def test_who_backs_off_and_starts_anew(self):
        self.rig.want()
        asked = []
        for second in range(100):
            self.rig.tick()
            if self.rig.who:
                asked.append(second)
            self.clock.now += 1
        self.assertEqual([0, 1, 3, 7, 15, 31, 61, 91], asked)

    # Orders

    def test_orders_keep_within_their_size(self):
        self.rig = rig.EngineRig(self.clock, max_size=50_000)
        self.engine = self.rig.core
        works = []
        self.report(credit=(9, 0))
        works = self.rig.want(9)
        for work in works:
            work.request = messages.Request(
                request_uuid=work.request_uuid,
                flow_uuid='f',
                atom='a',
                task='t.task',
                grant=work.grant,
                arguments='x' * 4000,
            )
        self.engine.start(works, self.clock.now)
        sent = []
        while (orders := self.rig.say()) is not None:
            self.assertLess(len(messages.to_wire(orders)), 50_000)
            sent += [request.request_uuid for request in orders.execute]
        self.assertEqual([work.request_uuid for work in works], sent)

    def test_what_a_report_lacks_is_sent_again_with_a_fresh_grant(self):
        (work,) = self.begin()
        self.report(taken=0)
        self.assertIsNone(self.rig.say())
        self.report()
        orders = self.rig.say()
        self.assertEqual(
            [(work.request_uuid, 3)],
            [(r.request_uuid, r.grant) for r in orders.execute],
        )

    def test_orders_of_a_flow_that_was_lost_do_not_go_out(self):
        self.report(credit=(1, 0))
        works = self.rig.want()
        self.rig.start(works)
        built = self.rig.say()
        self.assertTrue(self.engine.may_send(built, self.clock.now))
        self.engine.forget(works)
        self.assertFalse(self.engine.may_send(built, self.clock.now))

    def test_recorded_rides_on_the_next_orders(self):
        (work,) = self.begin()
        self.report(
            outcomes=(Outcome(work.request_uuid, End.OK),), credit=(1, 0)
        )
        self.engine.recorded([work.request_uuid])
        self.assertIsNone(self.rig.say())
        self.rig.start(self.rig.want())
        self.assertEqual((work.request_uuid,), self.rig.say().recorded)

    def test_a_beat_is_answered_at_once(self):
        self.begin()
        self.report(beat=True)
        self.assertEqual(2, self.rig.say().seen)

    def test_a_beat_is_not_answered_without_any_business(self):
        """After a lease the pair is silent."""
        self.report()
        self.report(beat=True)
        self.assertIsNone(self.rig.say())

    def test_unneeded_credit_is_given_back(self):
        self.report(credit=(1, 0))
        self.wait(1)
        self.assertEqual((), self.rig.say().demand)

    def test_a_slot_that_keeps_the_own_backlog_waiting_is_given_back(self):
        works = self.begin(2, (1, 1), idempotent=True)
        held = [
            Held(work.request_uuid, state)
            for work, state in zip(
                works, (State.STARTED, State.ACCEPTED), strict=True
            )
        ]
        self.report(held=tuple(held), credit=(1, 0))
        self.rig.tick()
        self.assertEqual(2, self.rig.say().seen)

    def test_a_slot_that_keeps_nobody_waiting_is_kept_for_a_moment(self):
        (work,) = self.begin(idempotent=True)
        running = Held(work.request_uuid, State.STARTED)
        self.report(held=(running,), credit=(1, 0))
        self.rig.tick()
        self.assertIsNone(self.rig.say())

    def test_a_cancel_is_said_until_it_shows(self):
        (work,) = self.begin()
        uuid = work.request_uuid
        self.report(held=(Held(uuid, State.STARTED, 1.0),))
        self.engine.cancel(work, 'why')
        self.assertEqual('why', self.rig.say().cancel[0].reason)
        self.report(held=(Held(uuid, State.STARTED, 1.0),))
        self.assertEqual(uuid, self.rig.say().cancel[0].request_uuid)
        self.report(held=(Held(uuid, State.STARTED, 1.0, cancelled=True),))
        self.assertIsNone(self.rig.say())
        self.report(outcomes=(Outcome(uuid, End.CANCELLED),))
        self.assertEqual([(uuid, End.CANCELLED)], self.rig.ends())

    def test_what_was_never_sent_is_cancelled_here(self):
        self.report(credit=(1, 0))
        works = self.rig.want()
        self.rig.start(works)
        self.engine.cancel(works[0], 'why')
        self.assertEqual(
            [(works[0].request_uuid, End.CANCELLED)], self.rig.ends()
        )
        self.assertIsNone(self.rig.say())

    # Ends

    def test_there_is_one_end(self):
        """Cancelled, completed, silent, dead: whatever comes first."""
        (work,) = self.begin(idempotent=True)
        uuid = work.request_uuid
        self.report(held=(Held(uuid, State.STARTED, 1.0),))
        self.wait(20)
        self.assertEqual([(uuid, End.SUSPECT)], self.rig.ends())
        self.engine.cancel(work, 'why')
        self.report('w2', public=self.public(dead=('w1',)), credit=(1, 0))
        self.report('w1', outcomes=(Outcome(uuid, End.OK),))
        self.assertEqual(
            [records.Counted, records.Late],
            [type(event) for event in self.engine.events()],
        )

    def test_an_outcome_is_told_to_the_loop_once(self):
        (work,) = self.begin()
        outcome = Outcome(work.request_uuid, End.OK, '1', flow_uuid='f')
        for _ in range(3):
            self.report(outcomes=(outcome,))
        (event,) = self.engine.events()
        self.assertIs(work, event.work)
        self.engine.recorded([work.request_uuid])
        self.report(outcomes=(outcome,))
        self.assertEqual([], self.engine.events())

    def test_a_late_outcome_that_was_not_stored_comes_again(self):
        self.begin()
        outcome = Outcome('r-of-another', End.OK, '1', flow_uuid='f')
        for _ in range(3):
            self.report(outcomes=(outcome,))
        self.assertEqual(1, len(self.engine.events()))
        self.clock.now += rig.LEASE
        self.report(outcomes=(outcome,))
        self.assertEqual(1, len(self.engine.events()))

    def test_started_and_progress_are_told_once(self):
        (work,) = self.begin()
        for progress in ('1', '1', '2'):
            self.report(
                held=(
                    Held(
                        work.request_uuid,
                        State.STARTED,
                        7.5,
                        progress=progress,
                    ),
                )
            )
        self.assertEqual(
            [
                records.Started(work, 7.5),
                records.Progressed(work, '1'),
                records.Progressed(work, '2'),
            ],
            self.engine.events(),
        )

    def test_superseded_work_that_runs_on_is_cancelled(self):
        (work,) = self.begin(idempotent=True)
        self.report(held=(Held(work.request_uuid, State.STARTED, 1.0),))
        self.wait(17)
        self.report(held=(Held(work.request_uuid, State.STARTED, 1.0),))
        (aim,) = self.rig.say().cancel
        self.assertEqual(
            (work.request_uuid, 'superseded'), (aim.request_uuid, aim.reason)
        )

    # Silence

    def test_the_idempotent_are_suspect_after_a_lease(self):
        once = self.begin(1, (1, 0))
        again = self.begin(1, (1, 0), idempotent=True)
        self.wait(14)
        self.assertEqual([], self.rig.ends())
        self.wait(2)
        self.assertEqual(
            [(again[0].request_uuid, End.SUSPECT)], self.rig.ends()
        )
        self.wait(103)
        self.assertEqual([], self.rig.ends())
        self.wait(3)
        self.assertEqual([(once[0].request_uuid, End.LOST)], self.rig.ends())

    def test_a_worker_that_never_said_a_word_is_judged_too(self):
        """Silence counts from the first interest in it."""
        work = records.Work(records.Kind('t.task'), request_uuid='r')
        worker = messages.Peer('host.9', 'w9')
        self.engine.attach(work, worker, self.clock.now)
        self.wait(119)
        self.assertEqual([], self.rig.ends())
        self.wait(2)
        self.assertEqual([('r', End.LOST)], self.rig.ends())

    def test_the_silent_are_asked(self):
        self.begin()
        self.wait(6)
        orders = self.rig.say()
        self.assertTrue(orders.ask)
        self.assertEqual((), orders.attach)
        self.wait(5)
        # Whoever has that name now can answer for what is named.
        self.assertEqual(1, len(self.rig.say().attach))

    def test_silence_means_nothing_while_the_own_link_is_bad(self):
        self.begin(idempotent=True)
        self.rig.link_up = False
        self.wait(300)
        self.assertFalse(self.engine.link_good)
        self.assertEqual([], self.rig.ends())
        self.rig.link_up = True
        self.wait(31)  # the grace: others may still be reconnecting
        self.assertEqual([], self.rig.ends())
        self.wait(5)
        self.assertEqual(1, len(self.rig.ends()))

    def test_one_lost_cast_is_not_a_bad_link(self):
        self.wait(5)
        self.rig.link_up = False
        self.wait(1)
        self.rig.link_up = True
        self.wait(10)
        self.assertTrue(self.engine.link_good)

    def test_after_a_pause_everyone_gets_time(self):
        self.begin(idempotent=True)
        self.clock.now += 200.0
        self.wait(20)
        self.assertEqual([], self.rig.ends())

    def test_a_start_deadline_waits_for_the_database(self):
        work = records.Work(records.Kind('t.task'), start_timeout=10.0)
        self.engine.place([work], self.clock.now)
        self.engine.outage = True
        self.wait(100)
        self.engine.outage = False
        self.wait(9)
        self.assertEqual([], self.engine.events())
        self.wait(2)
        self.assertIsInstance(self.engine.events()[0], records.Expired)

    def test_who_waits_again_goes_on_waiting(self):
        kind = records.Kind('t.task')
        work = records.Work(kind, start_timeout=10.0)
        self.engine.place([work], self.clock.now)
        self.wait(6)
        self.assertTrue(self.engine.withdraw(work))
        again = records.Work(kind, start_timeout=10.0)
        again.starved = work.starved
        self.engine.place([again], self.clock.now)
        self.wait(3)
        self.assertEqual([], self.engine.events())
        self.wait(2)
        self.assertIsInstance(self.engine.events()[0], records.Expired)

    # Balance

    def test_what_waits_behind_a_busy_worker_moves_to_a_free_one(self):
        works = self.begin(6, (2, 4), idempotent=True)
        held = [
            Held(work.request_uuid, state, None)
            for work, state in zip(
                works,
                [State.STARTED] * 2 + [State.ACCEPTED] * 4,
                strict=True,
            )
        ]
        self.report(held=tuple(held))
        self.report('w2')
        self.wait(1)
        self.assertEqual([2], [d.count for d in self.rig.say('w2').demand])
        self.report('w2', credit=(2, 0))
        self.engine.place((), self.clock.now)
        recalled = self.rig.say().recall
        self.assertEqual(2, len(recalled))
        self.report(held=tuple(held[:4]), handed_back=recalled)
        self.assertEqual(
            [End.HANDED_BACK] * 2, [end for _, end in self.rig.ends()]
        )
        placed = self.rig.want(2, idempotent=True)
        self.assertEqual(
            ['w2', 'w2'], [work.worker.incarnation for work in placed]
        )


class OwnershipTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.owner = ownership.Ownership(15.0)

    def test_nothing_binds_before_the_first_renewal(self):
        self.assertFalse(self.owner.may_bind(0.0))

    def test_a_lease_counts_from_when_its_renewal_began(self):
        self.owner.renewed(10.0, 0)
        self.owner.verified(0)
        self.assertTrue(self.owner.may_bind(23.4))
        self.assertFalse(self.owner.may_bind(23.5))

    def test_claims_are_verified_by_number(self):
        self.assertTrue(self.owner.renewed(10.0, 0))
        self.owner.verified(0)
        self.assertFalse(self.owner.renewed(15.0, 0))
        self.assertTrue(self.owner.renewed(20.0, 2))
        self.owner.verified(1)  # a read that began before the last claim
        self.assertFalse(self.owner.may_bind(21.0))
        self.owner.verified(2)
        self.assertTrue(self.owner.may_bind(21.0))

    def test_a_row_that_was_missing_is_not_verified(self):
        self.owner.renewed(10.0, 0)
        self.owner.verified(0)
        self.assertTrue(self.owner.renewed(15.0, None))
        self.assertFalse(self.owner.may_bind(16.0))
        self.owner.verified(0)
        self.assertTrue(self.owner.may_bind(16.0))

    def test_an_owner_is_silent_after_its_own_lease(self):
        watches = ownership.Watches(5.0)
        for now in range(0, 40, 4):
            watches.read('e2', 'same', now, now)
        self.assertIsNone(watches.silent('e2', 60.0, 37))
        self.assertEqual('same', watches.silent('e2', 30.0, 37).value)
        watches.read('e2', 'moved', 40, 40)
        self.assertIsNone(watches.silent('e2', 30.0, 41))
