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

"""Commit what the flows of a turn staged, together."""

from __future__ import annotations

from collections.abc import Iterable
import logging
import typing

from taskflow_service import clock as clock_mod
from taskflow_service import exceptions
from taskflow_service.persistence import base as persistence_base
from taskflow_service.persistence import unit
from taskflow_service.storage import ledger as ledger_mod
from taskflow_service.storage import record as record_mod

LOG = logging.getLogger(__name__)

#: Seconds between attempts to write while the database is away: the first
#: and the longest.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0


class Staged(typing.Protocol):
    """A flow that staged something in this turn."""

    flow_uuid: str
    record: record_mod.Record
    ledger: ledger_mod.Ledger
    finished: bool
    error: BaseException | None


class Commits:
    """The writers of one loop, one for each backend of its flows."""

    def __init__(self, clock: clock_mod.Clock) -> None:
        self._clock = clock
        self._writers: dict[int, persistence_base.Writer] = {}
        #: Set to give up waiting for a database that is away.
        self.stopping = clock.event()

    def write(self, drives: Iterable[Staged]) -> dict[Staged, Exception]:
        """Write what these flows staged; blocks, through outages too.

        Returns the flows that are not to go on: taken over by another
        process, or refused by the server. Raises ``StorageOutage`` only if
        told to stop.
        """
        failed: dict[Staged, Exception] = {}
        groups: dict[int, list[tuple[Staged, unit.FlowChange]]] = {}
        for drive in drives:
            if not drive.record.tracks or drive.error is not None:
                continue
            try:
                change = drive.ledger.change(release=drive.finished)
            except exceptions.StorageFailure as error:
                failed[drive] = error
                continue
            if change is not None:
                key = id(drive.ledger.backend)
                groups.setdefault(key, []).append((drive, change))
        for key, staged in groups.items():
            self._commit(key, staged, failed)
        return failed

    def _commit(
        self,
        key: int,
        staged: list[tuple[Staged, unit.FlowChange]],
        failed: dict[Staged, Exception],
    ) -> None:
        # In the order of their ids, so that two units cannot deadlock.
        staged.sort(key=lambda pair: pair[1].flow_uuid)
        writer = self._writers.get(key)
        if writer is None:
            backend = typing.cast(
                persistence_base.Backend, staged[0][0].ledger.backend
            )
            writer = self._writers[key] = backend.open_writer()
        committed = self._through_outages(
            writer, [change for _drive, change in staged]
        )
        for drive, change in staged:
            uuid = change.flow_uuid
            if uuid in committed.lost:
                failed[drive] = persistence_base.ownership_lost(uuid)
            elif uuid in committed.refused:
                failed[drive] = committed.refused[uuid]
            else:
                drive.ledger.landed(change)

    def _through_outages(
        self, writer: persistence_base.Writer, changes: list[unit.FlowChange]
    ) -> unit.Committed:
        pause = FIRST_PAUSE
        while True:
            try:
                committed = writer.commit(changes)
            except exceptions.StorageOutage as error:
                if pause == FIRST_PAUSE:
                    LOG.warning(
                        'The logbook cannot be written; %d flows wait until '
                        'it can: %s',
                        len(changes),
                        error,
                    )
                deadline = clock_mod.Monotonic(self._clock.monotonic() + pause)
                if self._clock.wait(self.stopping, deadline):
                    raise
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                if pause != FIRST_PAUSE:
                    LOG.warning('The logbook can be written again')
                return committed

    def close(self) -> None:
        """Give the connections back."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()
