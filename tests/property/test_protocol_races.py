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
"""Races of distributed execution, each by name, over the whole simulation.

They are what other engines of this kind got wrong; the last class kills an
engine or a worker at every single event of a small run.
"""

from __future__ import annotations

import dataclasses

from oslotest import base

from taskflow_service.protocol import messages
from taskflow_service.protocol.messages import Action
from tests.simulation import database
from tests.simulation import flows
from tests.simulation import scenarios
from tests.simulation import worker


def spec(name='a0', task='t.once', after=(), seconds=1.0, **more):
    return flows.Spec(
        name,
        task,
        tuple(after),
        task == 't.again',
        task == 't.probed',
        seconds,
        more.pop('fails', False),
        **more,
    )


class RacesTest(base.BaseTestCase):
    def make(self, specs, **kwargs):
        kwargs.setdefault('engines', 1)
        kwargs.setdefault('hosts', 2)
        self.sim = scenarios.Simulation(1, **kwargs)
        self.flow = self.sim.add_flow(specs)
        return self.sim

    def until(self, condition, seconds=600.0):
        """Run in small steps until something is so."""
        end = self.sim.time + seconds
        while not condition():
            self.assertLess(self.sim.time, end, 'it never came to that')
            self.sim.run(self.sim.time + 0.05, lambda: False)

    def runs(self, name='a0', action=Action.EXECUTE):
        return [
            run
            for run in self.sim.ledger.runs[self.flow.uuid, name]
            if run.request.action is action
        ]

    def begin(self):
        """Wait for the first start, and return its run."""
        self.until(self.runs)
        return self.runs()[0]

    def end(self, state='SUCCESS', settles=600.0):
        """Let everything settle by itself; return the flow."""
        self.until(self.sim.settled, settles)
        self.sim.ledger.finish()
        self.assertEqual([], self.sim.ledger.violations)
        row = self.sim.base.flows[self.flow.uuid]
        self.assertEqual(state, row.flow.state)
        return row.flow

    def host(self, process):
        (host,) = [h for h in self.sim.hosts if h.name == process.peer.name]
        return host

    # Workers

    def test_an_idempotent_task_of_a_silent_worker_goes_elsewhere(self):
        """Within a lease and a second of its last sign of life."""
        self.make([spec(task='t.again', seconds=30.0)])
        run = self.begin()
        self.sim.hosts.remove(self.host(run.worker))
        run.worker.kill()
        died = self.sim.time
        self.until(lambda: len(self.runs()) == 2)
        waited = self.runs()[1].since - died
        self.assertLessEqual(waited, self.sim.timing.lease + 1)
        self.end()

    def test_a_worker_that_restarts_is_proven_dead(self):
        """What is not idempotent fails at once, not after lost_after."""
        self.make([spec(seconds=30.0)])
        run = self.begin()
        host = self.host(run.worker)
        host.crash()
        self.sim.at(2.5, host.boot)
        died = self.sim.time
        self.until(lambda: self.sim.ledger.counts['end dead'])
        self.assertLess(self.sim.time - died, 6.0)
        self.end('REVERTED')

    def test_a_worker_that_never_comes_back_is_lost(self):
        self.make([spec(seconds=30.0)])
        run = self.begin()
        self.sim.hosts.remove(self.host(run.worker))
        run.worker.kill()
        died = self.sim.time
        self.until(lambda: self.sim.ledger.counts['end lost'])
        self.assertLess(self.sim.time - died, self.sim.timing.lost_after + 6)
        self.end('REVERTED')

    def test_a_probe_finds_that_it_was_done(self):
        """The worker dies after the effect and before the outcome."""
        self.make([spec(task='t.probed', seconds=5.0)])
        run = self.begin()
        host = self.host(run.worker)
        self.sim.bus.cut(host.name, 'out', 300.0, False)
        self.until(lambda: run.done)
        host.crash()
        self.sim.hosts.remove(host)
        self.end()
        self.assertEqual(1, len(self.runs()))
        self.assertEqual(1, len(self.runs(action=Action.PROBE)))

    def test_a_probe_finds_that_it_was_not_done(self):
        self.make([spec(task='t.probed', seconds=30.0)])
        run = self.begin()
        host = self.host(run.worker)
        host.crash()
        self.sim.at(2.5, host.boot)
        self.end()
        self.assertEqual(2, len(self.runs()))

    def test_a_paused_worker_comes_back_beside_its_replacement(self):
        """Its outcome is evidence; the second attempt is untouched."""
        self.make([spec(task='t.again', seconds=25.0)])
        run = self.begin()
        run.worker.pause(36.0)
        self.until(lambda: len(self.runs()) == 2)
        flow = self.end()
        self.assertEqual(
            self.runs()[1].request.request_uuid, flow.atoms[0].value
        )

    def test_a_paused_worker_comes_back_before_its_replacement(self):
        """Until a new request is committed the old one is current."""
        self.make([spec(task='t.again', seconds=1.0)], hosts=1)
        run = self.begin()
        run.worker.pause(40.0)
        flow = self.end()
        self.assertEqual(1, len(self.runs()))
        self.assertEqual(run.request.request_uuid, flow.atoms[0].value)
        self.assertEqual(1, self.sim.ledger.counts['end suspect'])

    def test_a_task_that_kills_its_workers_does_not_go_round(self):
        self.make([spec(task='t.again', seconds=30.0)], hosts=3)
        seen = []

        def strike():
            for run in self.runs():
                if run not in seen:
                    seen.append(run)
                    host = self.host(run.worker)
                    host.crash()
                    self.sim.at(2.5, host.boot)
            if len(seen) < 10:
                self.sim.at(0.2, strike)

        self.sim.at(0.0, strike)
        self.until(lambda: self.sim.base.flows[self.flow.uuid].flow.terminal)
        self.assertEqual(3, len(self.runs()))
        self.assertEqual(
            'REVERTED', self.sim.base.flows[self.flow.uuid].flow.state
        )

    def test_a_drained_worker_leaves_its_outcome_to_the_next(self):
        self.make([spec(seconds=3.0)], hosts=1)
        run = self.begin()
        # The engine cannot hear it while it drains.
        self.sim.bus.cut('e0.1', 'in', 20.0, False)
        run.worker.at(0.0, run.worker.drain, 8.0)
        self.until(lambda: not run.worker.alive)
        self.assertTrue(self.sim.hosts[0].spool)
        self.end()
        self.assertEqual(1, len(self.runs()))

    def test_a_drain_hands_back_what_waits(self):
        self.make(
            [spec(f'a{i}', 't.again', seconds=4.0) for i in range(6)],
            hosts=1,
            slots=1,
        )
        run = self.begin()
        run.worker.at(0.0, run.worker.drain, 30.0)
        self.end()
        self.assertGreater(self.sim.ledger.counts['end handed back'], 0)

    # Engines

    def test_a_dead_engine_leaves_running_work_alone(self):
        """Whoever owns the flow next finds its task, and waits for it."""
        self.make([spec(seconds=60.0), spec('a1', after=(0,))], engines=2)
        run = self.begin()
        (owner,) = [d for d in self.sim.drivers if d and d.driven]
        self.sim.kill_engine(self.sim.drivers.index(owner))
        self.end()
        self.assertEqual([run], self.runs())

    def test_a_dead_engine_leaves_finished_work_alone(self):
        self.make([spec(seconds=2.0), spec('a1', after=(0,))], engines=2)
        run = self.begin()
        (owner,) = [d for d in self.sim.drivers if d and d.driven]
        self.sim.kill_engine(self.sim.drivers.index(owner))
        self.end()
        self.assertEqual([run], self.runs())
        self.assertEqual(1, len(self.runs('a1')))

    def test_a_paused_engine_does_not_record_for_the_next_owner(self):
        self.make([spec(seconds=30.0), spec('a1', after=(0,))], engines=2)
        self.begin()
        (owner,) = [d for d in self.sim.drivers if d and d.driven]
        owner.pause(50.0)
        self.end()
        self.assertEqual(1, len(self.runs()))
        self.until(lambda: not owner.driven)

    def test_a_claim_whose_reply_was_lost_is_made_again(self):
        """H5: a flow owned by a living process that nobody drives."""
        self.make([spec()])
        claim, lost = self.sim.base.claim, []

        def claim_and_lose(*args):
            result = claim(*args)
            if not lost:
                lost.append(result)
                return None
            return result

        self.sim.base.claim = claim_and_lose
        self.end()
        self.assertEqual(2, self.sim.base.flows[self.flow.uuid].epoch)

    def test_an_outage_of_the_database_reverts_nothing(self):
        self.make([spec(seconds=5.0), spec('a1', after=(0,))])
        self.begin()
        self.sim.base.out_until = self.sim.time + 90.0
        self.until(lambda: self.sim.base.out_until < self.sim.time)
        self.end()
        self.assertEqual(1, len(self.runs()))
        self.assertEqual(1, len(self.runs('a1')))

    def test_a_take_over_that_an_outage_interrupts_is_made_later(self):
        self.make([spec(seconds=60.0), spec('a1', after=(0,))], engines=2)
        self.begin()
        claim, interrupted = self.sim.base.claim, []

        def interrupt(uuid, me, watched):
            if watched is not None and not interrupted:
                interrupted.append(me)
                self.sim.base.out_until = self.sim.time + 30.0
                return None
            return claim(uuid, me, watched)

        self.sim.base.claim = interrupt
        (owner,) = [d for d in self.sim.drivers if d and d.driven]
        self.sim.kill_engine(self.sim.drivers.index(owner))
        self.end()
        self.assertTrue(interrupted)
        self.assertEqual(1, len(self.runs()))
        self.assertEqual(1, len(self.runs('a1')))

    def test_of_two_that_take_over_by_the_same_look_one_does(self):
        self.make([spec(seconds=60.0), spec('a1', after=(0,))], engines=3)
        self.begin()
        claim, second = self.sim.base.claim, []

        def claim_twice(uuid, me, watched):
            result = claim(uuid, me, watched)
            if watched is not None and result is not None and not second:
                (other,) = [
                    driver.peer.incarnation
                    for driver in self.sim.drivers
                    if driver.alive and driver.peer.incarnation != me
                ]
                second.append(claim(uuid, other, watched))
            return result

        self.sim.base.claim = claim_twice
        (owner,) = [d for d in self.sim.drivers if d and d.driven]
        self.sim.kill_engine(self.sim.drivers.index(owner))
        self.end()
        self.assertEqual([None], second)
        self.assertEqual(1, len(self.runs()))

    def test_a_process_of_the_same_name_is_another_owner(self):
        self.make([spec(seconds=30.0), spec('a1', after=(0,))], engines=1)
        run = self.begin()
        self.sim.kill_engine(0)
        self.sim.at(0.1, self.sim.drive, 0)
        self.until(lambda: self.sim.drivers[0].alive)
        heir = self.sim.drivers[0]
        self.until(lambda: heir.core.counts['for another incarnation'])
        self.assertFalse(heir.driven)
        self.end()
        self.assertEqual(2, self.sim.base.flows[self.flow.uuid].epoch)
        self.assertEqual([run], self.runs())

    def test_an_owner_that_never_renewed_its_lease_is_taken_over(self):
        self.make([spec()], engines=1)
        renew = self.sim.base.renew
        self.until(lambda: self.sim.drivers[0])
        first = self.sim.drivers[0].peer.incarnation

        def never(owner):
            return database.Outage() if owner == first else renew(owner)

        self.sim.base.renew = never
        self.sim.base.owners.pop(first, None)
        row = self.sim.base.flows[self.flow.uuid]
        self.until(lambda: row.owner == first)
        self.sim.kill_engine(0)
        self.assertNotIn(first, self.sim.base.owners)
        self.sim.drivers.append(None)
        self.sim.drive(1)
        self.end()
        self.assertEqual(2, row.epoch)
        self.assertEqual(1, len(self.runs()))

    def test_reports_of_before_a_take_over_change_nothing(self):
        self.make([spec(seconds=60.0), spec('a1', after=(0,))], engines=2)
        send, said = self.sim.bus.send, []

        def listen(sender, name, message):
            if isinstance(message, messages.Report):
                said.append((sender, message))
            send(sender, name, message)

        self.sim.bus.send = listen
        self.begin()
        self.until(lambda: all(self.sim.drivers))
        (owner,) = [d for d in self.sim.drivers if d.driven]
        old = [pair for pair in said if pair[1].to == owner.peer.incarnation]
        index = self.sim.drivers.index(owner)
        self.sim.kill_engine(index)
        self.sim.drive(index)
        self.until(lambda: any(driver.driven for driver in self.sim.drivers))
        for sender, report in reversed(old):
            for driver in self.sim.drivers:
                send(sender, driver.peer.name, report)
        self.end()
        self.assertTrue(old)
        self.assertEqual(1, len(self.runs()))
        self.assertEqual(1, len(self.runs('a1')))

    def test_a_task_that_nobody_serves_yet_waits_and_burns_no_attempt(self):
        """A rollout that has reached the engines, and the workers later."""
        self.make([spec()], hosts=1)
        (host,) = self.sim.hosts
        newer = host.public
        host.public = dataclasses.replace(newer, tasks={'t.again': '1.0'})
        self.sim.run(60.0, lambda: False)
        self.assertEqual([], self.runs())
        host.crash()
        host.public = newer
        self.sim.at(2.5, host.boot)
        flow = self.end()
        self.assertEqual(1, flow.atoms[0].attempt)
        self.assertEqual(1, len(self.runs()))

    # Cancelling

    def test_cancel_against_completion_against_silence(self):
        """Whatever comes first, there is one end, and all is undone."""
        for delay in (0.0, 0.9, 0.99, 1.0, 1.01, 1.1):
            for silent in (False, True):
                self.make([spec(seconds=1.0), spec('a1', after=(0,))])
                run = self.begin()
                if silent:
                    run.worker.at(0.5, run.worker.pause, 20.0)
                self.sim.base.flows[self.flow.uuid].asked = True
                driver = self.sim.drivers[0]
                driver.at(delay, driver.ask_cancel, self.flow.uuid)
                flow = self.end('REVERTED')
                self.assertEqual(
                    {flows.State.REVERTED, flows.State.PENDING},
                    {atom.state for atom in flow.atoms}
                    | {flows.State.PENDING},
                )

    def test_a_cancel_reaches_a_running_task(self):
        self.make([spec(seconds=500.0)])
        run = self.begin()
        driver = self.sim.drivers[0]
        self.sim.base.flows[self.flow.uuid].asked = True
        driver.at(0.0, driver.ask_cancel, self.flow.uuid)
        self.end('REVERTED', 60.0)
        self.assertTrue(run.stopped)

    # The bus

    def test_a_partition_shorter_than_lost_after_costs_nothing(self):
        self.make([spec(seconds=20.0), spec('a1', after=(0,))])
        self.begin()
        for name in ('e0.1', 'w0.1', 'w1.1'):
            for way in ('in', 'out'):
                self.sim.bus.cut(name, way, 80.0, False)
        self.end()
        self.assertEqual(1, len(self.runs()))
        self.assertEqual(0, self.sim.ledger.counts['fences'])

    def test_a_longer_partition_stops_the_worker_before_it_is_lost(self):
        self.make([spec(task='t.probed', seconds=400.0)])
        run = self.begin()
        for way in ('in', 'out'):
            self.sim.bus.cut(run.worker.peer.name, way, 300.0, False)
        self.until(lambda: len(self.runs()) == 2)
        self.assertTrue(run.stopped)
        self.assertEqual(1, self.sim.ledger.counts['fences'])


