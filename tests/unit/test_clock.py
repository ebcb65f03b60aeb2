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

"""Time as something that is passed in."""

from __future__ import annotations

import threading

from oslotest import base

from taskflow_service import clock


class SystemClockTest(base.BaseTestCase):
    """The machine's clocks."""

    def test_deadline_in_the_past_does_not_block(self) -> None:
        event = clock.SYSTEM.event()
        self.assertFalse(clock.SYSTEM.wait(event, clock.Monotonic(0.0)))

    def test_set_event_is_seen_before_and_without_a_deadline(self) -> None:
        event = clock.SYSTEM.event()
        event.set()
        later = clock.Monotonic(clock.SYSTEM.monotonic() + 3600)
        self.assertTrue(clock.SYSTEM.wait(event, later))
        self.assertTrue(clock.SYSTEM.wait(event, None))

    def test_clocks_do_not_go_back(self) -> None:
        system: clock.Clock = clock.SYSTEM
        for read in (system.monotonic, system.boottime):
            first = read()
            self.assertGreaterEqual(read(), first)
        self.assertGreater(system.now(), 1_500_000_000)


class VirtualClockTest(base.BaseTestCase):
    """A clock that a test moves on."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = clock.VirtualClock(now=1000.0)

    def test_advance_moves_all_three(self) -> None:
        self.clock.advance(5)
        self.assertEqual(1005.0, self.clock.now())
        self.assertEqual(5.0, self.clock.monotonic())
        self.assertEqual(5.0, self.clock.boottime())
        self.assertRaises(ValueError, self.clock.advance, -1)

    def test_suspension_is_seen_by_boottime_only(self) -> None:
        self.clock.suspend(60)
        self.assertEqual(0.0, self.clock.monotonic())
        self.assertEqual(60.0, self.clock.boottime())
        self.assertEqual(1060.0, self.clock.now())

    def test_wall_clock_may_be_set_back(self) -> None:
        self.clock.step_wall(-100)
        self.assertEqual(900.0, self.clock.now())
        self.assertEqual(0.0, self.clock.monotonic())

    def _start(self, deadline: float | None) -> threading.Thread:
        self.event = self.clock.event()
        self.outcomes: list[bool] = []

        def wait() -> None:
            until = None if deadline is None else clock.Monotonic(deadline)
            self.outcomes.append(self.clock.wait(self.event, until))

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        self.assertTrue(self.clock.wait_for_waiters())
        return thread

    def _join(self, thread: threading.Thread) -> list[bool]:
        thread.join(10)
        self.assertFalse(thread.is_alive())
        return self.outcomes

    def test_waiter_wakes_when_its_deadline_comes(self) -> None:
        thread = self._start(10)
        self.clock.advance(9)
        self.assertEqual([], self.outcomes)
        self.clock.advance(1)
        self.assertEqual([False], self._join(thread))

    def test_waiter_wakes_when_the_event_is_set(self) -> None:
        thread = self._start(None)
        self.event.set()
        self.assertEqual([True], self._join(thread))

    def test_auto_moves_to_the_deadline_by_itself(self) -> None:
        auto = clock.VirtualClock(auto=True)
        self.assertFalse(auto.wait(auto.event(), clock.Monotonic(30.0)))
        self.assertEqual(30.0, auto.monotonic())

    def test_cleared_event_is_waited_for_again(self) -> None:
        event = self.clock.event()
        event.set()
        self.assertTrue(event.wait(0))
        event.clear()
        self.assertFalse(event.is_set())
        self.assertFalse(event.wait(0))
