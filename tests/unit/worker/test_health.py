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
"""A worker has a pulse while it hears itself, and only then."""

from __future__ import annotations

import stat
import threading
import time

import fixtures
from oslotest import base

from taskflow_service import clock as clock_mod
from taskflow_service import identity
from taskflow_service.worker import health
from tests import remote


class HealthTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.bus = self.useFixture(remote.Bus())
        self.conf = self.bus.conf
        self.conf.set_override('name', 'blue', 'worker')
        self.clock = clock_mod.VirtualClock()

    def _look(self, max_age: float = 15.0) -> list[health.Finding]:
        return health.look(self.conf, max_age, self.clock)

    def _await(self, healthy: bool) -> None:
        deadline = time.monotonic() + remote.LONG
        pause = threading.Event()
        while [each.healthy for each in self._look()] != [healthy]:
            self.assertLess(time.monotonic(), deadline, self._look())
            pause.wait(0.05)

    def test_a_worker_has_a_pulse_until_it_hears_nothing(self) -> None:
        worker = self.bus.worker(
            remote.Add, clock=self.clock, tells_health=True
        )
        self._await(True)
        # It beats on as time goes by.
        self.clock.advance(16.0)
        self._await(True)
        # Its listener is gone; all else goes on.
        control = worker._control
        control.endpoint._mailbox.close()
        for _ in range(3):
            self.clock.advance(10.0)
            turned = threading.Event()
            control.post(control.post, turned.set)
            self.assertTrue(turned.wait(remote.LONG))
        (found,) = self._look()
        self.assertFalse(found.healthy)
        self.assertRegex(
            str(found), r'^blue.1: process \d+ last heard itself [34]\d s ago'
        )

    def test_one_that_ends_leaves_none(self) -> None:
        worker = self.bus.worker(
            remote.Add, clock=self.clock, tells_health=True
        )
        self._await(True)
        worker.stop()
        self.assertEqual([], self._look())

    def test_anybody_may_look_and_what_cannot_be_written_leaves_no_litter(
        self,
    ) -> None:
        mine = identity.take(identity.state_path(self.conf) / 'names', 'blue')
        self.addCleanup(mine.close)
        pulse = health.Pulse(self.conf, mine, self.clock)
        pulse.beat()
        (path,) = (identity.state_path(self.conf) / 'health').iterdir()
        self.assertEqual(0o644, stat.S_IMODE(path.stat().st_mode))
        with fixtures.MockPatch('os.replace', side_effect=OSError('full')):
            for _ in range(5):
                pulse.beat()
        self.assertEqual(2, len(list(path.parent.iterdir())))
        pulse.close()
        self.assertEqual([], list(path.parent.iterdir()))

    def test_only_a_daemon_has_one(self) -> None:
        self.bus.worker(remote.Add)
        self.assertFalse((identity.state_path(self.conf) / 'health').exists())

    def test_what_is_left_over_proves_nothing(self) -> None:
        directory = identity.state_path(self.conf) / 'names'
        gone = identity.take(directory, 'blue')
        pulse = health.Pulse(self.conf, gone, self.clock)
        pulse.beat()
        self.assertEqual([True], [each.healthy for each in self._look()])
        gone.close()
        (found,) = self._look()
        self.assertFalse(found.healthy)
        self.assertIn('is dead', str(found))
        path = identity.state_path(self.conf) / 'health' / 'blue.2.json'
        path.write_text('{"version": 2}')
        self.assertIn('its version is 2', str(self._look()[1]))
