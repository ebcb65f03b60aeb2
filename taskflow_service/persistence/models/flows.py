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


"""The details of one run of a flow."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
import copy
import os
import typing

from taskflow_service.persistence.models import atoms
from taskflow_service.persistence.models import named


class Source(typing.Protocol):
    """Where an attached flow detail looks: the live record of a run.

    Implemented by the engine's storage, which makes atom details on demand.
    ``find`` takes an atom's uuid and gives None for an unknown one;
    iteration is in the order of definition; ``add`` is called with a detail
    that the record does not hold yet.
    """

    state: str | None
    meta: dict[typing.Any, typing.Any]

    def find(self, uuid: str) -> atoms.AtomDetail | None:
        """Look up an atom."""

    def __iter__(self) -> Iterator[atoms.AtomDetail]:
        """Give all atoms."""

    def __len__(self) -> int:
        """Count the atoms."""

    def add(self, atom_detail: atoms.AtomDetail) -> None:
        """Take in another atom."""


class Contents:
    """The record of a flow that nothing runs: what a client put in."""

    __slots__ = ('_atoms', 'meta', 'state')

    def __init__(self) -> None:
        self.state: str | None = None
        self.meta: dict[typing.Any, typing.Any] = {}
        self._atoms: dict[str, atoms.AtomDetail] = {}

    def find(self, uuid: str) -> atoms.AtomDetail | None:
        """Look up an atom."""
        return self._atoms.get(uuid)

    def __iter__(self) -> Iterator[atoms.AtomDetail]:
        # A copy: the caller may add while it looks.
        return iter(list(self._atoms.values()))

    def __len__(self) -> int:
        return len(self._atoms)

    def add(self, atom_detail: atoms.AtomDetail) -> None:
        """Take in another atom."""
        self._atoms[atom_detail.uuid] = atom_detail


class FlowDetail(named.Named):
    """What is known of one run of a flow.

    Besides TaskFlow's fields: ``owner`` is the incarnation of the process
    that runs it, ``epoch`` how often it was claimed, ``turn`` the last
    commit of a run; ``deadline`` the user's own, ``next_action_at`` when a
    process has to look at it again, ``created_at``, ``updated_at`` and
    ``ended_at`` what they say (seconds since the epoch, UTC, float or None).
    They show the stored row as it was read and are not written by a client.
    """

    __slots__ = (
        '_source',
        'created_at',
        'deadline',
        'ended_at',
        'epoch',
        'next_action_at',
        'owner',
        'project',
        'turn',
        'updated_at',
    )

    def __init__(self, name: str, uuid: str | None = None) -> None:
        super().__init__(name, uuid)
        self._source: Source = Contents()
        self.epoch: int = 0
        self.turn: int = 0
        self.owner: str | None = None
        self.deadline: float | None = None
        self.next_action_at: float | None = None
        self.project: str | None = None
        self.created_at: float | None = None
        self.updated_at: float | None = None
        self.ended_at: float | None = None

    def attach(self, source: Source) -> Source:
        """Look into ``source`` from now on; return what was there before.

        The caller has moved over what the former source held.
        """
        former, self._source = self._source, source
        return former

    @property
    def state(self) -> str | None:
        """The flow's state, None before it was first run."""
        return self._source.state

    @state.setter
    def state(self, value: str | None) -> None:
        self._source.state = value

    @property
    def meta(self) -> dict[typing.Any, typing.Any]:
        """The flow's metadata."""
        return self._source.meta

    @meta.setter
    def meta(self, value: dict[typing.Any, typing.Any]) -> None:
        self._source.meta = value

    def add(self, ad: atoms.AtomDetail) -> None:
        """Add an atom; one of the same uuid is replaced in what is added to.

        An attached flow brings the atom that it holds already up to date.
        """
        self._source.add(ad)

    def find(self, ad_uuid: str) -> atoms.AtomDetail | None:
        """Look up an atom; None for an unknown one."""
        return self._source.find(ad_uuid)

    def __iter__(self) -> Iterator[atoms.AtomDetail]:
        return iter(self._source)

    def __len__(self) -> int:
        return len(self._source)

    def __bool__(self) -> bool:
        # One without atoms is a flow detail all the same.
        return True

    def update(self, fd: FlowDetail) -> FlowDetail:
        """Take state, metadata and atoms from ``fd``; return self."""
        if fd is not self:
            self.state = fd.state
            self.meta = fd.meta
            fresh = Contents()
            fresh.state, fresh.meta = fd.state, fd.meta
            for detail in fd:
                fresh.add(detail)
            self._source = fresh
        return self

    def merge(self, fd: FlowDetail, deep_copy: bool = False) -> FlowDetail:
        """Take state and metadata (not the atoms) from ``fd``; return self."""
        if fd is not self:
            self.meta = copy.deepcopy(fd.meta) if deep_copy else fd.meta
            self.state = fd.state
        return self

    def copy(self, retain_contents: bool = True) -> FlowDetail:
        """Copy it, with the same atoms or with none; nothing is attached."""
        twin = type(self)(self.name, self.uuid)
        twin.state = self.state
        twin.meta = copy.copy(self.meta)
        for field in (
            'epoch',
            'turn',
            'owner',
            'deadline',
            'next_action_at',
            'project',
            'created_at',
            'updated_at',
            'ended_at',
        ):
            setattr(twin, field, getattr(self, field))
        if retain_contents:
            for detail in self:
                twin.add(detail)
        return twin

    def to_dict(self) -> dict[str, typing.Any]:
        """Show TaskFlow's fields, without the atoms."""
        return {
            'name': self.name,
            'meta': self.meta,
            'state': self.state,
            'uuid': self.uuid,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, typing.Any]) -> typing.Self:
        """Make one from such a dictionary."""
        detail = cls(data['name'], data['uuid'])
        detail.state = data.get('state')
        detail.meta = data.get('meta') or {}
        return detail

    def pformat(self, indent: int = 0, linesep: str = os.linesep) -> str:
        """Print it and its atoms for people."""
        lines = [
            self._title(),
            f' - uuid = {self.uuid}',
            f' - state = {self.state}',
            *named.metadata_lines(self.meta),
        ]
        text = named.indented(lines, indent, linesep)
        parts = (each.pformat(indent + 1, linesep) for each in self)
        return named.below(parts, text, linesep)
