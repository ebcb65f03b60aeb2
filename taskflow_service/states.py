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

"""The words for what flows, tasks, retries and engines are doing.

One enumeration and one transition table for each kind of thing, so that a
wrong word cannot be used by accident and the documentation's tables and
diagrams can be generated from what the engine really obeys.  The strings are
TaskFlow's: they are stored, logged and compared by existing programs, and
``repr()`` of a member is that of its string, so that a printed list of states
reads as it always did.

The constants at the end are the same words as plain strings, for programs
written for TaskFlow; they compare and hash equal to the members.
"""

from __future__ import annotations

from collections.abc import Mapping
import enum
import types
from typing import cast
from typing import Final
from typing import TypeVar

from taskflow_service import exceptions


class _Word(enum.StrEnum):
    """A state that prints and formats as the string that it is."""

    __repr__ = str.__repr__


_W = TypeVar('_W', bound=_Word)


class FlowState(_Word):
    """What a flow as a whole is doing."""

    #: Known, not started.
    PENDING = 'PENDING'
    #: An engine owns it and works on it.
    RUNNING = 'RUNNING'
    #: Every task that was to run has run.
    SUCCESS = 'SUCCESS'
    #: Something failed, and what was done could not be undone, or was not.
    FAILURE = 'FAILURE'
    #: Something failed, and everything that was done is undone.
    REVERTED = 'REVERTED'
    #: Asked to pause; what runs is let end.
    SUSPENDING = 'SUSPENDING'
    #: Paused; ``run()`` goes on where it was.
    SUSPENDED = 'SUSPENDED'
    #: Being prepared for a run that goes on where an earlier one ended.
    RESUMING = 'RESUMING'


class TaskState(_Word):
    """What a task is doing."""

    #: Not started, or reset.
    PENDING = 'PENDING'
    #: Its execute was dispatched.
    RUNNING = 'RUNNING'
    #: Its execute returned.
    SUCCESS = 'SUCCESS'
    #: Its execute raised, was cancelled, timed out or was lost.
    FAILURE = 'FAILURE'
    #: Its revert was dispatched.
    REVERTING = 'REVERTING'
    #: Its revert returned, or there was nothing to undo.
    REVERTED = 'REVERTED'
    #: Its revert failed; it may be tried again, or skipped.
    REVERT_FAILURE = 'REVERT_FAILURE'
    #: A decider chose another way.
    IGNORE = 'IGNORE'


class RetryState(_Word):
    """What a retry controller is doing: a task's states and one more."""

    #: Not started, or reset.
    PENDING = 'PENDING'
    #: Producing the value of the next try.
    RUNNING = 'RUNNING'
    #: The value of this try was produced; what it guards may run.
    SUCCESS = 'SUCCESS'
    #: It could not produce a value.
    FAILURE = 'FAILURE'
    #: Being reverted after everything that it guards.
    REVERTING = 'REVERTING'
    #: Reverted.
    REVERTED = 'REVERTED'
    #: Its revert failed; it may be tried again, or skipped.
    REVERT_FAILURE = 'REVERT_FAILURE'
    #: Decided to try again; what it guards is undone and reset first.
    RETRYING = 'RETRYING'
    #: A decider chose another way.
    IGNORE = 'IGNORE'


class JobState(_Word):
    """Where a posted job stands."""

    #: Nobody has taken it.
    UNCLAIMED = 'UNCLAIMED'
    #: Somebody works on it.
    CLAIMED = 'CLAIMED'
    #: Done, nobody needs to look at it again.
    COMPLETE = 'COMPLETE'


class EngineState(_Word):
    """The phases of an engine's loop, as ``run_iter()`` yields them."""

    #: Not started.
    UNDEFINED = 'UNDEFINED'
    #: Looks at what an earlier run left behind.
    RESUMING = 'RESUMING'
    #: Dispatches what is ready.
    SCHEDULING = 'SCHEDULING'
    #: Waits for outcomes or for the next timer.
    WAITING = 'WAITING'
    #: Takes outcomes and decides what follows.
    ANALYZING = 'ANALYZING'
    #: Nothing is left to do.
    GAME_OVER = 'GAME_OVER'


class Intention(_Word):
    """What is to become of an atom, whatever it is doing now."""

    EXECUTE = 'EXECUTE'
    #: Neither run it nor undo it; with FAILURE: its failure is ignored.
    IGNORE = 'IGNORE'
    REVERT = 'REVERT'
    #: Of a retry controller: undo what it guards, then try again.
    RETRY = 'RETRY'


def _table(rows: dict[_W, tuple[_W, ...]]) -> Mapping[_W, frozenset[_W]]:
    return types.MappingProxyType(
        {old: frozenset(new) for old, new in rows.items()}
    )


FLOW_TRANSITIONS: Final = _table(
    {
        FlowState.PENDING: (FlowState.RUNNING,),
        FlowState.RUNNING: (
            FlowState.SUCCESS,
            FlowState.FAILURE,
            FlowState.REVERTED,
            FlowState.SUSPENDING,
            FlowState.RESUMING,
        ),
        # Run again as it is, or from the start.
        FlowState.SUCCESS: (FlowState.RUNNING, FlowState.PENDING),
        # After the cause was mended.
        FlowState.FAILURE: (FlowState.RUNNING,),
        FlowState.REVERTED: (FlowState.PENDING,),
        # What still ran when it was asked may have ended the flow.
        FlowState.SUSPENDING: (
            FlowState.SUSPENDED,
            FlowState.SUCCESS,
            FlowState.FAILURE,
            FlowState.REVERTED,
            FlowState.RESUMING,
        ),
        FlowState.SUSPENDED: (FlowState.RUNNING,),
        FlowState.RESUMING: (FlowState.SUSPENDED,),
    }
)

