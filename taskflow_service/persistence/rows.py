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


"""Rows: how books, flows, atoms and tries rest in a store.

A row is a sequence of values in the order of its columns, whichever backend
keeps it; user values in it are packed. This module turns models into rows
and back, and knows neither a database nor a transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from collections.abc import Set
import datetime
import functools
import typing

from taskflow_service import exceptions
from taskflow_service import states
from taskflow_service.persistence import models
from taskflow_service.persistence import queries
from taskflow_service.persistence import unit

Any = typing.Any
Known = Set[str | None]
Row = Sequence[typing.Any]
Pack = Callable[[typing.Any], typing.Any]

BOOK_COLUMNS = ('uuid', 'name', 'meta', 'created_at', 'updated_at')

FLOW_COLUMNS = (
    'uuid',
    'parent',
    'name',
    'state',
    'meta',
    'owner',
    'epoch',
    'turn',
    'asked',
    'deadline',
    'next_action_at',
    'project',
    'created_at',
    'updated_at',
    'ended_at',
)

#: The columns of a flow's row that a model carries under the same name.
_FLOW_FIELDS = (
    'owner',
    'epoch',
    'turn',
    'deadline',
    'next_action_at',
    'project',
    'created_at',
    'updated_at',
    'ended_at',
)
_FLOW_INDEX = {name: at for at, name in enumerate(FLOW_COLUMNS)}
_FLOW_READS = tuple((name, _FLOW_INDEX[name]) for name in _FLOW_FIELDS)

_ATOM_INDEX = {name: at for at, name in enumerate(unit.ATOM_COLUMNS)}
#: The columns of an atom's row that a model carries under the same name.
_ATOM_FIELDS = (
    'state',
    'intention',
    'version',
    'attempt',
    'losses',
    'direction',
    'request_uuid',
    'worker',
    'incarnation',
    'start_by',
    'finish_by',
    'not_before',
    'started_at',
    'finished_at',
    'seq',
)
_ATOM_READS = tuple((name, _ATOM_INDEX[name]) for name in _ATOM_FIELDS)
_ATOM_VALUES = tuple(
    (name, _ATOM_INDEX[name])
    for name in ('failure', 'revert_results', 'revert_failure')
)
_FLOW_SUMMARY = tuple(
    _FLOW_INDEX['parent' if name == 'book_uuid' else name]
    for name in queries.FlowSummary._fields
)
_ATOM_SUMMARY = tuple(
    _ATOM_INDEX[name] for name in queries.AtomSummary._fields
)
ATOM_FLOW = _ATOM_INDEX['flow_uuid']
ATOM_UUID = _ATOM_INDEX['uuid']
ATOM_KIND = _ATOM_INDEX['kind']


def flow_field(row: Row, name: str) -> typing.Any:
    """Read a column of a flow's row."""
    return row[_FLOW_INDEX[name]]


def atom_field(row: Row, name: str) -> typing.Any:
    """Read a column of an atom's row."""
    return row[_ATOM_INDEX[name]]


def flow_summary(row: Row) -> queries.FlowSummary:
    """Turn a flow's row into its summary."""
    return queries.FlowSummary(*(row[at] for at in _FLOW_SUMMARY))


def atom_summary(row: Row) -> queries.AtomSummary:
    """Turn an atom's row into its summary."""
    return queries.AtomSummary(*(row[at] for at in _ATOM_SUMMARY))


# What may have been edited by hand

_FLOW_STATES = frozenset({None, *states.FlowState})
_ATOM_STATES = {
    'TASK_DETAIL': frozenset({None, *states.TaskState}),
    'RETRY_DETAIL': frozenset({None, *states.RetryState}),
}
_INTENTIONS = frozenset({None, *states.Intention})


def _known(what: str, column: str, value: typing.Any, known: Known) -> None:
    """Raise ValueUnreadable for a word that nothing here writes."""
    if value not in known:
        words = ', '.join(sorted(filter(None, known)))
        raise exceptions.ValueUnreadable(
            f'{what} has the {column} {value!r} in the logbook, which is none '
            f'of {words}: its row was changed by hand'
        )


def _read(what: str, column: str, value: typing.Any, unpack: Pack) -> Any:
    """Unpack a value; name it if that fails."""
    try:
        return unpack(value)
    except exceptions.ValueUnreadable as error:
        raise exceptions.ValueUnreadable(
            f'{what}: its {column} cannot be read: {error}'
        ) from error


def _packed(value: typing.Any, pack: Pack) -> typing.Any:
    return None if value is None else pack(value)


def _stamp(when: datetime.datetime | None) -> float | None:
    if when is None:
        return None
    return when.replace(tzinfo=datetime.UTC).timestamp()


def _naive(when: float | None) -> datetime.datetime | None:
    if when is None:
        return None
    return datetime.datetime.fromtimestamp(when, datetime.UTC).replace(
        tzinfo=None
    )


