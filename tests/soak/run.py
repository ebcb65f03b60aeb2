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

"""One run of the soak: load and faults, quiet, verdict."""

from __future__ import annotations

import collections
from collections.abc import Iterator
import contextlib
import json
import logging
import pathlib
import re
import subprocess
import sys
import time
import typing

from tests import daemons
from tests import instances
from tests.soak import faults
from tests.soak import watch as watch_mod
from tests.soak import world as world_mod

LOG = logging.getLogger('soak')

#: Seconds in which, once nothing is done to it any more, everything ends:
#: workers are given up, flows adopted, and the longest tasks run.
SETTLE = 150.0

#: How much larger than early in its life a process may be late in it.
GROWTH = 1.15
GROWTH_BYTES = 8 << 20

#: Seconds from which on a run also judges what needs time to show.
LONG = 290.0

#: Seconds after which the queues of a process that is gone are gone.
EXPIRY = 70.0

_QUORUM = '?rabbit_quorum_queue=true&rabbit_transient_quorum_queue=true'

_MiB = 1 << 20


class Settings(typing.NamedTuple):
    """What a run is made of."""

    seed: int
    seconds: float
    #: Seconds between faults, on average.
    every: float
    #: Flows a second that each engine starts.
    rate: float
    #: Flows of its own that an engine has under way.
    most: int
    #: Whether queues are quorum queues.
    quorum: bool = False


def soak(
    folder: pathlib.Path,
    settings: Settings,
    broker: instances.RabbitMQ,
    database: instances.PostgreSQL,
) -> dict[str, typing.Any]:
    """Run it; blocks; return the report.

    The servers have been started, and are nobody else's.
    """
    world = world_mod.World(
        folder,
        broker,
        database,
        _QUORUM if settings.quorum else '',
        seed=settings.seed,
        rate=settings.rate,
        most=settings.most,
    )
    with world:
        world.start()
        watch = watch_mod.Watch(world)
        watch.start()
        hand = faults.Hand(world)
        began = time.monotonic()
        _disturb(settings, hand, watch, began)
        lasted = time.monotonic() - began
        hand.finish()
        settled = _settle(world, watch)
        watch.stop()
        last = watch.sample(queues=True)
        found = _ask_checker(world)
        ended = _end(world)
        left = _left(world)
        if settings.seconds >= LONG:
            left += _expired(world)
    violations = [
        *found.pop('violations'),
        *hand.errors,
        *ended,
        *left,
        *_grown(watch.samples, settings.seconds),
        *_queued(last),
    ]
    return {
        'seed': settings.seed,
        'quorum queues': settings.quorum,
        'minutes': round(lasted / 60, 1),
        'settled in seconds': settled,
        'faults': dict(sorted(hand.done.items())),
        'faults skipped': hand.skipped,
        **found,
        'memory': _memory(watch.samples),
        'queues': _queues(watch.samples),
        'connections': _range([s.connections for s in watch.samples]),
        'errors in logs': _errors(folder),
        'violations': violations,
    }


def _disturb(
    settings: Settings,
    hand: faults.Hand,
    watch: watch_mod.Watch,
    began: float,
) -> None:
    told = 0.0
    end = began + settings.seconds
    planned = faults.plan(settings.seed, settings.seconds, settings.every)
    for fault in [*planned, None]:
        due = end if fault is None else began + fault.at
        while (now := time.monotonic()) < due:
            if now - told > 15 and watch.samples:
                told = now
                _say(now - began, hand, watch.samples[-1])
            world_mod.pause(min(1.0, due - now))
        if fault is not None:
            hand.do(fault)


def _say(at: float, hand: faults.Hand, sample: watch_mod.Sample) -> None:
    LOG.info(
        '%4.0f s: %d faults, flows %s, %d processes of %d MiB in all',
        at,
        sum(hand.done.values()),
        sample.flows,
        len(sample.memory),
        sum(sample.memory.values()) / _MiB,
    )


def _settle(world: world_mod.World, watch: watch_mod.Watch) -> float | None:
    """Start no more flows; wait until none is under way."""
    began = time.monotonic()
    for process in world.processes.values():
        process.start()
    (world.folder / 'quiet').touch()
    LOG.info('quiet')
    calm = 0
    while time.monotonic() - began < SETTLE:
        world_mod.pause(1)
        flows = watch.sample().flows
        busy = {
            state: count
            for state, count in flows.items()
            if state not in ('SUCCESS', 'REVERTED', 'FAILURE')
        }
        calm = calm + 1 if flows and not busy else 0
        # What is only stored and was promised to nobody stays.
        if calm >= 3 or (flows and set(busy) == {'STORED'} and calm == 0):
            if calm >= 3 or time.monotonic() - began > 20:
                return round(time.monotonic() - began, 1)
    LOG.warning('Not settled: %s', busy)
    return None