_AT_REST = (FlowState.SUSPENDING, FlowState.SUSPENDED, FlowState.RESUMING)

#: Asking a flow that is not running to pause or to be prepared is no error,
#: and changes nothing.
IGNORED_FLOW_TRANSITIONS: Final = _table(
    {
        FlowState.PENDING: _AT_REST,
        FlowState.FAILURE: _AT_REST,
        FlowState.SUCCESS: _AT_REST,
        FlowState.SUSPENDED: _AT_REST,
        FlowState.REVERTED: _AT_REST,
    }
)

TASK_TRANSITIONS: Final = _table(
    {
        TaskState.PENDING: (TaskState.RUNNING, TaskState.IGNORE),
        TaskState.RUNNING: (TaskState.SUCCESS, TaskState.FAILURE),
        TaskState.SUCCESS: (TaskState.REVERTING,),
        # A failed task may have done half of its work.
        TaskState.FAILURE: (TaskState.REVERTING,),
        TaskState.REVERTING: (TaskState.REVERTED, TaskState.REVERT_FAILURE),
        TaskState.REVERTED: (TaskState.PENDING,),
        # Try the revert again; or skip it, on somebody's word.
        TaskState.REVERT_FAILURE: (TaskState.REVERTING, TaskState.REVERTED),
        TaskState.IGNORE: (TaskState.PENDING,),
    }
)

RETRY_TRANSITIONS: Final = _table(
    {
        RetryState.PENDING: (RetryState.RUNNING, RetryState.IGNORE),
        RetryState.RUNNING: (RetryState.SUCCESS, RetryState.FAILURE),
        RetryState.SUCCESS: (RetryState.REVERTING, RetryState.RETRYING),
        RetryState.FAILURE: (RetryState.REVERTING,),
        RetryState.REVERTING: (
            RetryState.REVERTED,
            RetryState.REVERT_FAILURE,
        ),
        RetryState.REVERTED: (RetryState.PENDING,),
        RetryState.REVERT_FAILURE: (
            RetryState.REVERTING,
            RetryState.REVERTED,
        ),
        RetryState.RETRYING: (RetryState.RUNNING,),
        RetryState.IGNORE: (RetryState.PENDING,),
    }
)

JOB_TRANSITIONS: Final = _table(
    {
        JobState.UNCLAIMED: (JobState.CLAIMED,),
        JobState.CLAIMED: (JobState.COMPLETE, JobState.UNCLAIMED),
        JobState.COMPLETE: (),
    }
)

#: The states in which a flow may be left for ever.
FINISHED_FLOW_STATES: Final = frozenset(
    {FlowState.SUCCESS, FlowState.FAILURE, FlowState.REVERTED}
)


def _allows(table: Mapping[_W, frozenset[_W]], old: str, new: str) -> bool:
    # A member and its plain string hash and compare alike: either will do.
    return new in table.get(cast(_W, old), frozenset())


def check_flow_transition(old_state: str, new_state: str) -> bool:
    """Tell whether a flow is to be moved from one state to another.

    Returns False where the move is to be ignored: the states are the same,
    or a flow at rest is asked to pause.  Raises InvalidState where the move
    is an error.
    """
    if old_state == new_state:
        return False
    if _allows(FLOW_TRANSITIONS, old_state, new_state):
        return True
    if _allows(IGNORED_FLOW_TRANSITIONS, old_state, new_state):
        return False
    raise exceptions.InvalidState(
        f'Flow transition {old_state!r} -> {new_state!r} is not allowed'
    )


def check_task_transition(old_state: str, new_state: str) -> bool:
    """Tell whether a task may go from one state to another."""
    return _allows(TASK_TRANSITIONS, old_state, new_state)


def check_retry_transition(old_state: str, new_state: str) -> bool:
    """Tell whether a retry controller may go from one state to another."""
    return _allows(RETRY_TRANSITIONS, old_state, new_state)


def check_job_transition(old_state: str, new_state: str) -> bool:
    """Tell whether a job is to be moved from one state to another.

    Returns False where the states are the same; raises InvalidState where
    the move is an error.
    """
    if old_state == new_state:
        return False
    if _allows(JOB_TRANSITIONS, old_state, new_state):
        return True
    raise exceptions.InvalidState(
        f'Job transition {old_state!r} -> {new_state!r} is not allowed'
    )


# The same words as plain strings.

UNCLAIMED: Final = 'UNCLAIMED'
CLAIMED: Final = 'CLAIMED'
COMPLETE: Final = 'COMPLETE'

PENDING: Final = 'PENDING'
RUNNING: Final = 'RUNNING'
SUCCESS: Final = 'SUCCESS'
FAILURE: Final = 'FAILURE'
REVERTING: Final = 'REVERTING'
REVERTED: Final = 'REVERTED'
REVERT_FAILURE: Final = 'REVERT_FAILURE'
RETRYING: Final = 'RETRYING'
SUSPENDING: Final = 'SUSPENDING'
SUSPENDED: Final = 'SUSPENDED'
RESUMING: Final = 'RESUMING'

EXECUTE: Final = 'EXECUTE'
IGNORE: Final = 'IGNORE'
REVERT: Final = 'REVERT'
RETRY: Final = 'RETRY'
INTENTIONS: Final = (EXECUTE, IGNORE, REVERT, RETRY)

SCHEDULING: Final = 'SCHEDULING'
WAITING: Final = 'WAITING'
ANALYZING: Final = 'ANALYZING'
UNDEFINED: Final = 'UNDEFINED'
GAME_OVER: Final = 'GAME_OVER'
