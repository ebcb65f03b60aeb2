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

"""What a turn of the loop writes: one unit, one commit.

The loop stages the transitions of every flow that moved into one
:class:`FlowChange` per flow and hands all of them to a backend's writer,
which applies them in one transaction. A change carries whole rows, already
packed by :meth:`Backend.pack`, so that a writer needs no look-up and no
merge: each row is written once, by one statement text per table.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import typing

from taskflow_service import exceptions

#: The columns of an atom's row, in the order of the tuples in
#: :attr:`FlowChange.atoms`. Times are wall-clock seconds (UTC, float).
#: ``results``, ``failure``, ``revert_results``, ``revert_failure`` and
#: ``meta`` are packed values; None means that there is none.
ATOM_COLUMNS = (
    'flow_uuid',
    'uuid',
    'name',
    'kind',  # 'TASK_DETAIL' or 'RETRY_DETAIL'
    'version',  # '1.0'
    'state',
    'intention',
    'attempt',
    'losses',
    'direction',  # 'execute', 'revert', 'probe' or None
    'request_uuid',
    'worker',
    'incarnation',
    'start_by',
    'finish_by',
    'not_before',
    'started_at',
    'finished_at',
    'seq',  # order of completion within the flow, from 1
    'results',
    'failure',
    'revert_results',
    'revert_failure',
    'meta',
)

#: The columns of a try's row: one per round of a retry controller, never
#: rewritten but for the failures that end it.
TRY_COLUMNS = ('atom_uuid', 'number', 'value', 'failures')

#: The atoms whose rows a server does not take, by name, and why.
Poison = Mapping[str, exceptions.ValueNotStorable]

AtomRow = tuple[typing.Any, ...]
TryRow = tuple[typing.Any, ...]


@dataclasses.dataclass(slots=True)
class FlowChange:
    """All that one turn writes of one flow.

    The write proves ownership: it applies only if the row holds ``epoch``
    and ``turn``, and leaves ``new_turn``. A turn number is never used for
    two changes, so the number found in the row later tells which one landed.
    """

    flow_uuid: str
    epoch: int
    turn: int
    new_turn: int
    state: str | None
    #: Packed meta; None leaves the stored one as it is.
    meta: typing.Any = None
    deadline: float | None = None
    next_action_at: float | None = None
    ended_at: float | None = None
    #: Whether the row holds this state and these times already.
    steady: bool = False
    #: The last change of a run: the owner column is cleared with it.
    release: bool = False
    atoms: Sequence[AtomRow] = ()
    tries: Sequence[TryRow] = ()
    #: Atom uuids whose tries are deleted before ``tries`` are written.
    forget_tries: Sequence[str] = ()


@dataclasses.dataclass(slots=True, frozen=True)
class Committed:
    """What became of a unit.

    ``lost`` are the flows whose row carries another epoch: nothing of them
    was written. ``refused`` maps a flow whose change the server refuses for
    a reason of its own (a poison value) to that error; it was not written
    either. ``poison`` says, of such a flow, which of its atoms' rows the
    server does not take, by name, and why. All other flows were written.
    """

    lost: frozenset[str] = frozenset()
    refused: Mapping[str, Exception] = dataclasses.field(default_factory=dict)
    poison: Mapping[str, Poison] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(slots=True, frozen=True)
class Claim:
    """The proof of ownership of a flow: what its next change must carry."""

    flow_uuid: str
    epoch: int
    turn: int
