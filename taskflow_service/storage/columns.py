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

"""What is known of a flow's atoms: columns by node, filled from models.

A run of twenty thousand tasks keeps a few lists, not twenty thousand
details; what most atoms do not have (failures, metadata, uuids) is kept only
for those that do.
"""

from __future__ import annotations

import typing

from taskflow_service import atom as atom_mod
from taskflow_service import exceptions
from taskflow_service import retry as retry_mod
from taskflow_service import states
from taskflow_service.persistence import models
from taskflow_service.persistence import rows
from taskflow_service.types import failure as ft


class _Nothing:
    """The result of what has none; None is a result."""

    def __repr__(self) -> str:
        return 'NOTHING'


NOTHING: typing.Final = _Nothing()

#: The name of the atom under which TaskFlow keeps what a flow was given.
INJECTOR: typing.Final = '_TaskFlow_INJECTOR'

#: Where a request is, as an executor filled it in: the columns of the atom's
#: row that only somebody elsewhere needs.
REQUEST_FIELDS = (
    'direction',
    'request_uuid',
    'worker',
    'incarnation',
    'start_by',
    'finish_by',
)
WORKER = REQUEST_FIELDS.index('worker')
NO_REQUEST = (None,) * len(REQUEST_FIELDS)


class _Stored:
    """An atom of which only what is stored is known."""

    save_as: typing.ClassVar[dict[str, typing.Any]] = {}
    inject = None
    heard = False

    def __init__(self, detail: models.AtomDetail) -> None:
        self.name = detail.name
        self.version = detail.version
        self.is_retry = isinstance(detail, models.RetryDetail)


