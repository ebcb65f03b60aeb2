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


"""The details of a task or a retry controller.

State, intention and what the last execute and revert left behind, with the
names and rules of TaskFlow; and what a durable run keeps besides: which
attempt it is, who runs it, until when. All times are seconds since the epoch
(UTC, float).
"""

from __future__ import annotations

import copy
import os
import typing

from taskflow_service import exceptions
from taskflow_service import states
from taskflow_service.persistence.models import named
from taskflow_service.types import failure as ft

if typing.TYPE_CHECKING:
    from collections.abc import Mapping

#: What ``results`` of a retry controller is a list of: the value of a try
#: and the failures that ended it, by atom name.
Try = tuple[typing.Any, dict[str, ft.Failure]]

#: Fields that only a durable run fills in, and their values before it.
RUN_FIELDS: dict[str, typing.Any] = {
    'attempt': 0,
    'losses': 0,
    'direction': None,
    'request_uuid': None,
    'worker': None,
    'incarnation': None,
    'start_by': None,
    'finish_by': None,
    'not_before': None,
    'started_at': None,
    'finished_at': None,
    'seq': None,
}


class AtomDetail(named.Named):
    """What is known of one atom of a flow.

    ``attempt`` counts the starts of execute or revert from 1; ``losses`` the
    workers that died under it; ``direction`` is ``execute``, ``revert`` or
    ``probe`` while a request (``request_uuid``, at ``worker`` with
    ``incarnation``) is open; ``start_by``, ``finish_by`` and ``not_before``
    are its stored deadlines; ``seq`` is the order of completion within the
    flow, from 1.
    """

    __slots__ = (
        'attempt',
        'direction',
        'failure',
        'finish_by',
        'finished_at',
        'incarnation',
        'intention',
        'losses',
        'meta',
        'not_before',
        'request_uuid',
        'results',
        'revert_failure',
        'revert_results',
        'seq',
        'start_by',
        'started_at',
        'state',
        'version',
        'worker',
    )

    def __init__(self, name: str, uuid: str | None = None) -> None:
        super().__init__(name, uuid)
        self.state: str | None = None
        self.intention: str = states.EXECUTE
        self.results: typing.Any = None
        self.failure: ft.Failure | None = None
        self.revert_results: typing.Any = None
        self.revert_failure: ft.Failure | None = None
        self.meta: dict[typing.Any, typing.Any] = {}
        self.version: typing.Any = None
        self.attempt: int = 0
        self.losses: int = 0
        self.direction: str | None = None
        self.request_uuid: str | None = None
        self.worker: str | None = None
        self.incarnation: str | None = None
        self.start_by: float | None = None
        self.finish_by: float | None = None
        self.not_before: float | None = None
        self.started_at: float | None = None
        self.finished_at: float | None = None
        self.seq: int | None = None

    @property
    def last_results(self) -> typing.Any:
        """What the last execute returned."""
        return self.results

    def _take(self, other: AtomDetail) -> None:
        self.state = other.state
        self.intention = other.intention
        self.results = other.results
        self.failure = other.failure
        self.revert_results = other.revert_results
        self.revert_failure = other.revert_failure
        self.meta = other.meta
        self.version = other.version
        for field in RUN_FIELDS:
            setattr(self, field, getattr(other, field))

    def update(self, ad: AtomDetail) -> AtomDetail:
        """Take every field but name and uuid from ``ad``; return self."""
        if ad is not self:
            self._take(ad)
        return self

    def merge(self, other: AtomDetail, deep_copy: bool = False) -> AtomDetail:
        """Take what ``other`` holds, as copies if ``deep_copy``; return self.

        Raises ``NotImplementedError`` for a detail of another kind.
        """
        if atom_detail_type(other) != atom_detail_type(self):
            raise NotImplementedError(
                f'{self._title()} cannot be merged with {other._title()}: '
                'both have to be details of the same kind'
            )
        if other is self:
            return self
        self._take(other)
        if deep_copy:
            self.results = copy.deepcopy(self.results)
            self.revert_results = copy.deepcopy(self.revert_results)
            self.meta = copy.deepcopy(self.meta)
            self.failure = self.failure.copy() if self.failure else None
            self.revert_failure = (
                self.revert_failure.copy() if self.revert_failure else None
            )
        return self

    def put(self, state: str, result: typing.Any) -> bool:
        """Record an outcome; return whether it changed anything.

        An execute's result is kept with SUCCESS, its failure with FAILURE;
        a revert's likewise with REVERTED and REVERT_FAILURE. In any other
        state the result is not kept.
        """
        before = (
            self.state,
            self.results,
            self.failure,
            self.revert_results,
            self.revert_failure,
        )
        self.state = state
        if state == states.SUCCESS:
            self._put_result(result)
            self.failure = self.revert_failure = None
            self.revert_results = None
        elif state == states.FAILURE:
            self._put_failure(result)
            self.revert_results = self.revert_failure = None
        elif state == states.REVERTED:
            self.revert_results, self.revert_failure = result, None
        elif state == states.REVERT_FAILURE:
            self._put_revert_failure(result)
        after = (
            self.results,
            self.failure,
            self.revert_results,
            self.revert_failure,
        )
        return before[0] != state or any(
            one is not other
            for one, other in zip(before[1:], after, strict=True)
        )

    def _put_result(self, result: typing.Any) -> None:
        if not _same(self.results, result):
            self.results = result

    def _put_failure(self, failure: typing.Any) -> None:
        self.results = None
        if not _same_failure(self.failure, failure):
            self.failure = failure

    def _put_revert_failure(self, failure: typing.Any) -> None:
        self.results = self.revert_results = None
        if not _same_failure(self.revert_failure, failure):
            self.revert_failure = failure

    def reset(self, state: str) -> None:
        """Forget results and failures; metadata and version stay."""
        self.results = None
        self.failure = None
        self.revert_results = None
        self.revert_failure = None
        self.state = state
        self.intention = states.EXECUTE

    def to_dict(self) -> dict[str, typing.Any]:
        """Show TaskFlow's fields as a dictionary."""
        return {
            'uuid': self.uuid,
            'name': self.name,
            'state': self.state,
            'intention': self.intention,
            'results': self.results,
            'failure': self.failure.to_dict() if self.failure else None,
            'revert_results': self.revert_results,
            'revert_failure': (
                self.revert_failure.to_dict() if self.revert_failure else None
            ),
            'meta': self.meta,
            'version': self.version,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, typing.Any]) -> typing.Self:
        """Make one from such a dictionary."""
        detail = cls(data['name'], data['uuid'])
        detail.state = data.get('state')
        detail.intention = data.get('intention', states.EXECUTE)
        detail.results = data.get('results')
        detail.revert_results = data.get('revert_results')
        detail.version = data.get('version')
        detail.meta = data.get('meta') or {}
        if data.get('failure'):
            detail.failure = ft.Failure.from_dict(data['failure'])
        if data.get('revert_failure'):
            detail.revert_failure = ft.Failure.from_dict(
                data['revert_failure']
            )
        for field, default in RUN_FIELDS.items():
            setattr(detail, field, data.get(field, default))
        return detail

    def copy(self) -> typing.Self:
        """Copy it; metadata shallowly, results not at all."""
        twin = type(self)(self.name, self.uuid)
        twin._take(self)
        twin.meta = copy.copy(self.meta)
        return twin

    def pformat(self, indent: int = 0, linesep: str = os.linesep) -> str:
        """Print it for people."""
        lines = [
            self._title(),
            f' - uuid = {self.uuid}',
            f' - state = {self.state}',
            f' - version = {self.version}',
            f' - results = {self.results}',
            f' - failure = {bool(self.failure)}',
        ]
        lines.extend(named.metadata_lines(self.meta))
        return named.indented(lines, indent, linesep)