def version_text(version: typing.Any) -> str | None:
    """Write an atom's version ((1, 0) or '1.0') as rows hold it."""
    if version is None or isinstance(version, str):
        return version
    if isinstance(version, tuple):
        return _dotted(version)
    if isinstance(version, list):
        return '.'.join(map(str, version))
    return str(version)


@functools.lru_cache(1000)
def _dotted(version: tuple[typing.Any, ...]) -> str:
    """Write it once for all rows of a class of atoms."""
    return '.'.join(map(str, version))


def book_row(book: models.LogBook, pack: Pack) -> tuple[typing.Any, ...]:
    """Turn a logbook into its row."""
    return (
        book.uuid,
        book.name,
        pack(book.meta) if book.meta else None,
        _stamp(book.created_at),
        _stamp(book.updated_at),
    )


def logbook(row: Row, unpack: Pack) -> models.LogBook:
    """Turn a row into an empty logbook."""
    book = models.LogBook(row[1], row[0])
    if row[2] is not None:
        book.meta = _read(f'Logbook {row[0]}', 'meta', row[2], unpack)
    book.created_at = _naive(row[3])
    book.updated_at = _naive(row[4])
    return book


def flow_row(
    flow: models.FlowDetail, book_uuid: str, now: float, pack: Pack
) -> tuple[typing.Any, ...]:
    """Turn a flow that nobody has run into its row."""
    return (
        flow.uuid,
        book_uuid,
        flow.name,
        flow.state,
        pack(flow.meta) if flow.meta else None,
        None,
        flow.epoch,
        flow.turn,
        None,
        flow.deadline,
        flow.next_action_at,
        flow.project,
        now,
        now,
        flow.ended_at,
    )


def flow_detail(row: Row, unpack: Pack) -> models.FlowDetail:
    """Turn a row into a flow without atoms.

    Raises ValueUnreadable for a row that was edited into nonsense.
    """
    flow = models.FlowDetail(row[2], row[0])
    what = f'Flow {row[0]}'
    _known(what, 'state', row[3], _FLOW_STATES)
    flow.state = row[3]
    if row[4] is not None:
        flow.meta = _read(what, 'meta', row[4], unpack)
    for name, at in _FLOW_READS:
        setattr(flow, name, row[at])
    return flow


def atom_row(
    flow_uuid: str, atom: models.AtomDetail, pack: Pack
) -> unit.AtomRow:
    """Turn an atom into its row; a retry's tries are rows of their own."""
    kind = models.atom_detail_type(atom)
    results = None if kind == 'RETRY_DETAIL' else atom.results
    return (
        flow_uuid,
        atom.uuid,
        atom.name,
        kind,
        version_text(atom.version),
        atom.state,
        atom.intention,
        atom.attempt,
        atom.losses,
        atom.direction,
        atom.request_uuid,
        atom.worker,
        atom.incarnation,
        atom.start_by,
        atom.finish_by,
        atom.not_before,
        atom.started_at,
        atom.finished_at,
        atom.seq,
        _packed(results, pack),
        _packed(atom.failure, pack),
        _packed(atom.revert_results, pack),
        _packed(atom.revert_failure, pack),
        pack(atom.meta) if atom.meta else None,
    )


def try_rows(atom: models.AtomDetail, pack: Pack) -> list[unit.TryRow]:
    """Turn a retry's history into rows, numbered from 1."""
    if not isinstance(atom, models.RetryDetail):
        return []
    return [
        (
            atom.uuid,
            number,
            pack(value),
            pack(dict(failures)) if failures else None,
        )
        for number, (value, failures) in enumerate(atom.results or (), 1)
    ]


def atom_detail(
    row: Row, tries: Iterable[Row], unpack: Pack
) -> models.AtomDetail:
    """Turn a row, and its tries in their order, into an atom.

    Raises ValueUnreadable for a row that was edited into nonsense.
    """
    name, kind = atom_field(row, 'name'), row[ATOM_KIND]
    what = f'Atom {name!r} of flow {row[ATOM_FLOW]}'
    _known(what, 'kind', kind, _ATOM_STATES.keys())
    _known(what, 'state', atom_field(row, 'state'), _ATOM_STATES[kind])
    _known(what, 'intention', atom_field(row, 'intention'), _INTENTIONS)
    atom = models.atom_detail_class(kind)(name, row[ATOM_UUID])
    for name, at in _ATOM_READS:
        setattr(atom, name, row[at])
    for name, at in _ATOM_VALUES:
        if row[at] is not None:
            setattr(atom, name, _read(what, name, row[at], unpack))
    meta = atom_field(row, 'meta')
    if meta is not None:
        atom.meta = _read(what, 'meta', meta, unpack)
    if isinstance(atom, models.RetryDetail):
        atom.results = [
            (
                _read(what, 'history', value, unpack),
                {}
                if failures is None
                else _read(what, 'history', failures, unpack),
            )
            for _, _, value, failures in tries
        ]
    else:
        results = atom_field(row, 'results')
        if results is not None:
            atom.results = _read(what, 'results', results, unpack)
    return atom
