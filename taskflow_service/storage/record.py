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

"""The live record of one flow: what its turns stage, and the rows of it.

Models are made of it when somebody looks (it is the ``Source`` of an
attached flow detail), rows when a turn is committed.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
import time
import typing

from taskflow_service import states
from taskflow_service.persistence import models
from taskflow_service.persistence import rows
from taskflow_service.persistence import unit
from taskflow_service.plan import plan as plan_mod
from taskflow_service.storage import columns
from taskflow_service.types import failure as ft

NOTHING = columns.NOTHING
INJECTOR = columns.INJECTOR

_NO_REQUEST = columns.NO_REQUEST

Pack = typing.Callable[[typing.Any], typing.Any]


class Record(columns.Columns):
    """What is known of a flow and its atoms.

    Written by one thread (the loop's); read by any.
    """

    def __init__(self, detail: models.FlowDetail, tracks: bool) -> None:
        super().__init__(detail, tracks)
        detail.attach(self)

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

    @property
    def untouched(self) -> bool:
        """Whether nothing was ever done to any atom."""
        size = len(self.states)
        return (
            not self.completed
            and self.states.count(states.PENDING) == size
            and self.intentions.count(states.EXECUTE) == size
        )

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
        )
        self.touch(request.node)

    def wait_until(self, node: int, when: float) -> None:
        """Keep before which wall-clock time an atom is not to go on."""
        self.not_before[node] = when
        self.touch(node)

    # What a turn stages

    def count_attempt(self, node: int) -> None:
        """Count an attempt of what runs already; no number is used twice."""
        self.attempts[node] += 1
        self.touch(node)

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
        if self.requests or self.workers:
            request = self.requests.pop(node, _NO_REQUEST)
            self.workers[node] = request[columns.WORKER]
        if self.not_before:
            self.not_before.pop(node, None)
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
        self.not_before.pop(node, None)
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
            columns.REQUEST_FIELDS,
            self.requests.get(node, _NO_REQUEST),
            strict=True,
        ):
            setattr(detail, name, value)
        detail.not_before = self.not_before.get(node)
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
            self.not_before.get(node),
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
_ENDED_WELL = frozenset((states.SUCCESS, states.REVERTED))
