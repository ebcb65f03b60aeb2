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


"""The logbook: flows that belong together."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
import copy
import datetime
import os
import typing

from oslo_utils import timeutils

from taskflow_service.persistence.models import flows
from taskflow_service.persistence.models import named


class LogBook(named.Named):
    """A set of flow details; ``created_at``, ``updated_at`` are naive UTC."""

    __slots__ = ('_flows', 'created_at', 'meta', 'updated_at')

    def __init__(self, name: str, uuid: str | None = None) -> None:
        super().__init__(name, uuid)
        self._flows: dict[str, flows.FlowDetail] = {}
        self.meta: dict[typing.Any, typing.Any] = {}
        self.created_at: datetime.datetime | None = timeutils.utcnow()
        self.updated_at: datetime.datetime | None = None

    def add(self, fd: flows.FlowDetail) -> None:
        """Add a flow; one of the same uuid is replaced."""
        self._flows[fd.uuid] = fd
        self.updated_at = timeutils.utcnow()

    def find(self, flow_uuid: str) -> flows.FlowDetail | None:
        """Look up a flow; None for an unknown one."""
        return self._flows.get(flow_uuid)

    def __iter__(self) -> Iterator[flows.FlowDetail]:
        # A copy: the caller may add while it looks.
        return iter(list(self._flows.values()))

    def __len__(self) -> int:
        return len(self._flows)

    def __bool__(self) -> bool:
        # An empty logbook is a logbook all the same.
        return True

    def merge(self, lb: LogBook, deep_copy: bool = False) -> LogBook:
        """Take metadata and times (not the flows) from ``lb``; return self."""
        if lb is not self:
            self.meta = copy.deepcopy(lb.meta) if deep_copy else lb.meta
            self.created_at = lb.created_at
            self.updated_at = lb.updated_at
        return self

    def copy(self, retain_contents: bool = True) -> LogBook:
        """Copy it, with the same flows or with none."""
        twin = type(self)(self.name, self.uuid)
        twin.meta = copy.copy(self.meta)
        twin.created_at = self.created_at
        if retain_contents:
            twin._flows.update(self._flows)
        twin.updated_at = self.updated_at
        return twin

    def to_dict(self, marshal_time: bool = False) -> dict[str, typing.Any]:
        """Show TaskFlow's fields, without the flows."""
        shown = _marshal if marshal_time else _same
        return {
            'name': self.name,
            'meta': self.meta,
            'uuid': self.uuid,
            'updated_at': shown(self.updated_at),
            'created_at': shown(self.created_at),
        }

    @classmethod
    def from_dict(
        cls, data: Mapping[str, typing.Any], unmarshal_time: bool = False
    ) -> typing.Self:
        """Make one from such a dictionary."""
        taken = _unmarshal if unmarshal_time else _same
        book = cls(data['name'], data['uuid'])
        book.updated_at = taken(data.get('updated_at'))
        book.created_at = taken(data.get('created_at'))
        book.meta = data.get('meta') or {}
        return book

    def pformat(self, indent: int = 0, linesep: str = os.linesep) -> str:
        """Print it, its flows and their atoms for people."""
        lines = [
            self._title(),
            f' - uuid = {self.uuid}',
            *named.metadata_lines(self.meta),
        ]
        for what in ('created_at', 'updated_at'):
            when = getattr(self, what)
            if when is not None:
                lines.append(f' - {what} = {when.isoformat()}')
        text = named.indented(lines, indent, linesep)
        parts = (each.pformat(indent + 1, linesep) for each in self)
        return named.below(parts, text, linesep)


def _same(when: typing.Any) -> typing.Any:
    return when


def _marshal(when: datetime.datetime | None) -> typing.Any:
    return None if when is None else timeutils.marshall_now(when)


def _unmarshal(when: typing.Any) -> typing.Any:
    return None if when is None else timeutils.unmarshall_time(when)