class CrashPointsTest(base.BaseTestCase):
    """Kill a process at each of its events; nothing is ever done twice."""

    SPECS = (
        spec('a0', 't.once', seconds=0.02),
        spec('a1', 't.again', (0,), seconds=0.02),
        spec('a2', 't.probed', (0,), seconds=0.02),
        spec('a3', 't.once', (1, 2), seconds=0.02),
    )

    def enumerate(self, kill):
        """Kill at the first event, the second ... until there is none."""
        for point in range(1, 2000):
            sim = scenarios.Simulation(5, engines=2, hosts=1)
            sim.add_flow(list(self.SPECS))
            kill(sim, point)
            violations = sim.settle(30.0)
            self.assertEqual([], violations, f'killed at event {point}')
            if not sim.struck:
                return
        self.fail('it does not come to an end')

    def count(self, sim, kind, point, strike):
        """Let something strike at the n-th event of a kind of process."""
        sim.struck = False
        left = [point]
        original = sim.at

        def at(delay, call, *args, process=None):
            if not isinstance(process, kind):
                return original(delay, call, *args, process=process)

            def counted(*args):
                name = getattr(call, '__name__', '')
                if name not in ('_tick', '_keep'):
                    left[0] -= 1
                if left[0] == 0 and not sim.struck:
                    sim.struck = True
                    strike(process)
                    return
                call(*args)

            return original(delay, counted, *args, process=process)

        sim.at = at

    def test_an_engine_is_killed_at_every_event(self):
        def kill(sim, point):
            def strike(process):
                process.kill()

            self.count(sim, sim.engines, point, strike)

        self.enumerate(kill)

    def test_a_worker_is_killed_at_every_event(self):
        def kill(sim, point):
            def strike(process):
                process.host.crash()
                sim.at(2.5, process.host.boot)

            self.count(sim, worker.Worker, point, strike)

        self.enumerate(kill)
