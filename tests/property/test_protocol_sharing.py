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
"""How engines share workers: nobody idles, little comes back.

No faults here: a bus that keeps order and takes some ten milliseconds, and a
clock that is virtual, so that idle time can be asserted.
"""

from __future__ import annotations

from oslotest import base

from tests.simulation import flows
from tests.simulation import scenarios

#: Tasks that may run only once, that may run twice, and some of each.
KINDS = (('t.once',), ('t.again',), ('t.once', 't.again'))


class SharingTest(base.BaseTestCase):
    def share(self, kinds, engines=1, hosts=4, flow_count=20, tasks=50):
        """Run a thousand tasks of mixed length; return the simulation."""
        sim = scenarios.Simulation(7, engines=engines, hosts=hosts, slots=4)
        sim.run(7.0, lambda: False)
        for number in range(flow_count):
            flow = sim.add_flow(
                [
                    flows.Spec(
                        f'a{i}',
                        kinds[i % len(kinds)],
                        (),
                        kinds[i % len(kinds)] == 't.again',
                        False,
                        sim.random.uniform(0.05, 2.0),
                        False,
                    )
                    for i in range(tasks)
                ]
            )
            owner = sim.drivers[number % engines].peer.incarnation
            sim.base.flows[flow.uuid].owner = owner
        self.assertEqual([], sim.settle(8.0))
        runs = [run for found in sim.ledger.runs.values() for run in found]
        self.assertEqual(flow_count * tasks, len(runs))
        span = max(r.until for r in runs) - min(r.since for r in runs)
        busy = sum(run.until - run.since for run in runs)
        self.idle = 1 - busy / (span * hosts * 4)
        self.no_room = sum(
            host.worker.core.counts['handed back: no room']
            for host in sim.hosts
        )
        return sim

    def test_w8_four_workers_share_a_thousand_tasks(self):
        for kinds in KINDS:
            self.share(kinds)
            self.assertLess(self.idle, 0.10, kinds)
            self.assertEqual(0, self.no_room, kinds)

    def test_ten_engines_share_four_workers(self):
        for kinds in KINDS:
            sim = self.share(kinds, engines=10)
            self.assertLess(self.idle, 0.10, kinds)
            self.assertLess(self.no_room, 50, kinds)
            self.assertLessEqual(max(sim.ledger.again.values(), default=0), 3)

    def test_a_worker_that_is_always_busy_stays_alive(self):
        sim = self.share(('t.once',), hosts=1, flow_count=4)
        self.assertGreater(sim.time, 3 * sim.timing.lease)
        for end in ('suspect', 'lost', 'dead', 'handed back'):
            self.assertEqual(0, sim.ledger.counts[f'end {end}'])
