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

"""The live record of one flow: columns by node instead of objects by atom.

A run of twenty thousand tasks keeps a few lists, not twenty thousand
details; what most atoms do not have (failures, metadata, uuids) is kept only
for those that do. Models are made of it when somebody looks (it is the
``Source`` of an attached flow detail), rows when a turn is committed.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
import time
import typing

from taskflow_service import atom as atom_mod
from taskflow_service import exceptions
from taskflow_service import retry as retry_mod
from taskflow_service import states
from taskflow_service.persistence import models
from taskflow_service.persistence import rows
from taskflow_service.persistence import unit
from taskflow_service.plan import plan as plan_mod
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
    'not_before',
)
_NO_REQUEST = (None,) * len(REQUEST_FIELDS)


class _Stored:
    """An atom of which only what is stored is known."""

    save_as: typing.ClassVar[dict[str, typing.Any]] = {}
    inject = None
    heard = False

    def __init__(self, detail: models.AtomDetail) -> None:
        self.name = detail.name
        self.version = detail.version
        self.is_retry = isinstance(detail, models.RetryDetail)


Pack = typing.Callable[[typing.Any], typing.Any]


class Record:
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
        detail.attach(self)

    def _keep(self, atom: models.AtomDetail) -> None:
        if atom.name == INJECTOR and isinstance(atom, models.TaskDetail):
            self.injector = atom
        elif self._bound:
            self.strangers[atom.name] = atom
        else:
            self._add(_Stored(atom))
            self._fill(self.index[atom.name], atom)

    # Atoms

    def bind(self, plan: plan_mod.Plan) -> None:
        """Take the atoms of a plan in, each at its own node."""
        if self.index is plan.node_of:
            return
        for node in list(self.index.values()):
            detail = self.detail(node)
            self.strangers[detail.name] = detail
        size = len(plan)
        self._bound = True
        self.index = plan.node_of
        self.atoms = plan.items
        self.retries = {
            node
            for node in plan.end_of
            if plan.kinds[node] is plan_mod.Kind.RETRY
        }
        self.states = [states.PENDING] * size
        self.intentions = [states.EXECUTE] * size
        self.results = [NOTHING] * size
        self.attempts = [0] * size
        self.sequence = [0] * size
        self._forget_nodes()
        if self.tracks:
            self.dirty.update(plan.node_of.values())
        for name in list(self.strangers):
            found = plan.node_of.get(name)
            if found is not None:
                self._fill(found, self.strangers.pop(name))

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

    def _clear(self, node: int) -> None:
        self.results[node] = NOTHING
        for column in (
            self.failures,
            self.revert_results,
            self.revert_failures,
            self.metas,
            self.requests,
            self.packed,
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
        if request != _NO_REQUEST:
            self.requests[node] = request
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

    @property
    def untouched(self) -> bool:
        """Whether nothing was ever done to any atom."""
        size = len(self.states)
        return (
            not self.completed
            and self.states.count(states.PENDING) == size
            and self.intentions.count(states.EXECUTE) == size
        )

    def touch(self, node: int) -> None:
        """Have the row of an atom written."""
        if self.tracks:
            self.dirty.add(node)

    def outcome(self, node: int) -> typing.Any:
        """What a revert is given: the result, or the failure."""
        if node in self.failures:
            return self.failures[node]
        result = self.results[node]
        return None if result is NOTHING else result

    def keep_request(self, request: typing.Any) -> None:
        """Keep where a request is, for who must find it again."""
        self.requests[request.node] = (
            str(request.action),
            request.request_uuid,
            request.worker,
            request.incarnation,
            request.start_by,
            request.finish_by,
            request.not_before,
        )
        self.touch(request.node)

    # What a turn stages

    def start(self, node: int) -> None:
        """Count an attempt; the state is the core's to set."""
        self.attempts[node] += 1
        if self.metas:
            self._drop_progress(node)
        if self.tracks:
            self.dirty.add(node)
            self.times[node] = time.time(), None

    def keep_result(self, node: int, result: typing.Any) -> None:
        """Keep what an execute returned."""
        if node in self.retries:
            self.results[node] = [*self.history(node), (result, {})]
        else:
            self.results[node] = result
        self._ended(node)
        if self.metas:
            self._drop_progress(node)

    def keep_failure(self, node: int, failure: ft.Failure) -> None:
        """Keep why an execute failed."""
        self.failures[node] = failure
        self._ended(node)

    def keep_revert(self, node: int, result: typing.Any) -> None:
        """Keep what a revert returned."""
        self.revert_failures.pop(node, None)
        self.revert_results[node] = result
        self._ended(node)
        if self.metas:
            self._drop_progress(node)

    def keep_revert_failure(self, node: int, failure: ft.Failure) -> None:
        """Keep why a revert failed."""
        self.revert_failures[node] = failure
        self._ended(node)

    def _ended(self, node: int) -> None:
        self.completed += 1
        self.sequence[node] = self.completed
        if self.requests:
            self.requests.pop(node, None)
        if self.tracks:
            self.dirty.add(node)
            started = self.times.get(node, _NO_TIMES)[0]
            self.times[node] = started, time.time()

    def _drop_progress(self, node: int) -> None:
        meta = self.metas.get(node)
        if meta:
            meta.pop('progress', None)

    def forget(self, node: int) -> None:
        """Forget results and failures; a retry's history too."""
        if node in self.retries:
            if self.results[node] is not NOTHING and self.tracks:
                self.forgotten.add(node)
                self._written_tries.pop(node, None)
        self.results[node] = NOTHING
        self.failures.pop(node, None)
        self.revert_results.pop(node, None)
        self.revert_failures.pop(node, None)
        self.requests.pop(node, None)
        if self.metas:
            self._drop_progress(node)
        self.touch(node)

    def is_retry(self, node: int) -> bool:
        """Tell a retry controller from a task."""
        return node in self.retries

    def history(self, node: int) -> list[models.atoms.Try]:
        """The tries of a retry, oldest first."""
        found = self.results[node]
        return [] if found is NOTHING else found

    def progress(self, node: int) -> float:
        """How far a task says it is; ended means 1."""
        meta = self.metas.get(node)
        if meta and 'progress' in meta:
            return typing.cast(float, meta['progress'])
        ended = self.attempts[node] and self.states[node] in _ENDED_WELL
        return 1.0 if ended else 0.0

    # Models, made when somebody looks

    def uuid(self, node: int) -> str:
        """The uuid of an atom, made when it is first asked for."""
        found = self.uuids.get(node)
        if found is None:
            found = self.uuids[node] = models.named.new_uuid()
        return found

    def detail(self, node: int) -> models.AtomDetail:
        """The detail of an atom as it is now; the same object each time."""
        detail = self._views.get(node)
        if detail is None:
            made = (
                models.RetryDetail
                if node in self.retries
                else models.TaskDetail
            )
            detail = made(self.atoms[node].name, self.uuid(node))
            self._views[node] = detail
        self._show(node, detail)
        return detail

    def _show(self, node: int, detail: models.AtomDetail) -> None:
        detail.state = self.states[node]
        detail.intention = self.intentions[node] or states.EXECUTE
        detail.version = rows.version_text(
            self.versions.get(node, self.atoms[node].version)
        )
        result = self.results[node]
        if isinstance(detail, models.RetryDetail):
            detail.results = self.history(node)
        else:
            detail.results = None if result is NOTHING else result
        detail.failure = self.failures.get(node)
        detail.revert_results = self.revert_results.get(node)
        detail.revert_failure = self.revert_failures.get(node)
        detail.meta = self.meta_of(node)
        detail.attempt = self.attempts[node]
        detail.losses = self.losses.get(node, 0)
        detail.seq = self.sequence[node] or None
        for name, value in zip(
            REQUEST_FIELDS,
            self.requests.get(node, _NO_REQUEST),
            strict=True,
        ):
            setattr(detail, name, value)
        detail.started_at, detail.finished_at = self.times.get(node, _NO_TIMES)

    def meta_of(self, node: int) -> dict[typing.Any, typing.Any]:
        """An atom's metadata with its progress, as TaskFlow keeps it."""
        meta = dict(self.metas.get(node, ()))
        if self.attempts[node] and node not in self.retries:
            meta.setdefault('progress', self.progress(node))
        return meta

    def refresh(self) -> None:
        """Bring the details that somebody holds up to date."""
        for node, detail in self._views.items():
            self._show(node, detail)

    def find(self, uuid: str) -> models.AtomDetail | None:
        """Look an atom up by its uuid."""
        for node, known in self.uuids.items():
            if known == uuid:
                return self.detail(node)
        for detail in self._rest():
            if detail.uuid == uuid:
                return detail
        return None

    def _rest(self) -> Iterable[models.AtomDetail]:
        if self.injector is not None:
            yield self.injector
        yield from self.strangers.values()

    def __iter__(self) -> Iterator[models.AtomDetail]:
        for node in list(self.index.values()):
            yield self.detail(node)
        yield from list(self._rest())

    def __len__(self) -> int:
        return (
            len(self.index) + len(self.strangers) + (self.injector is not None)
        )

    def add(self, atom_detail: models.AtomDetail) -> None:
        """Take in a detail that a client added to the flow."""
        node = self.index.get(atom_detail.name)
        if node is None:
            self._keep(atom_detail)
        else:
            self._fill(node, atom_detail)
            self.touch(node)

    # Rows

    def row(self, node: int, pack: Pack) -> unit.AtomRow:
        """The row of an atom, in the order of ``unit.ATOM_COLUMNS``.

        Raises ``ValueNotStorable`` naming the atom and what of it.
        """
        atom = self.atoms[node]
        is_retry = node in self.retries
        result = self.results[node]
        request = self.requests.get(node, _NO_REQUEST)
        started, finished = self.times.get(node, _NO_TIMES)
        meta = self.meta_of(node) if node in self.metas else None
        return (
            self.flow_uuid,
            self.uuid(node),
            atom.name,
            'RETRY_DETAIL' if is_retry else 'TASK_DETAIL',
            rows.version_text(atom.version),
            self.states[node],
            self.intentions[node],
            self.attempts[node],
            self.losses.get(node, 0),
            *request,
            started,
            finished,
            self.sequence[node] or None,
            None if is_retry else self._packed_result(node, result, pack),
            _packed(self.failures.get(node), pack),
            _packed(self.revert_results.get(node), pack),
            _packed(self.revert_failures.get(node), pack),
            pack(meta) if meta else None,
        )

    def _packed_result(
        self, node: int, result: typing.Any, pack: Pack
    ) -> typing.Any:
        if result is NOTHING:
            return None
        packed = self.packed.pop(node, NOTHING)
        return pack(result) if packed is NOTHING else packed

    def injector_row(self, pack: Pack) -> unit.AtomRow:
        """The row of what the flow was given."""
        injector = typing.cast(models.TaskDetail, self.injector)
        return rows.atom_row(self.flow_uuid, injector, pack)

    def new_tries(self, node: int, pack: Pack) -> list[unit.TryRow]:
        """The rows of a retry's history that were not written yet.

        The last one that was written is among them: failures are added to
        it until the next try begins.
        """
        uuid = self.uuid(node)
        history = self.history(node)
        first = max(self._written_tries.get(node, 0) - 1, 0)
        self._written_tries[node] = len(history)
        return [
            (uuid, number, pack(value), pack(failures) if failures else None)
            for number, (value, failures) in enumerate(
                history[first:], first + 1
            )
        ]


def _packed(value: typing.Any, pack: Pack) -> typing.Any:
    return None if value is None else pack(value)


_NO_TIMES: typing.Final = (None, None)
_WITH_RESULT = frozenset(
    (
        states.SUCCESS,
        states.FAILURE,
        states.REVERTING,
        states.REVERTED,
        states.REVERT_FAILURE,
    )
)
_ENDED_WELL = frozenset((states.SUCCESS, states.REVERTED))
