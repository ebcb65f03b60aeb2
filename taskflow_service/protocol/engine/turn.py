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
"""What follows for an atom from the end of its request.

The whole policy on lost workers is this one table; it is pure, and knows
nothing of how an end came about.
"""

from __future__ import annotations

import enum

from taskflow_service.protocol import messages

#: Ends that mean the worker went down with the request.
LOSSES = frozenset({messages.End.DEAD, messages.End.LOST, messages.End.FENCED})


class Next(enum.Enum):
    """What the loop does with the atom."""

    #: Record what the worker said.
    RECORD = 'record'
    #: A new request of the same attempt.
    AGAIN = 'again'
    #: A new attempt.
    RETRY = 'retry'
    #: A probe on another incarnation, as the atom's current request.
    PROBE = 'probe'
    #: WorkerLost: a failure of the execute, REVERT_FAILURE of a revert.
    FAIL = 'fail'


def counts(end: messages.End) -> bool:
    """Say whether an end is one of an atom's losses.

    Suspicion alone is not; it counts when the worker is proven dead later.
    """
    return end in LOSSES


def after(
    action: messages.Action,
    end: messages.End,
    *,
    idempotent: bool,
    probes: bool,
    losses: int,
    max_losses: int = 3,
) -> Next:
    """Decide what follows an end.

    ``probes`` says whether the task has a ``probe()``; ``losses`` counts
    this end, if it is one. Raises nothing, touches nothing.
    """
    if end in (messages.End.OK, messages.End.FAILED, messages.End.CANCELLED):
        return Next.RECORD
    if end in (messages.End.HANDED_BACK, messages.End.DISOWNED):
        return Next.AGAIN
    if losses >= max_losses:
        # A task that kills its workers must not go round for ever.
        return Next.FAIL
    if action is messages.Action.PROBE:
        return Next.PROBE
    if idempotent:
        return Next.RETRY
    if probes and action is messages.Action.EXECUTE:
        return Next.PROBE
    return Next.FAIL
