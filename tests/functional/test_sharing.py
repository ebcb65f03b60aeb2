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


"""How engines share real workers: nobody idles, little comes back.

The same is asserted on the virtual clock by ``tests/property``; here with a
broker, threads and processes that are late now and then.
"""

from __future__ import annotations

import collections
from concurrent import futures
import random
import typing

import fixtures
from oslotest import base

from taskflow_service import engines
from taskflow_service.patterns import unordered_flow
from taskflow_service.protocol.worker import records
from tests import remote
from tests import servers

WORKERS = 4
SLOTS = 6
FLOWS = 20
TASKS = 50


class SharingTest(base.BaseTestCase):
    """Four workers and a thousand tasks of mixed length."""

    def setUp(self) -> None:
        super().setUp()
        broker = servers.RabbitMQ()
        broker.setUp()
        # First in, last out: the virtual host goes after its clients.
        self.addCleanup(broker.cleanUp)
        self.notes = remote.new_notes()
        self.bus = self.useFixture(remote.Bus(broker.url, broker.namespace))
        self.bus.conf.set_override('slots', SLOTS, 'worker')
        self.workers = [self.bus.worker(remote.Nap) for _ in range(WORKERS)]
        self._watch()

    def _watch(self) -> None:
        """Take note of what comes back, and why."""
        #: How often each task came back for lack of room.
        self.back: collections.Counter[str] = collections.Counter()
        original = records.Book.hand_back

        def hand_back(
            book: records.Book, entry: records.Entry, now: typing.Any, why: str
        ) -> None:
            if why == 'no room':
                self.back[entry.request.atom] += 1
            original(book, entry, now, why)

        self.useFixture(
            fixtures.MonkeyPatch(
                'taskflow_service.protocol.worker.records.Book.hand_back',
                hand_back,
            )
        )

    def _flows(self) -> list[unordered_flow.Flow]:
        lengths = random.Random(7)
        flows = []
        for number in range(FLOWS):
            flow = unordered_flow.Flow(f'flow {number}')
            for each in range(TASKS):
                nap = remote.Nap(
                    lengths.uniform(0.05, 0.55), name=f'{number}/{each}'
                )
                # What may run twice is lent room in advance.
                nap.idempotent = bool(each % 2)
                flow.add(nap)
            flows.append(flow)
        return flows

    def _share(self, count: int) -> float:
        """Have so many engines run it all; return the share of idle time."""
        loops = []
        for number in range(count):
            conf = self.bus.make_conf()
            conf.set_override('name', f'engine-{number}', 'worker')
            loops.append((engines.Loop(conf), conf))
        runs = []
        for number, flow in enumerate(self._flows()):
            loop, conf = loops[number % count]
            engine = engines.load(flow, engine='workers', conf=conf)
            runs.append(loop.submit(engine))
        done = futures.wait(runs, timeout=3 * remote.LONG)
        self.assertEqual(set(), done.not_done)
        for run in runs:
            run.result()
        for loop, _conf in loops:
            loop.close()
        naps = self.notes.lines
        # Nothing ran twice, whatever came back.
        names = {name for name, _began, _ended in naps}
        self.assertEqual(FLOWS * TASKS, len(naps))
        self.assertEqual(FLOWS * TASKS, len(names))
        busy = sum(ended - began for _name, began, ended in naps)
        span = max(nap[2] for nap in naps) - min(nap[1] for nap in naps)
        return 1 - busy / (span * WORKERS * SLOTS)

    def test_one_engine_gets_nothing_back(self) -> None:
        self.assertLess(self._share(1), 0.10)
        self.assertEqual({}, self.back)
        shares = [worker.counts()['ok'] for worker in self.workers]
        self.assertGreater(min(shares), FLOWS * TASKS / WORKERS / 2)

    def test_ten_engines_get_little_back_and_no_task_often(self) -> None:
        # Where credit went astray two thirds of the time were idle.
        self.assertLess(self._share(10), 0.30)
        self.assertLess(self.back.total(), FLOWS * TASKS * 0.05)
        self.assertLessEqual(max(self.back.values(), default=0), 3)
