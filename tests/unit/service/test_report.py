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

"""The line a minute says what was done, and nothing when nothing was."""

from __future__ import annotations

from oslotest import base

from taskflow_service.service import report


class SummaryTest(base.BaseTestCase):
    def test_an_idle_minute_is_silent(self):
        counts = {'ok': 3, 'failed': 1, 'running': 0}
        self.assertIsNone(report.summary({}, {}))
        self.assertIsNone(report.summary(counts, counts))

    def test_only_what_is_new_counts(self):
        self.assertEqual(
            '1 failed, 4 ok; 2 running',
            report.summary(
                {'ok': 3, 'cancelled': 1, 'running': 5},
                {'ok': 7, 'failed': 1, 'cancelled': 1, 'running': 2},
            ),
        )

    def test_long_tasks_are_seen_to_run(self):
        self.assertEqual(
            'nothing ended; 1 running', report.summary({}, {'running': 1})
        )
