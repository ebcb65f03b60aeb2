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

"""Samples of what may grow: memory, queues, connections, files."""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib
import statistics
import threading
import time
import typing

import psycopg

from tests import instances
from tests.soak import world as world_mod

LOG = logging.getLogger('soak')

_EVERY = 5.0
#: A look at the queues starts an Erlang of its own.
_EVERY_LOOK_AT_QUEUES = 30.0


class Sample(typing.NamedTuple):
    """What was there at one time."""

    at: float
    #: Resident bytes, by the process's label and id.
    memory: dict[str, int]
    flows: dict[str, int]
    connections: int | None
    #: Messages and readers by name; None where nobody asked, or without an
    #: answer.
    queues: dict[str, tuple[int, int]] | None


class Watch:
    """Takes samples in a thread until it is stopped."""

    def __init__(self, world: world_mod.World) -> None:
        self._world = world
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._main, daemon=True)
        self._began = time.monotonic()
        self._looked = -_EVERY_LOOK_AT_QUEUES
        self.samples: list[Sample] = []

    def start(self) -> None:
        """Begin to sample."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more samples."""
        self._stop.set()
        self._thread.join()

    def _main(self) -> None:
        while not self._stop.wait(_EVERY):
            try:
                self.samples.append(self.sample())
            except Exception:
                LOG.exception('No sample')

    def sample(self, queues: bool = False) -> Sample:
        """Look at everything now."""
        at = time.monotonic() - self._began
        if queues or at - self._looked >= _EVERY_LOOK_AT_QUEUES:
            self._looked = at
            queues = True
        flows, connections = self._look_at_database()
        return Sample(
            round(at, 1),
            self._memory(),
            flows,
            connections,
            look_at_queues(self._world.broker) if queues else None,
        )

    def _memory(self) -> dict[str, int]:
        found = {}
        for name, process in self._world.processes.items():
            for role, pid in process.tree():
                resident = _resident(pid)
                if resident is not None:
                    found[f'{name} {role} {pid}'] = resident
        return found

    def _look_at_database(self) -> tuple[dict[str, int], int | None]:
        address = instances.libpq(self._world.database.url)
        with contextlib.suppress(psycopg.Error):
            with psycopg.connect(
                address, connect_timeout=5, autocommit=True
            ) as connection:
                connection.execute('SET statement_timeout = 5000')
                rows = connection.execute(
                    'SELECT coalesce(state, %s), count(*)'
                    ' FROM tfs_flow_details GROUP BY 1',
                    ('STORED',),
                ).fetchall()
                used = connection.execute(
                    'SELECT count(*) FROM pg_stat_activity'
                    " WHERE backend_type = 'client backend'"
                ).fetchone()
                assert used is not None
                return dict(rows), used[0] - 1
        return {}, None


def _resident(pid: int) -> int | None:
    try:
        words = pathlib.Path(f'/proc/{pid}/statm').read_text().split()
    except OSError:
        return None
    return int(words[1]) * os.sysconf('SC_PAGE_SIZE')


def look_at_queues(
    broker: instances.RabbitMQ,
) -> dict[str, tuple[int, int]] | None:
    """Count messages and readers by queue; None without an answer."""
    with contextlib.suppress(Exception):
        return broker.count_messages()
    return None


def growth(
    samples: list[Sample], label: str
) -> tuple[float, float, int] | None:
    """Compare a process's memory early and late in its life.

    Returns the medians of its second quarter and of its last one, and how
    many samples there are; None where there are too few.
    """
    sizes = [s.memory[label] for s in samples if label in s.memory]
    if len(sizes) < 12:
        return None
    quarter = len(sizes) // 4
    return (
        statistics.median(sizes[quarter : 2 * quarter]),
        statistics.median(sizes[-quarter:]),
        len(sizes),
    )
