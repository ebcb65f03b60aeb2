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
"""Fifteen holes that were found in simulation, and the rules that close them.

Each test is named after what a user would see without the rule, and numbered
as the trace that found it.  H4, which is about turns in the database, is the
broken rule ``turns_used_twice`` of the simulation; H5, about claims, is among
the races there.
"""

from __future__ import annotations

import dataclasses

from oslotest import base

from taskflow_service.protocol import messages
from taskflow_service.protocol.engine import ownership
from taskflow_service.protocol.engine import records
from taskflow_service.protocol.messages import End
from taskflow_service.protocol.worker import records as worker_records
from tests.unit.protocol import rig


class HolesTest(base.BaseTestCase):
    def test_h1_a_task_runs_twice_after_its_engine_was_paused(self):
        """An engine with unverified claims sends nothing that binds."""
        owner = ownership.Ownership(15.0)
        bus = rig.Rig(owner=owner)
        engine, worker, clock = bus.engine, bus.worker, bus.clock
        engine.core.renewed(clock.now, 0)
        engine.core.verified(0)
        works = bus.meet()
        engine.start(works)
        self.assertTrue(engine.say().execute)  # and this is lost
        clock.now += 40.0  # paused; meanwhile the flow is claimed
        self.assertTrue(engine.core.renewed(clock.now, 1))
        worker.step()
        engine.hear(worker.say())  # lacks the request
        said = engine.say()
        self.assertFalse(said is not None and said.execute)
        engine.core.forget(works)
        engine.core.verified(1)
        worker.step()
        engine.hear(worker.say() or worker.announce())
        said = engine.say()
        self.assertFalse(said is not None and said.execute)

    def test_h1_orders_built_before_the_claim_was_seen_stay_here(self):
        owner = ownership.Ownership(15.0)
        bus = rig.Rig(owner=owner)
        engine, clock = bus.engine, bus.clock
        engine.core.renewed(clock.now, 0)
        engine.core.verified(0)
        engine.start(bus.meet())
        built = engine.say()
        self.assertTrue(engine.core.may_send(built, clock.now))
        engine.core.renewed(clock.now, 1)
        self.assertFalse(engine.core.may_send(built, clock.now))
        engine.core.verified(1)
        self.assertFalse(engine.core.may_send(built, clock.now))
        self.assertTrue(engine.core.may_send(built.harmless(), clock.now))

    def test_w1_a_late_result_does_not_complete_the_revert(self):
        r = rig.Rig(slots=2)
        (lost,) = r.begin()
        r.worker.finish(lost)
        # Nobody hears of it for so long that it is given up, and undone.
        r.wait(130, talk=False)
        self.assertEqual([(lost, End.LOST)], r.engine.ends())
        r.engine.want(extra=True)
        r.worker.hear(r.engine.who)
        r.wait(1)
        (undo,) = r.engine.core.place((), r.clock.now)
        r.engine.start([undo], messages.Action.REVERT)
        r.talk()
        self.assertEqual([undo.request_uuid], r.worker.running)
        # The result is told again and again.
        r.wait(2 * rig.LEASE)
        late = {
            event.outcome.request_uuid: type(event)
            for event in r.engine.core.events()
            if getattr(event, 'outcome', None)
        }
        self.assertEqual({lost: records.Late}, late)
        self.assertEqual([undo], r.engine.core.open)
        r.worker.finish(undo.request_uuid)
        r.talk()
        self.assertEqual([(undo.request_uuid, End.OK)], r.engine.ends())

    def test_h2_a_running_task_runs_again_after_a_duplicate(self):
        """Stale orders are dropped whole, and are not answered."""
        bus = rig.Rig()
        bus.engine.start(bus.meet())
        orders = bus.engine.say()
        bus.worker.hear(orders)
        while bus.worker.say():
            pass
        bus.worker.hear(orders)
        self.assertIsNone(bus.worker.say())
        self.assertEqual(1, len(bus.worker.running))
        self.assertEqual(1, bus.worker.core.counts['stale seq'])

    def test_h3_one_lost_message_fails_a_flow(self):
        """The engine asks, the report shows the loss, it is sent again."""
        bus = rig.Rig()
        bus.engine.start(bus.meet())
        self.assertTrue(bus.engine.say().execute)  # lost
        bus.wait(2 * rig.BEAT + 2)
        self.assertEqual(1, len(bus.worker.running))
        self.assertEqual([], bus.engine.ends())

    def test_h6_a_finished_task_runs_again(self):
        """Nothing is acknowledged before a transaction saw it."""
        bus = rig.Rig()
        (request,) = bus.begin()
        bus.engine.core.forget([bus.engine.core.workers()[0].open[request]])
        bus.worker.finish(request)
        bus.wait(20)
        (event,) = [
            event
            for event in bus.engine.core.events()
            if isinstance(event, records.Late)
        ]
        self.assertEqual(request, event.outcome.request_uuid)
        self.assertFalse(bus.worker.core.idle)
        bus.engine.core.recorded([request])
        bus.wait(20)
        self.assertTrue(bus.worker.core.idle)
        self.assertEqual([request], bus.worker.forgotten)

    def test_h7_a_handed_back_task_runs_beside_its_replacement(self):
        """A request is closed when its end is received."""
        bus = rig.Rig()
        (request,) = bus.begin(idempotent=True)
        bus.worker.core.drain(bus.clock.now)  # only so that it reports
        bus.worker.step()
        report = bus.worker.say()
        bus.engine.hear(
            dataclasses.replace(report, held=(), handed_back=(request,))
        )
        self.assertEqual([(request, End.HANDED_BACK)], bus.engine.ends())
        bus.engine.hear(
            dataclasses.replace(report, number=report.number + 1, held=())
        )
        said = bus.engine.say()
        self.assertFalse(said is not None and said.execute)

    def test_h8_an_old_report_undoes_a_newer_one(self):
        bus = rig.Rig()
        (request,) = bus.begin()
        bus.wait(rig.BEAT + 1)
        bus.engine.ends()
        peer = bus.engine.core.workers()[0]
        bus.engine.hear(
            messages.Report(
                sender=peer.peer,
                to='e1',
                number=peer.number,
                taken=99,
                handed_back=(request,),
            )
        )
        self.assertEqual([], bus.engine.ends())
        self.assertEqual(1, bus.engine.core.counts['stale report'])

    def test_h8_what_was_handed_back_is_never_run(self):
        bus = rig.Rig()
        first = bus.meet()
        bus.engine.start(first)
        orders = bus.engine.say()
        bus.worker.core.drain(bus.clock.now)
        bus.worker.hear(orders)
        self.assertEqual(
            (first[0].request_uuid,), bus.worker.say().handed_back
        )
        again = dataclasses.replace(orders, seq=orders.seq + 1)
        bus.worker.hear(again)
        self.assertEqual((first[0].request_uuid,), bus.worker.say().disowned)
        self.assertEqual([], bus.worker.running)

    def test_h9_outcomes_stay_in_a_worker_for_ever(self):
        """Another engine takes what a dead one left, if it may."""
        bus = rig.Rig()
        (request,) = bus.begin()
        bus.worker.announce()
        bus.worker.finish(request)
        bus.clock.now += rig.LEASE + 1  # and its engine is dead
        bus.worker.step()
        announced = bus.worker.announce()
        self.assertEqual(
            (messages.Orphan(request, 'f1', True),), announced.orphans
        )
        other = rig.EngineRig(bus.clock, 'e2')
        other.hear(announced)
        (event,) = other.core.events()
        self.assertEqual('f1', event.orphan.flow_uuid)
        # The flow is there, and the request is not current.
        other.core.fetch(request, 7, event.worker)
        bus.worker.hear(other.say())
        other.hear(bus.worker.say('e2'))
        (late,) = other.core.events()
        self.assertIsInstance(late, records.Late)
        other.core.recorded([request])
        for _ in range(10):
            bus.clock.now += 1
            bus.worker.step()
            other.hear(*filter(None, [bus.worker.say('e2')]))
            bus.worker.hear(other.say())
        self.assertTrue(bus.worker.core.idle)

    def test_h10_a_restart_takes_two_minutes_to_be_noticed(self):
        """Whoever finds the lock free announces the dead."""
        bus = rig.Rig()
        (request,) = bus.begin()
        heir = rig.WorkerRig(bus.clock, 'w2', predecessors={'w1': False})
        heir.step()
        announced = heir.announce()
        self.assertEqual(('w1',), announced.public.dead)
        bus.engine.hear(announced)
        self.assertEqual([(request, End.DEAD)], bus.engine.ends())

    def test_h10_a_drained_outcome_is_run_again(self):
        """An outcome on disk counts, though its worker is dead."""
        bus = rig.Rig()
        (request,) = bus.begin()
        entry = bus.worker.core.held()[0]
        heir = rig.WorkerRig(
            bus.clock,
            'w2',
            predecessors={'w1': False},
            spooled=[
                worker_records.Spooled(
                    entry.request,
                    entry.party.peer,
                    messages.Outcome(request, End.OK, '"x"', flow_uuid='f1'),
                )
            ],
        )
        heir.step()
        bus.engine.hear(heir.announce())
        self.assertEqual([], bus.engine.ends())
        heir.hear(bus.engine.say('w2'))
        bus.engine.hear(heir.say())
        self.assertEqual([(request, End.OK)], bus.engine.ends())

    def test_h10_orders_for_one_that_ended_well_are_answered(self):
        """It may have gone before they came: promised not to be run."""
        bus = rig.Rig()
        bus.engine.start(bus.meet())
        lost = bus.engine.say()
        heir = rig.WorkerRig(bus.clock, 'w2', predecessors={'w1': True})
        heir.hear(lost)
        bus.engine.hear(heir.say())
        self.assertEqual(
            [(lost.execute[0].request_uuid, End.DISOWNED)],
            bus.engine.ends(),
        )
        self.assertEqual([], heir.running)

    def test_h11_a_worker_kills_healthy_work_at_a_blip(self):
        """Its own casts count too, when it asks since when it is cut off."""
        bus = rig.Rig()
        bus.begin()
        # The engine is down, the link is good: the work goes on.
        for _ in range(300):
            bus.clock.now += 1
            bus.worker.step()
        bus.worker.link_up = False
        for _ in range(7):
            bus.clock.now += 1
            bus.worker.step()
        self.assertFalse(bus.worker.fenced)
        for _ in range(105):
            bus.clock.now += 1
            bus.worker.step()
        self.assertFalse(bus.worker.fenced)
        for _ in range(10):
            bus.clock.now += 1
            bus.worker.step()
        self.assertTrue(bus.worker.fenced)

    def test_h12_three_messages_a_task(self):
        """A chain costs two: nothing is answered for its own sake."""
        bus = rig.Rig()
        (request,) = bus.begin()
        bus.sent = 0
        for _ in range(20):
            bus.worker.finish(request)
            bus.engine.hear(bus.worker.say())
            bus.engine.core.recorded([request])
            (event,) = [
                event
                for event in bus.engine.core.events()
                if isinstance(event, records.Ended)
            ]
            works = bus.engine.want()
            self.assertEqual(1, len(works), event)
            bus.engine.start(works)
            bus.worker.hear(bus.engine.say())
            self.assertIsNone(bus.worker.say())
            self.assertIsNone(bus.engine.say())
            (request,) = [work.request_uuid for work in works]

    def test_h13_a_queued_request_outlives_its_grant(self):
        """It lives by the last report that listed it and was seen."""
        bus = rig.Rig(slots=1)
        first, *rest = bus.begin(4, idempotent=True)
        bus.wait(3 * rig.LEASE)
        self.assertEqual([first], bus.worker.running)
        bus.worker.finish(first)
        self.assertEqual(rest[:1], bus.worker.running)
        self.assertEqual(
            0, bus.worker.core.counts['handed back: grant lapsed']
        )

    def test_h13_without_an_engine_the_grant_of_the_queued_lapses(self):
        bus = rig.Rig(slots=1)
        first, *_rest = bus.begin(2, idempotent=True)
        bus.wait(rig.LEASE + 5, talk=False)
        bus.worker.finish(first)
        self.assertEqual([], bus.worker.running)

    def test_h13_what_finds_no_slot_comes_back_at_once(self):
        bus = rig.Rig(slots=1)
        bus.begin()
        request = messages.Request(
            request_uuid='r9', flow_uuid='f', atom='a', task='t.task', grant=2
        )
        bus.worker.hear(
            messages.Orders(
                sender=messages.Peer('host.3', 'e2'),
                to='w1',
                seq=1,
                execute=(request,),
            )
        )
        self.assertEqual(('r9',), bus.worker.say('e2').handed_back)

    def test_h14_a_busy_system_reverts_flows(self):
        """A start deadline waits while a worker that could is there."""
        bus = rig.Rig(slots=1)
        bus.begin()
        late = records.Work(records.Kind('t.task'), start_timeout=10.0)
        bus.engine.core.place([late], bus.clock.now)
        bus.wait(100)
        self.assertIn('busy', bus.engine.core.reason(late.kind, bus.clock.now))
        self.assertIs(records.Phase.WAITING, late.phase)
        # Now it dies, and nobody is there.
        for _ in range(round(rig.LEASE) + 12):
            bus.clock.now += 1
            bus.engine.tick()
        (event,) = [
            event
            for event in bus.engine.core.events()
            if isinstance(event, records.Expired)
        ]
        self.assertEqual('no live worker serves t.task', event.reason)

    def test_h15_a_flow_sticks_after_its_owners_row_vanished(self):
        watches = ownership.Watches(5.0)
        for second in range(0, 20, 4):
            watches.read('e1', None, second, second)
        watch = watches.silent('e1', 15.0, 17)
        self.assertIsNotNone(watch)
        self.assertIsNone(watch.value)

    def test_h15_needless_take_overs_after_an_outage(self):
        watches = ownership.Watches(5.0)
        watches.read('e1', 7, 0, 0)
        watches.read('e1', 7, 60, 60)  # nothing could be read in between
        self.assertIsNone(watches.silent('e1', 15.0, 60))

    def test_h15_reports_to_dead_engines(self):
        """The demand of a silent engine lapses, and so do the reports."""
        bus = rig.Rig(slots=1)
        bus.meet(5)
        for _ in range(round(rig.LEASE) + 6):
            bus.clock.now += 1
            bus.worker.step()
            bus.worker.say()
        for _ in range(20):
            bus.clock.now += 1
            bus.worker.step()
            self.assertIsNone(bus.worker.say())
