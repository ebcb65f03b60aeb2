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
"""What follows from the end of a request: the whole table."""

from __future__ import annotations

from oslotest import base

from taskflow_service.protocol.engine import turn
from taskflow_service.protocol.engine.turn import Next
from taskflow_service.protocol.messages import Action
from taskflow_service.protocol.messages import End


class TurnTest(base.BaseTestCase):
    def after(self, action, end, idempotent=False, probes=False, losses=1):
        return turn.after(
            action, end, idempotent=idempotent, probes=probes, losses=losses
        )

    def test_what_the_worker_says_is_recorded(self):
        for action in Action:
            for end in (End.OK, End.FAILED, End.CANCELLED):
                self.assertIs(Next.RECORD, self.after(action, end, losses=9))

    def test_what_has_not_started_is_the_same_attempt(self):
        for action in Action:
            for end in (End.HANDED_BACK, End.DISOWNED):
                self.assertIs(Next.AGAIN, self.after(action, end, losses=9))

    def test_a_lost_task_goes_by_its_own_policy(self):
        for end in (End.DEAD, End.LOST, End.FENCED):
            for action, idempotent, probes, follows in (
                (Action.EXECUTE, True, True, Next.RETRY),
                (Action.EXECUTE, True, False, Next.RETRY),
                (Action.EXECUTE, False, True, Next.PROBE),
                (Action.EXECUTE, False, False, Next.FAIL),
                (Action.REVERT, True, True, Next.RETRY),
                (Action.REVERT, False, True, Next.FAIL),
                (Action.PROBE, True, True, Next.PROBE),
            ):
                self.assertIs(
                    follows, self.after(action, end, idempotent, probes)
                )

    def test_suspicion_is_for_the_idempotent_and_does_not_count(self):
        self.assertIs(
            Next.RETRY, self.after(Action.EXECUTE, End.SUSPECT, True)
        )
        self.assertFalse(turn.counts(End.SUSPECT))
        self.assertEqual(
            {End.DEAD, End.LOST, End.FENCED},
            {end for end in End if turn.counts(end)},
        )

    def test_a_task_that_kills_its_workers_fails_in_the_end(self):
        for losses, follows in ((2, Next.RETRY), (3, Next.FAIL)):
            self.assertIs(
                follows,
                self.after(Action.EXECUTE, End.DEAD, True, losses=losses),
            )