class TaskDetail(AtomDetail):
    """What is known of one task."""

    __slots__ = ()


class RetryDetail(AtomDetail):
    """What is known of one retry controller.

    ``results`` is the history of its tries, oldest first: pairs of what
    ``execute`` returned and the failures (by atom name) that ended the try.
    """

    __slots__ = ()

    def __init__(self, name: str, uuid: str | None = None) -> None:
        super().__init__(name, uuid)
        self.results: list[Try] = []

    @property
    def last_results(self) -> typing.Any:
        """What the last try's execute returned; NotFound without a try."""
        if not self.results:
            raise exceptions.NotFound(
                f"Last results not found: retry '{self.name}' has no try yet"
            )
        return self.results[-1][0]

    @property
    def last_failures(self) -> dict[str, ft.Failure]:
        """The failures of the last try; NotFound without a try."""
        if not self.results:
            raise exceptions.NotFound(
                f"Last failures not found: retry '{self.name}' has no try yet"
            )
        return self.results[-1][1]

    def _take(self, other: AtomDetail) -> None:
        super()._take(other)
        self.results = list(other.results or ())

    def _put_result(self, result: typing.Any) -> None:
        # A try is a round of its own, also when it returns what the one
        # before it did. A new list, so that a change can be seen.
        self.results = [*self.results, (result, {})]

    def _put_failure(self, failure: typing.Any) -> None:
        # The history outlives the failure of the controller.
        if not _same_failure(self.failure, failure):
            self.failure = failure

    def _put_revert_failure(self, failure: typing.Any) -> None:
        self.revert_results = None
        if not _same_failure(self.revert_failure, failure):
            self.revert_failure = failure

    def reset(self, state: str) -> None:
        """Forget the history too."""
        super().reset(state)
        self.results = []

    def to_dict(self) -> dict[str, typing.Any]:
        """Show TaskFlow's fields as a dictionary."""
        data = super().to_dict()
        data['results'] = [
            (value, {name: each.to_dict() for name, each in failures.items()})
            for value, failures in self.results
        ]
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, typing.Any]) -> typing.Self:
        """Make one from such a dictionary."""
        detail = super().from_dict(data)
        detail.results = [
            (
                value,
                {
                    name: ft.Failure.from_dict(each)
                    for name, each in failures.items()
                },
            )
            for value, failures in data.get('results') or ()
        ]
        return detail


