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

"""What repeats is logged once a minute."""

from __future__ import annotations

import logging

import fixtures
from oslotest import base

from taskflow_service.service import repeats


class RepeatsTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.now = 0.0
        self.log = self.useFixture(
            fixtures.FakeLogger('repeats', nuke_handlers=False)
        )
        self.logger = logging.getLogger('repeats')
        filtering = repeats.Repeats(lambda: self.now)
        self.logger.addFilter(filtering)
        self.addCleanup(self.logger.removeFilter, filtering)

    def _fail(self, why: str, seconds: float) -> None:
        self.logger.error(
            '[%s] no broker: %s (again in %s s)', 'a1-b2', why, seconds
        )

    def test_what_differs_in_its_numbers_is_said_once_a_minute(self) -> None:
        for second in range(60):
            self.now = float(second)
            self._fail('[Errno 111] refused', second)
        self.assertEqual(1, len(self.log.output.splitlines()))
        self.now = 60.0
        self._fail('[Errno 111] refused', 1.0)
        said = self.log.output.splitlines()
        self.assertEqual(2, len(said))
        self.assertIn('and 59 more like this', said[1])

    def test_another_reason_is_said_at_once(self) -> None:
        self._fail('refused', 1)
        self._fail('access denied', 1)
        self.assertIn('access denied', self.log.output)

    def test_what_is_no_warning_is_left_alone(self) -> None:
        for _ in range(3):
            self.logger.info('again')
        self.assertEqual(3, self.log.output.count('again'))
