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

"""The checks that flake8 runs for us."""

from __future__ import annotations

import ddt
from oslotest import base

from taskflow_service.hacking import checks


@ddt.ddt
class ChecksTest(base.BaseTestCase):
    """What is refused, and what only looks like it."""

    @ddt.data(
        ('import eventlet', True),
        ('from asyncio import events', True),
        ('import eventletish', False),
        ("name = 'import eventlet'", False),
    )
    @ddt.unpack
    def test_no_green_threads(self, line: str, refused: bool) -> None:
        self.assertEqual(refused, bool(list(checks.no_green_threads(line))))

    @ddt.data(
        ('time.sleep(1)', 'taskflow_service/clock.py', True),
        ('time.sleep(1)', 'examples/arguments.py', False),
        ('event.wait(1)', 'taskflow_service/clock.py', False),
    )
    @ddt.unpack
    def test_no_sleep(self, line: str, path: str, refused: bool) -> None:
        self.assertEqual(refused, bool(list(checks.no_sleep(line, path))))

    @ddt.data(
        ('now = time.time()', 'taskflow_service/decisions/run.py', True),
        ('now = time.monotonic()', 'taskflow_service/plan/plan.py', True),
        ('now = time.time()', 'taskflow_service/engines/loop.py', False),
        ('now = self._clock.now()', 'taskflow_service/plan/plan.py', False),
    )
    @ddt.unpack
    def test_no_wall_clock_in_the_core(
        self, line: str, path: str, refused: bool
    ) -> None:
        self.assertEqual(
            refused, bool(list(checks.no_wall_clock_in_the_core(line, path)))
        )
