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

"""The words, and which of them may follow which."""

from __future__ import annotations

import copy
import json
import pickle

from oslotest import base

from taskflow_service import exceptions
from taskflow_service import states


class WordsTest(base.BaseTestCase):
    """Members are TaskFlow's strings to whoever looks at them."""

    def test_printed_lists_show_plain_strings(self) -> None:
        found = [states.FlowState.RUNNING, states.TaskState.SUCCESS]
        self.assertEqual("['RUNNING', 'SUCCESS']", repr(found))
        self.assertEqual('RUNNING', f'{states.FlowState.RUNNING}')

    def test_equal_to_and_hashed_as_the_constants(self) -> None:
        for enumeration in (
            states.FlowState,
            states.TaskState,
            states.RetryState,
            states.JobState,
            states.EngineState,
            states.Intention,
        ):
            for member in enumeration:
                constant = getattr(states, member.name)
                self.assertIs(str, type(constant))
                self.assertEqual(constant, member)
                self.assertEqual({constant: 1}[member], 1)

    def test_survive_json_pickle_and_copy(self) -> None:
        state = states.TaskState.REVERT_FAILURE
        self.assertEqual('"REVERT_FAILURE"', json.dumps(state))
        self.assertIs(state, pickle.loads(pickle.dumps(state)))
        self.assertIs(state, copy.deepcopy(state))


class FlowTransitionTest(base.BaseTestCase):
    """A flow's moves: made, ignored, or an error."""

    def test_same_state_is_ignored(self) -> None:
        for state in states.FlowState:
            self.assertFalse(states.check_flow_transition(state, state))

    def test_rerun_after_each_end(self) -> None:
        check = states.check_flow_transition
        self.assertTrue(check(states.SUCCESS, states.RUNNING))
        self.assertTrue(check(states.SUCCESS, states.PENDING))
        self.assertTrue(check(states.FAILURE, states.RUNNING))
        self.assertTrue(check(states.REVERTED, states.PENDING))
        self.assertTrue(check(states.SUSPENDED, states.RUNNING))

    def test_asking_a_flow_at_rest_to_pause_is_ignored(self) -> None:
        for old in ('PENDING', 'FAILURE', 'SUCCESS', 'SUSPENDED', 'REVERTED'):
            for new in ('SUSPENDING', 'SUSPENDED', 'RESUMING'):
                self.assertFalse(states.check_flow_transition(old, new))

    def test_other_moves_raise_and_name_both_states(self) -> None:
        for old, new in (
            (states.PENDING, states.SUCCESS),
            (states.REVERTED, states.RUNNING),
            (states.RUNNING, states.PENDING),
            ('NONSENSE', states.RUNNING),
        ):
            error = self.assertRaises(
                exceptions.InvalidState,
                states.check_flow_transition,
                old,
                new,
            )
            self.assertIn(f'{old!r} -> {new!r}', str(error))

    def test_every_state_can_be_reached_and_left(self) -> None:
        reached = frozenset().union(*states.FLOW_TRANSITIONS.values())
        self.assertEqual(set(states.FlowState), reached)
        self.assertEqual(set(states.FlowState), set(states.FLOW_TRANSITIONS))


class AtomTransitionTest(base.BaseTestCase):
    """A task's and a retry's moves."""

    def test_a_revert_can_be_tried_again_or_skipped(self) -> None:
        for check in (
            states.check_task_transition,
            states.check_retry_transition,
        ):
            self.assertTrue(check('REVERT_FAILURE', 'REVERTING'))
            self.assertTrue(check('REVERT_FAILURE', 'REVERTED'))
            self.assertFalse(check('REVERT_FAILURE', 'PENDING'))

    def test_a_task_does_not_skip_states(self) -> None:
        check = states.check_task_transition
        self.assertTrue(check('PENDING', 'RUNNING'))
        self.assertFalse(check('PENDING', 'SUCCESS'))
        self.assertFalse(check('SUCCESS', 'RUNNING'))
        self.assertFalse(check('RUNNING', 'RUNNING'))

    def test_a_retry_has_one_state_more(self) -> None:
        self.assertTrue(states.check_retry_transition('SUCCESS', 'RETRYING'))
        self.assertTrue(states.check_retry_transition('RETRYING', 'RUNNING'))
        self.assertFalse(states.check_task_transition('SUCCESS', 'RETRYING'))


class JobTransitionTest(base.BaseTestCase):
    """A job's moves."""

    def test_a_complete_job_stays_so(self) -> None:
        self.assertTrue(states.check_job_transition('CLAIMED', 'COMPLETE'))
        self.assertFalse(states.check_job_transition('COMPLETE', 'COMPLETE'))
        self.assertRaises(
            exceptions.InvalidState,
            states.check_job_transition,
            'COMPLETE',
            'UNCLAIMED',
        )
