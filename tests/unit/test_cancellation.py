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

"""Asking a running task to stop."""

from __future__ import annotations

import threading

from oslotest import base

from taskflow_service import cancellation
from taskflow_service import exceptions


class CancellationTest(base.BaseTestCase):
    """A token, seen from the task and from who cancels."""

    def setUp(self) -> None:
        super().setUp()
        self.token = cancellation.Cancellation()

    def test_untouched_token_stops_nothing(self) -> None:
        self.assertFalse(self.token.cancelled)
        self.assertIsNone(self.token.reason)
        self.token.raise_if_cancelled()
        self.assertFalse(self.token.wait(0))

    def test_first_reason_stands(self) -> None:
        self.assertTrue(self.token.cancel('deadline'))
        self.assertFalse(self.token.cancel('again'))
        self.assertEqual('deadline', self.token.reason)
        error = self.assertRaises(
            exceptions.Cancelled, self.token.raise_if_cancelled
        )
        self.assertEqual('deadline', error.reason)

    def test_cancelled_without_a_reason_is_cancelled(self) -> None:
        self.token.cancel()
        self.assertTrue(self.token.cancelled)
        self.assertTrue(self.token.wait())
        self.assertRaises(exceptions.Cancelled, self.token.raise_if_cancelled)

    def test_waiting_thread_wakes(self) -> None:
        outcomes: list[bool] = []
        entered = threading.Event()

        def task() -> None:
            entered.set()
            outcomes.append(self.token.wait(60))

        thread = threading.Thread(target=task, daemon=True)
        thread.start()
        self.assertTrue(entered.wait(10))
        self.token.cancel('stop')
        thread.join(10)
        self.assertEqual([True], outcomes)

    def test_callbacks_run_once_and_late_ones_at_once(self) -> None:
        calls: list[str] = []
        self.token.add_callback(lambda: calls.append('early'))
        removed = calls.clear
        self.token.add_callback(removed)
        self.token.remove_callback(removed)
        self.token.remove_callback(removed)
        self.token.cancel()
        self.token.cancel()
        self.token.add_callback(lambda: calls.append('late'))
        self.assertEqual(['early', 'late'], calls)

    def test_failing_callback_keeps_nothing_from_the_others(self) -> None:
        calls: list[str] = []
        self.token.add_callback(lambda: 1 / 0)
        self.token.add_callback(lambda: calls.append('second'))
        self.assertTrue(self.token.cancel())
        self.assertEqual(['second'], calls)
