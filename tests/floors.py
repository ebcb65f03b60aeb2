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
"""The floors of the package: the table that the code is held against.

A module imports from lower floors, or from its own floor as long as no cycle
comes of it.  ``tests/unit/test_floors.py`` walks the sources with this table;
the documentation prints it.  The longest prefix of a module's name decides.
"""

from __future__ import annotations

from typing import NamedTuple

PACKAGE = 'taskflow_service'

MAX_MODULE_LINES = 600
MAX_FUNCTION_LINES = 50


class Floor(NamedTuple):
    """One floor: its number, the rooms on it, and what they are for."""

    number: int
    rooms: tuple[str, ...]
    purpose: str


FLOORS = (
    Floor(
        10,
        (
            'cmd',
            'service',
            'fixture',
            'demo',
            # TaskFlow's remaining paths.
            'engines.action_engine',
            'engines.worker_based',
            'utils',
            'test',
            'logging',
            'version',
        ),
        'programs, the daemon, what a consumer imports for its tests; '
        "TaskFlow's remaining paths",
    ),
    Floor(
        9,
        ('engines', 'listeners', 'formatters'),
        'the loop, its facade and its events',
    ),
    Floor(8, ('worker',), 'what runs requests; the daemon is service'),
    Floor(7, ('executors',), 'inline, threads, processes, remote'),
    Floor(6, ('messaging', 'notifications'), 'the I/O around protocol'),
    # One of TaskFlow's paths that the engines use themselves.
    Floor(
        5, ('storage', 'persistence', 'utils.persistence_utils'), 'the logbook'
    ),
    Floor(
        4,
        ('conf', 'registry', 'context', 'identity'),
        'options; plug-ins by name; request context; names and lock files',
    ),
    Floor(
        3, ('decisions', 'protocol'), 'the two cores: events in, decisions out'
    ),
    Floor(2, ('plan',), 'the compiled form of a flow'),
    Floor(
        1,
        (
            'atom',
            'task',
            'retry',
            'flow',
            'patterns',
            'deciders',
            'signatures',
        ),
        'what a developer writes',
    ),
    Floor(
        0,
        (
            'states',
            'exceptions',
            'types',
            'serialization',
            'clock',
            'cancellation',
            'masking',
        ),
        'words and values',
    ),
)

# Not part of the building: checks that flake8 runs.
OUTSIDE = ('hacking',)

# Up to this floor the code does no I/O, and knows no thread and no clock but
# one that is passed in.
PURE_UP_TO = 3
PURE_MAY_IMPORT = frozenset({'oslo_utils', 'networkx'})
PURE_MAY_NOT_IMPORT = frozenset(
    {
        '_thread',
        'asyncio',
        'concurrent',
        'multiprocessing',
        'queue',
        'select',
        'selectors',
        'signal',
        'socket',
        'sqlite3',
        'subprocess',
        'threading',
    }
)
# The rooms of the pure floors that wrap threading and time for the others.
MAY_IMPORT_THREADING = (
    'clock',
    'cancellation',
    'types.timing',
    'types.latch',
)

# A library -> the rooms that alone may import it.
KEPT_TO = {
    'alembic': (
        'persistence.backends.impl_sqlalchemy',
        'persistence.backends.sqlalchemy',
    ),
    'sqlalchemy': (
        'persistence.backends.impl_sqlalchemy',
        'persistence.backends.sqlalchemy',
    ),
    'oslo_db': (
        # Definitions of options only, which load neither.
        'conf.database',
        'persistence.backends.impl_sqlalchemy',
        'persistence.backends.sqlalchemy',
    ),
    'oslo_messaging': ('messaging', 'notifications'),
    'cotyledon': ('service',),
    'cliff': ('cmd',),
    'asyncio': (),
    'eventlet': (),
    'greenlet': (),
    # Between the processes of one program only; nothing is stored by it.
    'pickle': ('executors.child', 'executors.processes'),
}

# Reached by name through stevedore: nobody outside the room imports them.
DRIVERS = {
    'executors': (
        'executors.inline',
        'executors.threads',
        'executors.processes',
        'executors.remote',
    ),
    'persistence.backends': (
        'persistence.backends.impl_memory',
        'persistence.backends.impl_dir',
        'persistence.backends.impl_sqlalchemy',
        'persistence.backends.impl_zookeeper',
        'persistence.backends.sqlalchemy',
    ),
}


def within(module: str, room: str) -> bool:
    """Say whether a module (name below the package) lies in a room."""
    return module == room or module.startswith(room + '.')


def floor_of(module: str) -> int | None:
    """Return the floor of a module, None where the table has none.

    :param module: its name below the package, ``engines.loop``.
    """
    best: tuple[int, int | None] = (-1, None)
    for floor in FLOORS:
        for room in floor.rooms:
            if within(module, room) and len(room) > best[0]:
                best = (len(room), floor.number)
    return best[1]