def _same(one: typing.Any, other: typing.Any) -> bool:
    """Whether two results are equal; False where they cannot tell."""
    if one is other:
        return True
    try:
        return type(one) is type(other) and bool(one == other)
    except Exception:
        # Results are anything: arrays, for one, do not compare to a bool.
        return False


def _same_failure(one: typing.Any, other: typing.Any) -> bool:
    if one is other:
        return True
    if isinstance(one, ft.Failure) and isinstance(other, ft.Failure):
        return bool(one.matches(other))
    return False


_CLASSES: dict[str, type[AtomDetail]] = {
    'TASK_DETAIL': TaskDetail,
    'RETRY_DETAIL': RetryDetail,
}

#: The names of the kinds of atom details, as rows hold them.
ATOM_TYPES = tuple(_CLASSES)


def atom_detail_class(atom_type: str) -> type[AtomDetail]:
    """Find the class of a kind; TypeError for an unknown one."""
    try:
        return _CLASSES[atom_type]
    except KeyError:
        raise TypeError(
            f"Unknown atom type '{atom_type}', known are "
            f'{", ".join(ATOM_TYPES)}'
        ) from None


def atom_detail_type(atom_detail: typing.Any) -> str:
    """Find the kind of a detail; TypeError for anything else."""
    for kind, cls in _CLASSES.items():
        if isinstance(atom_detail, cls):
            return kind
    raise TypeError(f"Unknown atom '{atom_detail}' ({type(atom_detail)})")