def _ask_checker(world: world_mod.World) -> dict[str, typing.Any]:
    done = subprocess.run(
        [
            sys.executable,
            '-m',
            'tests.soak.checker',
            str(world.folder / 'effects'),
            world.database.url,
            str(world.folder / 'flows'),
        ],
        cwd=daemons.ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    return typing.cast(dict[str, typing.Any], json.loads(done.stdout))


def _end(world: world_mod.World) -> list[str]:
    """End all in order; return who did not end as it should."""
    for process in world.processes.values():
        process.signal(15)
    wrong = []
    for name, process in world.processes.items():
        code = process.wait(60)
        if code != 0:
            wrong.append(f'not ended: {name} by SIGTERM: {code}')
    wrong += [f'left running: {line}' for line in _survivors(world.site)]
    return wrong


def _survivors(site: pathlib.Path) -> Iterator[str]:
    """Yield the processes of the fleet that nobody knows any more."""
    for path in pathlib.Path('/proc').glob('[0-9]*'):
        with contextlib.suppress(OSError):
            if str(site).encode() in (path / 'environ').read_bytes():
                line = (path / 'cmdline').read_bytes().replace(b'\0', b' ')
                if b'resource_tracker' not in line:
                    yield f'{path.name} {line.decode()}'


def _left(world: world_mod.World) -> list[str]:
    """Say what is left on disk of those who have ended."""
    return [
        f'left on disk: {path}'
        for name in world.workers
        for path in (world.folder / name / 'spool').glob('*/*.json')
    ]


def _labels(samples: list[watch_mod.Sample]) -> list[str]:
    found = collections.Counter(
        label for sample in samples for label in sample.memory
    )
    return [label for label, _count in found.most_common()]


def _memory(samples: list[watch_mod.Sample]) -> dict[str, typing.Any]:
    """Tell the memory of the spared, and of each role, in MiB."""
    curves = {}
    for label in _labels(samples)[:6]:
        sizes = [s.memory[label] for s in samples if label in s.memory]
        step = max(1, len(sizes) // 12)
        curve = [str(round(size / _MiB)) for size in sizes[::step]]
        curves[label] = ' '.join(curve)
    roles = collections.defaultdict(list)
    for sample in samples:
        for label, size in sample.memory.items():
            name, role, _pid = label.split()
            kind = 'engine' if name.startswith('e') else role
            roles[kind].append(round(size / _MiB))
    return {
        'longest lives, MiB': curves,
        'MiB by role': {role: _range(sizes) for role, sizes in roles.items()},
    }


def _grown(samples: list[watch_mod.Sample], seconds: float) -> list[str]:
    if seconds < LONG:
        return []  # what is loaded late would be taken for growth
    wrong = []
    for label in _labels(samples):
        found = watch_mod.growth(samples, label)
        if found is None or found[2] < 40:
            continue
        early, late, _count = found
        if late > early * GROWTH + GROWTH_BYTES:
            wrong.append(
                f'memory: {label} grew from {early / _MiB:.0f} to '
                f'{late / _MiB:.0f} MiB'
            )
    return wrong


def _queues(samples: list[watch_mod.Sample]) -> dict[str, typing.Any]:
    looks = [s.queues for s in samples if s.queues is not None]
    return {
        'number': _range([len(look) for look in looks]),
        'messages that are read': _range([_read(look) for look in looks]),
        'messages in all': _range(
            [sum(count for count, _ in look.values()) for look in looks]
        ),
    }


def _read(look: dict[str, tuple[int, int]]) -> int:
    return sum(count for count, readers in look.values() if readers)


def _queued(last: watch_mod.Sample) -> list[str]:
    """Say which queues are not emptied by those who read them."""
    if last.queues is None:
        return ['queues: the broker did not answer at the end']
    return [
        f'queues: {name} still has {count} messages'
        for name, (count, readers) in last.queues.items()
        if readers and count > 5
    ]


def _expired(world: world_mod.World) -> list[str]:
    """Say which queues outlive those who made them; waits for a minute."""
    world_mod.pause(EXPIRY)
    left = watch_mod.look_at_queues(world.broker) or {}
    return [f'queues: {name} is left' for name in left if 'fanout' in name]


def _range(numbers: list[typing.Any]) -> dict[str, int]:
    known = sorted(number for number in numbers if number is not None)
    if not known:
        return {}
    return {
        'least': known[0],
        'median': known[len(known) // 2],
        'most': known[-1],
    }


def _errors(folder: pathlib.Path) -> dict[str, int]:
    """Count the lines of level ERROR and the tracebacks, by their words."""
    found: collections.Counter[str] = collections.Counter()
    for path in sorted(folder.glob('*.log')) + sorted(folder.glob('*.out')):
        for line in path.read_text(errors='replace').splitlines():
            match = re.search(r' (?:ERROR|CRITICAL) (\S+) (.*)', line)
            if match:
                words = re.sub(r'\b[0-9a-f-]{6,}\b|\d+', 'N', match.group(2))
                found[f'{match.group(1)}: {words[:100]}'] += 1
            elif line.startswith('Traceback'):
                found['Traceback'] += 1
    return dict(found.most_common(30))


def as_text(result: dict[str, typing.Any]) -> str:
    """Print a report."""
    return json.dumps(result, indent=1)
