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


"""Where the loops of a process hand in their units: group commit.

Whether a process drives its flows in one loop or in a thousand threads, all
units go over one connection, one after the other; those that are handed in
while a commit is under way share the next one.
"""

from __future__ import annotations

from collections.abc import Sequence

from taskflow_service.persistence import base
from taskflow_service.persistence import together
from taskflow_service.persistence import unit
from taskflow_service.persistence.backends.sqlalchemy import writer

_Unit = Sequence[unit.FlowChange]


class Desk:
    """Takes units from any thread, each of which blocks for its commit."""

    def __init__(self, committer: writer.Committer) -> None:
        self._committer = committer
        self._commit = together.Together(self._commit_all, _flows)

    def commit(self, changes: _Unit) -> unit.Committed:
        """Write a unit, together with those that wait beside it."""
        return self._commit(changes)

    def _commit_all(self, units: Sequence[_Unit]) -> list[unit.Committed]:
        if len(units) == 1:
            return [self._committer.commit(units[0])]
        committed = self._committer.commit(
            [each for changes in units for each in changes]
        )
        return [_part(committed, changes) for changes in units]

    def close(self) -> None:
        """Give the connection back once the commit under way has ended."""
        with self._commit.turn:
            self._committer.close()


def _flows(changes: _Unit) -> set[str]:
    return {each.flow_uuid for each in changes}


def _part(committed: unit.Committed, changes: _Unit) -> unit.Committed:
    """Tell one of several units what became of it."""
    if not committed.lost and not committed.refused:
        return committed
    uuids = _flows(changes)
    return unit.Committed(
        committed.lost & uuids,
        {
            uuid: error
            for uuid, error in committed.refused.items()
            if uuid in uuids
        },
        {
            uuid: atoms
            for uuid, atoms in committed.poison.items()
            if uuid in uuids
        },
    )


class Writer(base.Writer):
    """A loop's place at the desk; keeps nothing."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def commit(self, changes: _Unit) -> unit.Committed:
        """Apply the changes; blocks for their commit."""
        return self._desk.commit(changes)

    def close(self) -> None:
        """Do nothing: the connection is the backend's."""
