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

"""Everything that is done to the system, from a seed.

What is done when, to whom and for how long is drawn before the first fault,
so that a seed says all of it. A fault whose target is still under an earlier
one is skipped, and counted.
"""

from __future__ import annotations

import collections
from collections.abc import Callable
import contextlib
import logging
import os
import random
import signal
import threading
import typing

from tests import instances
from tests.soak import world as world_mod

LOG = logging.getLogger('soak')

#: Of all that can be killed these two are not, so that one engine and one
#: worker live long enough to show whether their memory grows.
SPARED = ('w4', 'e2')


class Fault(typing.NamedTuple):
    """One thing that is done."""

    at: float
    kind: str
    target: str
    #: How long a pause takes, or the target stays away.
    seconds: float
    #: Which of several processes.
    which: float


# kind: targets, weight, shortest and longest time away.
_WORKERS = ('w1', 'w2', 'w3')
_ALL_WORKERS = (*_WORKERS, 'w4')
_KINDS: dict[str, tuple[tuple[str, ...], float, float, float]] = {
    'kill worker process': (_WORKERS, 4, 0, 0),
    'kill task process': (('w2', 'w3'), 3, 0, 0),
    'kill first process': (_WORKERS, 3, 0, 20),
    'kill worker, all of it': (_WORKERS, 3, 0, 45),
    'drain worker': (_WORKERS, 3, 0, 10),
    'interrupt worker twice': (_WORKERS, 1, 0, 5),
    'reload worker': (_ALL_WORKERS, 1, 0, 0),
    'pause worker process': (_ALL_WORKERS, 4, 1, 20),
    'pause worker for long': (_WORKERS, 0.5, 35, 45),
    'kill engine': (('e1',), 3, 0, 30),
    'restart engine': (('e1',), 3, 0, 5),
    'pause engine': (('e1',), 3, 1, 25),
    'pause spared engine': (('e2',), 1, 1, 15),
    'restart broker': (('rabbitmq',), 0.7, 0, 10),
    'kill broker': (('rabbitmq',), 0.7, 0, 10),
    'wipe broker': (('rabbitmq',), 0.5, 0, 5),
    'pause broker': (('rabbitmq',), 0.7, 1, 15),
    'restart database': (('postgresql',), 0.7, 0, 10),
    'kill database': (('postgresql',), 0.7, 0, 10),
    'pause database': (('postgresql',), 0.7, 1, 15),
}


def plan(seed: int, seconds: float, every: float) -> list[Fault]:
    """Draw the faults of a run."""
    chance = random.Random(seed)
    weights = [weight for _, weight, _, _ in _KINDS.values()]
    found = []
    at = chance.expovariate(1 / every)
    while at < seconds:
        kind = chance.choices(list(_KINDS), weights)[0]
        targets, _weight, low, high = _KINDS[kind]
        found.append(
            Fault(
                at,
                kind,
                chance.choice(targets),
                chance.uniform(low, high),
                chance.random(),
            )
        )
        at += chance.expovariate(1 / every)
    return found


