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


"""Looking in: which flows and atoms there are, without their results.

What is asked for and what comes back, whichever backend answers. A page is a
list; the next one is asked for with the uuid of its last item as ``marker``.
"""

from __future__ import annotations

from collections.abc import Iterable
import dataclasses
import enum
import typing

from taskflow_service import exceptions

#: What may be asked of a flow's owner.
ASKS = ('cancel', 'cancel_keep', 'suspend')

#: Most items of a page.
MAX_LIMIT = 1000

Several = str | Iterable[str] | None


class FlowSummary(typing.NamedTuple):
    """A flow without its metadata and atoms; times as in FlowDetail."""

    uuid: str
    name: str | None
    state: str | None
    book_uuid: str
    owner: str | None
    epoch: int
    turn: int
    asked: str | None
    project: str | None
    deadline: float | None
    next_action_at: float | None
    created_at: float | None
    updated_at: float | None
    ended_at: float | None


class AtomSummary(typing.NamedTuple):
    """An atom without its results and failures; times as in AtomDetail."""

    flow_uuid: str
    uuid: str
    name: str | None
    kind: str
    state: str | None
    intention: str | None
    attempt: int
    losses: int
    direction: str | None
    request_uuid: str | None
    worker: str | None
    incarnation: str | None
    started_at: float | None
    finished_at: float | None
    seq: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class FlowQuery:
    """Which flows: all that are given must hold.

    Ordered by creation, the newest first unless ``oldest_first``. The
    bounds on times (seconds since the epoch, UTC) are exclusive.
    """

    states: tuple[str, ...] | None = None
    name: str | None = None
    book_uuid: str | None = None
    owner: str | None = None
    owned: bool | None = None
    project: str | None = None
    created_before: float | None = None
    created_after: float | None = None
    ended_before: float | None = None
    ended_after: float | None = None
    next_action_before: float | None = None
    oldest_first: bool = False
    limit: int = 100
    marker: str | None = None

    def accepts(self, flow: FlowSummary) -> bool:
        """Whether a flow is one of those asked for, the page aside."""
        return (
            (self.states is None or flow.state in self.states)
            and self.name in (None, flow.name)
            and self.book_uuid in (None, flow.book_uuid)
            and self.owner in (None, flow.owner)
            and self.owned in (None, flow.owner is not None)
            and self.project in (None, flow.project)
            and _before(flow.created_at, self.created_before)
            and _after(flow.created_at, self.created_after)
            and _before(flow.ended_at, self.ended_before)
            and _after(flow.ended_at, self.ended_after)
            and _before(flow.next_action_at, self.next_action_before)
        )


@dataclasses.dataclass(frozen=True, slots=True)
class AtomQuery:
    """Which atoms: all that are given must hold.

    In the order in which they were stored. A query that names neither a flow
    nor a book looks at every atom there is.
    """

    flow_uuid: str | None = None
    book_uuid: str | None = None
    states: tuple[str, ...] | None = None
    name: str | None = None
    worker: str | None = None
    limit: int = 100
    marker: str | None = None

    def accepts(self, atom: AtomSummary, book_uuid: str) -> bool:
        """Whether an atom is one of those asked for, the page aside."""
        return (
            self.flow_uuid in (None, atom.flow_uuid)
            and self.book_uuid in (None, book_uuid)
            and (self.states is None or atom.state in self.states)
            and self.name in (None, atom.name)
            and self.worker in (None, atom.worker)
        )


class Late(enum.Enum):
    """What became of an outcome that its flow's owner did not ask for."""

    #: Kept as evidence: the request is not its atom's current one.
    STORED = 'stored'
    #: Not kept: it is the current one, which only the owner may record.
    CURRENT = 'current'
    #: Not kept: there is no such flow here, which proves nothing.
    UNKNOWN = 'unknown'


class LateOutcome(typing.NamedTuple):
    """An outcome that came too late."""

    flow_uuid: str
    request_uuid: str
    atom_name: str | None
    worker: str | None
    incarnation: str | None
    #: Any value; it is packed as results are.
    outcome: typing.Any


def flow_query(state: Several = None, **options: typing.Any) -> FlowQuery:
    """Make the query of ``connection.find_flows``; ValueError for nonsense."""
    return FlowQuery(states=_several(state), **_checked(options))


def atom_query(state: Several = None, **options: typing.Any) -> AtomQuery:
    """Make the query of ``connection.find_atoms``; ValueError for nonsense."""
    return AtomQuery(states=_several(state), **_checked(options))


def check_ask(what: str) -> str:
    """Check what is asked of a flow; ValueError names what there is."""
    if what not in ASKS:
        raise ValueError(
            f'{what!r} cannot be asked of a flow, only {", ".join(ASKS)}'
        )
    return what


def not_askable(flow_uuid: str, state: str | None) -> exceptions.InvalidState:
    """Make the error of one who asks something of a flow that has ended."""
    return exceptions.InvalidState(
        f'Flow {flow_uuid} has ended ({state}) and nobody runs it: nothing '
        'can be asked of it'
    )


def page(
    items: Iterable[typing.Any], limit: int, marker: str | None
) -> list[typing.Any]:
    """Cut a page out of what memory holds."""
    found = list(items)
    if marker is not None:
        uuids = [item.uuid for item in found]
        if marker not in uuids:
            return []
        found = found[uuids.index(marker) + 1 :]
    return found[:limit]


def _several(state: Several) -> tuple[str, ...] | None:
    if state is None or isinstance(state, str):
        return None if state is None else (state,)
    return tuple(state)


def _checked(options: dict[str, typing.Any]) -> dict[str, typing.Any]:
    limit = options.get('limit', 100)
    if not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f'limit is {limit}, it must be 1 to {MAX_LIMIT}')
    return options


def _before(when: float | None, bound: float | None) -> bool:
    return bound is None or (when is not None and when < bound)


def _after(when: float | None, bound: float | None) -> bool:
    return bound is None or (when is not None and when > bound)
