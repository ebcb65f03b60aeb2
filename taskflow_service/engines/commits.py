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

from collections.abc import Callable
from collections.abc import Iterable
import contextlib
import functools
import logging
import threading
import typing

from taskflow_service import clock as clock_mod
from taskflow_service import exceptions
from taskflow_service.persistence import base as persistence_base
from taskflow_service.persistence import models
from taskflow_service.persistence import unit
from taskflow_service.storage import ledger as ledger_mod
from taskflow_service.storage import record as record_mod

LOG = logging.getLogger(__name__)

#: Seconds between attempts to write while the database is away: the first
#: and the longest.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0

#: Seconds for which a database that is away is waited for after the word to
#: stop.
LAST_PATIENCE = 2.0


_Result = typing.TypeVar('_Result')


class Staged(typing.Protocol):
    """A flow that staged something in this turn."""

    flow_uuid: str
    record: record_mod.Record
    ledger: ledger_mod.Ledger
    finished: bool
    error: BaseException | None


class Written(typing.NamedTuple):
    """What became of the flows of a turn: those that are not named, landed.

    ``failed`` are not to go on: taken over by another process, or refused by
    the server. ``poison`` says of which atoms of those, by name, the values
    were not taken.
    """

    failed: dict[Staged, Exception]
    poison: dict[Staged, unit.Poison]


class Unit:
    """What some flows have to write, and those that cannot write theirs."""

    def __init__(self) -> None:
        self.written = Written({}, {})
        #: By backend.
        self.changes: dict[int, list[tuple[Staged, unit.FlowChange]]] = {}

    def add(self, other: Unit) -> None:
        """Take in another unit, of other flows."""
        self.written.failed.update(other.written.failed)
        self.written.poison.update(other.written.poison)
        for key, changes in other.changes.items():
            self.changes.setdefault(key, []).extend(changes)


class Commits:
    """The writers of one loop, one for each backend of its flows.

    Thread-safe, as long as no flow is written by two threads at a time.

    :param outage: told when a logbook goes away, and when it is back
    :ivar away: for how many seconds, all in all, one was away
    """

    def __init__(
        self, clock: clock_mod.Clock, outage: Callable[[bool], None]
    ) -> None:
        self._clock = clock
        self._outage = outage
        self._writers: dict[int, persistence_base.Writer] = {}
        self.away = 0.0
        self._lock = threading.Lock()
        #: How many threads wait for a logbook, and since when.
        self._waiting = 0
        self._since = clock.monotonic()
        self._reached = clock.event()
        self._reached.set()
        #: Set to give up waiting for a database that is away.
        self.stopping = clock.event()
        #: Until when one that is away is waited for after that, by all.
        self._last: clock_mod.Monotonic | None = None
        self._never = clock.event()

    @staticmethod
    def collect(drives: Iterable[Staged]) -> Unit:
        """Make a unit of what these flows staged."""
        made = Unit()
        for drive in drives:
            if not drive.record.tracks or drive.error is not None:
                continue
            try:
                change = drive.ledger.change(release=drive.finished)
            except exceptions.StorageFailure as error:
                made.written.failed[drive] = error
                if isinstance(error, exceptions.ValueNotStorable):
                    made.written.poison[drive] = {error.task or '': error}
                continue
            except Exception as error:
                LOG.exception('Flow %s cannot be written', drive.flow_uuid)
                made.written.failed[drive] = error
                continue
            if change is not None:
                key = id(drive.ledger.backend)
                made.changes.setdefault(key, []).append((drive, change))
        return made

    def write(self, made: Unit) -> Written:
        """Write a unit; blocks, through outages too.

        The flows of a logbook that is away fail only if told to stop.
        """
        for key, changes in made.changes.items():
            self._commit(key, changes, made.written)
        return made.written

    def _commit(
        self,
        key: int,
        staged: list[tuple[Staged, unit.FlowChange]],
        written: Written,
    ) -> None:
        # In the order of their ids, so that two units cannot deadlock.
        staged.sort(key=lambda pair: pair[1].flow_uuid)
        writer = self._writers.get(key)
        if writer is None:
            backend = typing.cast(
                persistence_base.Backend, staged[0][0].ledger.backend
            )
            writer = self._writers[key] = backend.open_writer()
        commit = functools.partial(
            writer.commit, [change for _drive, change in staged]
        )
        try:
            committed = self._through_outages(commit, len(staged))
        except exceptions.StorageOutage as error:
            written.failed.update((drive, error) for drive, _change in staged)
            return
        for drive, change in staged:
            uuid = change.flow_uuid
            if uuid in committed.lost:
                written.failed[drive] = persistence_base.ownership_lost(uuid)
            elif uuid in committed.refused:
                written.failed[drive] = committed.refused[uuid]
                written.poison[drive] = committed.poison.get(uuid, {})
            else:
                drive.ledger.landed(change)

    def read(self, drive: Staged) -> models.FlowDetail:
        """Read what the logbook holds of a flow; blocks as ``write`` does."""
        backend = typing.cast(persistence_base.Backend, drive.ledger.backend)

        def look() -> models.FlowDetail:
            with contextlib.closing(backend.get_connection()) as connection:
                return connection.get_flow_details(drive.flow_uuid)

        return self._through_outages(look, 1)

    def _through_outages(
        self, call: Callable[[], _Result], flows: int
    ) -> _Result:
        began = self._clock.monotonic()
        try:
            return call()
        except exceptions.StorageOutage as error:
            if self._is_out_of_patience():
                raise
            LOG.warning(
                'The logbook cannot be reached; %d flows wait until it can: '
                '%s',
                flows,
                error,
            )
        self._begin_outage(began)
        try:
            result = self._wait_for(call)
        finally:
            self._end_outage()
        LOG.warning('The logbook can be reached again')
        return result

    def _begin_outage(self, began: clock_mod.Monotonic) -> None:
        with self._lock:
            self._waiting += 1
            if self._waiting == 1:
                self._since = began
                self._reached.clear()
                self._outage(True)

    def _end_outage(self) -> None:
        with self._lock:
            self._waiting -= 1
            if not self._waiting:
                self.away += self._clock.monotonic() - self._since
                self._outage(False)
                self._reached.set()

    def wait_for_outage(self) -> None:
        """Block while a logbook is away that another thread waits for.

        So that what comes meanwhile is judged once all of it is known.
        """
        if self._waiting:
            self._clock.wait(self._reached, None)

    def _wait_for(self, call: Callable[[], _Result]) -> _Result:
        pause = FIRST_PAUSE
        while True:
            # A blip is waited for all the same.
            event = self.stopping if self._last is None else self._never
            deadline = clock_mod.Monotonic(self._clock.monotonic() + pause)
            if self._clock.wait(event, deadline):
                self._last = clock_mod.Monotonic(
                    self._clock.monotonic() + LAST_PATIENCE
                )
                pause = FIRST_PAUSE
            try:
                result = call()
            except exceptions.StorageOutage:
                if self._is_out_of_patience():
                    raise
            else:
                self._last = None
                return result
            pause = min(2 * pause, LONGEST_PAUSE)

    def _is_out_of_patience(self) -> bool:
        return self._last is not None and self._clock.monotonic() >= self._last

    def close(self) -> None:
        """Give the connections back."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()