class Hand:
    """Does what the plan says; each fault in a thread of its own."""

    def __init__(self, world: world_mod.World) -> None:
        self._world = world
        self._busy = {
            name: threading.Lock()
            for name in (*world.processes, 'rabbitmq', 'postgresql')
        }
        self.done: collections.Counter[str] = collections.Counter()
        self.skipped = 0
        self.errors: list[str] = []
        self._threads: list[threading.Thread] = []

    def do(self, fault: Fault) -> None:
        """Begin a fault; returns at once."""
        lock = self._busy[fault.target]
        if not lock.acquire(blocking=False):
            self.skipped += 1
            return
        thread = threading.Thread(
            target=self._do, args=(fault, lock), daemon=True
        )
        self._threads = [t for t in self._threads if t.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _do(self, fault: Fault, lock: threading.Lock) -> None:
        LOG.info('%s %s, %.1f s', fault.kind, fault.target, fault.seconds)
        try:
            target: typing.Any = self._world.processes.get(fault.target)
            if target is None:
                target = (
                    self._world.broker
                    if fault.target == 'rabbitmq'
                    else self._world.database
                )
            if _ACTS[fault.kind](self._world, target, fault):
                self.done[fault.kind] += 1
            else:
                self.skipped += 1
        except Exception as error:
            LOG.exception('%s failed', fault)
            self.errors.append(f'{fault}: {error!r}')
        finally:
            lock.release()

    def finish(self) -> None:
        """Wait until everything is undone that can be."""
        for thread in self._threads:
            thread.join(180)


def _to_one(
    role: str, harm: Callable[[int, Fault], None]
) -> Callable[..., bool]:
    """Do something to one of a target's processes of a role."""

    def act(
        _world: world_mod.World, target: world_mod.Process, fault: Fault
    ) -> bool:
        pids = target.pids(role)
        if not pids:
            return False
        harm(pids[int(fault.which * len(pids))], fault)
        return True

    return act


def _kill(pid: int, _fault: Fault) -> None:
    os.kill(pid, signal.SIGKILL)


def _pause(pid: int, fault: Fault) -> None:
    os.kill(pid, signal.SIGSTOP)
    try:
        world_mod.pause(fault.seconds)
    finally:
        os.kill(pid, signal.SIGCONT)


def _kill_first(
    _world: world_mod.World, target: world_mod.Process, fault: Fault
) -> bool:
    target.signal(signal.SIGKILL)
    target.wait(60)
    world_mod.pause(fault.seconds)
    target.start()
    return True


def _kill_all(
    _world: world_mod.World, target: world_mod.Process, fault: Fault
) -> bool:
    target.kill()
    world_mod.pause(fault.seconds)
    target.start()
    return True


def _end(number: int, times: int = 1) -> Callable[..., bool]:
    def act(
        _world: world_mod.World, target: world_mod.Process, fault: Fault
    ) -> bool:
        for _ in range(times):
            target.signal(number)
            world_mod.pause(1)
        if target.wait(120) is None:
            target.kill()
            raise AssertionError(f'{target.name} did not end')
        world_mod.pause(fault.seconds)
        target.start()
        return True

    return act


def _reload(
    _world: world_mod.World, target: world_mod.Process, _fault: Fault
) -> bool:
    # One that has just begun does not listen to this signal yet.
    if not target.pids('worker'):
        return False
    target.signal(signal.SIGHUP)
    return True


def _freeze(first: int, seconds: float) -> None:
    """Pause a server with all of its processes."""
    # Those of PostgreSQL are in sessions of their own.
    pids = [first, *(pid for _role, pid in world_mod.below(first))]
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if number == signal.SIGSTOP:
            world_mod.pause(seconds)


def _server(how: str) -> Callable[..., bool]:
    def act(
        world: world_mod.World, target: instances.Instance, fault: Fault
    ) -> bool:
        if how == 'pause':
            _freeze(target.pid, fault.seconds)
            return True
        if how == 'wipe':
            world.wipe_broker()
        elif how == 'kill':
            target.kill()
        else:
            target.stop()
        world_mod.pause(fault.seconds)
        world_mod.start_patiently(target)
        return True

    return act


_ACTS: dict[str, Callable[..., bool]] = {
    'kill worker process': _to_one('worker', _kill),
    'kill task process': _to_one('task', _kill),
    'kill first process': _kill_first,
    'kill worker, all of it': _kill_all,
    'drain worker': _end(signal.SIGTERM),
    'interrupt worker twice': _end(signal.SIGINT, 2),
    'reload worker': _reload,
    'pause worker process': _to_one('worker', _pause),
    'pause worker for long': _to_one('worker', _pause),
    'kill engine': _kill_all,
    'restart engine': _end(signal.SIGTERM),
    'pause engine': _to_one('first', _pause),
    'pause spared engine': _to_one('first', _pause),
    'restart broker': _server('stop'),
    'kill broker': _server('kill'),
    'wipe broker': _server('wipe'),
    'pause broker': _server('pause'),
    'restart database': _server('stop'),
    'kill database': _server('kill'),
    'pause database': _server('pause'),
}
