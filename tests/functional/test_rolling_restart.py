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

"""A rolling restart of everything that runs flows, under load.

Four workers and two engines, each a process of its own, are restarted one
after the other by SIGTERM while five hundred flows run; nobody waits until the
one before serves again.
"""

from __future__ import annotations

import pathlib
import signal
import time

import fixtures
from oslotest import base

from tests import servers
from tests.soak import checker
from tests.soak import world

FLOWS = 500
#: Seconds that a worker lets its tasks go on; no flow is to stand still for
#: longer.
GRACE = 30
#: Seconds after which what has not happened is a failure.
PATIENCE = 150


class RollingRestartTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        broker = self.useFixture(servers.RabbitMQ())
        self.database = self.useFixture(servers.PostgreSQL()).url
        self.folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.fleet = world.Fleet(
            self.folder,
            world.Plan(
                broker=broker.url,
                namespace=broker.namespace,
                database=self.database,
                rate=20,
                most=60,
                count=FLOWS // 2,
                longest=0.1,
                grace=GRACE,
            ),
        )
        self.addCleanup(self.fleet.close)
        self.fleet.start()

    def _count(self, word: str) -> int:
        notes = self.folder / 'flows'
        text = notes.read_text() if notes.exists() else ''
        return text.count(f'{word} ')

    def _await_flows(self, word: str, count: int) -> None:
        """Wait until so many flows were submitted, or have ended."""
        deadline = time.monotonic() + PATIENCE
        while self._count(word) < count:
            self.assertLess(time.monotonic(), deadline, self._words())
            for process in self.fleet.processes.values():
                self.assertIsNone(process.wait(0.02), process.name)

    def _await_logbook(self) -> dict[str, checker.Flow]:
        """Wait until every flow has ended."""
        deadline = time.monotonic() + PATIENCE
        while True:
            logbook = checker.read_logbook(self.database)
            ended = [f for f in logbook.values() if f.state in checker.ENDED]
            if len(ended) >= FLOWS:
                return logbook
            self.assertLess(time.monotonic(), deadline, self._words())
            self.fleet.engines['e1'].wait(0.5)

    def _words(self) -> str:
        return (self.folder / 'e1.out').read_text()[-5000:]

    def test_no_flow_fails_or_runs_twice_or_stands_still(self) -> None:
        self._await_flows('submitted', FLOWS // 10)
        for process in self.fleet.processes.values():
            process.signal(signal.SIGTERM)
            self.assertEqual(0, process.wait(2 * GRACE), process.name)
            process.start()
        restarted = self._count('submitted')
        logbook = self._await_logbook()
        # It was not over before the last of them had been restarted.
        self.assertLess(restarted, FLOWS)
        found = checker.check(
            self.folder / 'effects', self.database, self.folder / 'flows'
        )
        self.assertEqual([], found.violations)
        self.assertEqual(FLOWS, len(logbook))
        self.assertEqual(FLOWS, len(found.submitted))
        self.assertEqual(0, found.counts['worker losses'])
        again = [word for word in found.counts if word.startswith('again')]
        self.assertEqual([], again)
        self.assertLess(found.longest_pause(), GRACE)