class Columns:
    """What is known of a flow and its atoms.

    Written by one thread (the loop's); read by any. ``dirty`` are the nodes
    whose rows are to be written, and stays empty where none are
    (``tracks``).
    """

    def __init__(self, detail: models.FlowDetail, tracks: bool) -> None:
        self.flow_uuid = detail.uuid
        self.flow_name = detail.name
        self.state: str | None = detail.state
        self.meta: dict[typing.Any, typing.Any] = detail.meta
        self.tracks = tracks
        self.index: dict[str, int] = {}
        self.atoms: list[atom_mod.Atom | typing.Any] = []
        #: The nodes of retry controllers.
        self.retries: set[int] = set()
        self.states: list[str | None] = []
        self.intentions: list[str | None] = []
        self.results: list[typing.Any] = []
        self.attempts: list[int] = []
        self.sequence: list[int] = []
        self.failures: dict[int, ft.Failure] = {}
        self.revert_results: dict[int, typing.Any] = {}
        self.revert_failures: dict[int, ft.Failure] = {}
        self.metas: dict[int, dict[typing.Any, typing.Any]] = {}
        self.uuids: dict[int, str] = {}
        self.versions: dict[int, typing.Any] = {}
        self.losses: dict[int, int] = {}
        self.requests: dict[int, tuple[typing.Any, ...]] = {}
        #: Where atoms that have ended were last, if that was elsewhere.
        self.workers: dict[int, str | None] = {}
        #: Wall-clock times before which an atom is not to go on.
        self.not_before: dict[int, float] = {}
        self.times: dict[int, tuple[float | None, float | None]] = {}
        #: Results that were packed when they came, until they are written.
        self.packed: dict[int, typing.Any] = {}
        self.completed = 0
        #: Details of the logbook that no atom of this flow goes by.
        self.strangers: dict[str, models.AtomDetail] = {}
        self.injector: models.TaskDetail | None = None
        self.dirty: set[int] = set()
        #: Retries whose stored history is to be deleted.
        self.forgotten: set[int] = set()
        self.changed = False
        self.injector_changed = False
        self._views: dict[int, models.AtomDetail] = {}
        self._written_tries: dict[int, int] = {}
        #: Whether the atoms are those of a plan.
        self._bound = False
        for atom in detail:
            self._keep(atom)

    def _keep(self, atom: models.AtomDetail) -> None:
        if atom.name == INJECTOR and isinstance(atom, models.TaskDetail):
            self.injector = atom
        elif self._bound:
            self.strangers[atom.name] = atom
        else:
            self._add(_Stored(atom))
            self._fill(self.index[atom.name], atom)

    # Atoms

    def _forget_nodes(self) -> None:
        """Drop what is kept by node: nodes mean other atoms now."""
        for column in (
            self.failures,
            self.revert_results,
            self.revert_failures,
            self.metas,
            self.uuids,
            self.versions,
            self.losses,
            self.requests,
            self.workers,
            self.not_before,
            self.times,
            self.packed,
            self._views,
            self._written_tries,
        ):
            typing.cast(dict[int, typing.Any], column).clear()
        self.dirty.clear()
        self.forgotten.clear()

    def reload(self, detail: models.FlowDetail) -> None:
        """Take over what the logbook holds, which is newer."""
        self.state = detail.state
        self.meta = detail.meta
        for atom in detail:
            node = self.index.get(atom.name)
            if atom.name == INJECTOR and self.injector_changed:
                # What this engine was given since is still to be written.
                continue
            if node is None:
                self._keep(atom)
            else:
                self._clear(node)
                self._fill(node, atom)

    def roll_back(self, detail: models.FlowDetail) -> None:
        """Have all atoms be as the logbook holds them, or new.

        What is staged of the flow itself, and what it was given, stays.
        """
        stored = {atom.name: atom for atom in detail}
        self.completed = 0
        self.dirty.clear()
        self.forgotten.clear()
        for name, node in self.index.items():
            self._clear(node)
            atom = stored.get(name)
            if atom is not None:
                self._fill(node, atom)
                continue
            self.states[node] = states.PENDING
            self.intentions[node] = states.EXECUTE
            self.attempts[node] = self.sequence[node] = 0
            self.touch(node)

    def _clear(self, node: int) -> None:
        self.results[node] = NOTHING
        for column in (
            self.failures,
            self.revert_results,
            self.revert_failures,
            self.metas,
            self.losses,
            self.requests,
            self.not_before,
            self.times,
            self.packed,
            self._written_tries,
        ):
            typing.cast(dict[int, typing.Any], column).pop(node, None)

    def ensure(self, atom: atom_mod.Atom) -> int:
        """Return the atom's node; make one if there is none."""
        node = self.index.get(atom.name)
        if node is not None:
            self._check_kind(atom, node)
            if isinstance(self.atoms[node], _Stored):
                self._check_version(atom, self.atoms[node].version)
                self.atoms[node] = atom
            return node
        node = self._add(atom)
        stranger = self.strangers.pop(atom.name, None)
        if stranger is not None:
            self._fill(node, stranger)
        return node

    def _add(self, atom: atom_mod.Atom | _Stored) -> int:
        node = len(self.atoms)
        self.index[atom.name] = node
        self.atoms.append(atom)
        if getattr(atom, 'is_retry', isinstance(atom, retry_mod.Retry)):
            self.retries.add(node)
        self.states.append(states.PENDING)
        self.intentions.append(states.EXECUTE)
        self.results.append(NOTHING)
        self.attempts.append(0)
        self.sequence.append(0)
        self.touch(node)
        return node

    def _fill(self, node: int, detail: models.AtomDetail) -> None:
        atom = self.atoms[node]
        if not isinstance(atom, _Stored):
            if isinstance(detail, models.RetryDetail) != (
                node in self.retries
            ):
                raise exceptions.Duplicate(
                    f'Atom {atom.name!r} of flow {self.flow_uuid} is stored '
                    f'as another kind of atom'
                )
            self._check_version(atom, detail.version)
        self.states[node] = detail.state or states.PENDING
        self.intentions[node] = detail.intention
        self.attempts[node] = detail.attempt
        self.sequence[node] = detail.seq or 0
        self.completed = max(self.completed, detail.seq or 0)
        self.uuids[node] = detail.uuid
        self.versions[node] = detail.version
        for column, value in (
            (self.failures, detail.failure),
            (self.revert_results, detail.revert_results),
            (self.revert_failures, detail.revert_failure),
            (self.metas, detail.meta),
            (self.losses, detail.losses),
        ):
            if value:
                typing.cast(dict[int, typing.Any], column)[node] = value
        if detail.revert_results is not None:
            self.revert_results[node] = detail.revert_results
        request = tuple(getattr(detail, name) for name in REQUEST_FIELDS)
        if request != NO_REQUEST:
            self.requests[node] = request
        if detail.not_before is not None:
            self.not_before[node] = detail.not_before
        if detail.started_at is not None:
            self.times[node] = detail.started_at, detail.finished_at
        if isinstance(detail, models.RetryDetail):
            if detail.results:
                self.results[node] = list(detail.results)
        elif detail.state in _WITH_RESULT and detail.failure is None:
            self.results[node] = detail.results
        self.dirty.discard(node)

    def _check_kind(self, atom: typing.Any, node: int) -> None:
        if isinstance(atom, retry_mod.Retry) != (node in self.retries):
            raise exceptions.Duplicate(
                f'Atom detail {atom.name!r} already exists in flow '
                f'{self.flow_uuid} as that of another kind of atom'
            )

    def _check_version(self, atom: typing.Any, stored: typing.Any) -> None:
        then, now = rows.version_text(stored), rows.version_text(atom.version)
        if then and now and then.split('.')[0] != now.split('.')[0]:
            raise exceptions.IncompatibleVersion(
                f'Atom {atom.name!r} of flow {self.flow_uuid} is stored with '
                f'version {then}, which version {now} cannot take over'
            )

    def touch(self, node: int) -> None:
        """Have the row of an atom written."""
        if self.tracks:
            self.dirty.add(node)


_WITH_RESULT = frozenset(
    (
        states.SUCCESS,
        states.FAILURE,
        states.REVERTING,
        states.REVERTED,
        states.REVERT_FAILURE,
    )
)
