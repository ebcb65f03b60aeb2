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
"""Time, processes and the bus of the simulation."""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import random
import typing

from taskflow_service.protocol import messages


class Process:
    """Something that can be paused and killed; its clock may drift."""

    def __init__(self, world: World, name: str, incarnation: str) -> None:
        self.world = world
        self.peer = messages.Peer(name, incarnation)
        self.alive = True
        self.paused_until = 0.0
        self.paused = 0.0
        self.drift = 1 + world.random.uniform(-2e-4, 2e-4)
        self.offset = world.random.uniform(0, 1e5)

    @property
    def now(self) -> float:
        return self.world.time * self.drift + self.offset

    def at(self, delay: float, call: typing.Callable, *args) -> None:
        """Let something happen in this process, if it still lives then."""
        self.world.at(delay, call, *args, process=self)

    def pause(self, seconds: float) -> None:
        self.paused_until = max(self.paused_until, self.world.time + seconds)

    def kill(self) -> None:
        self.alive = False
        self.world.bus.unregister(self)

    def received(self, message: object) -> None:
        raise NotImplementedError


def brief(word: object) -> str:
    """Write a message or event without what is at its default."""
    if isinstance(word, messages.Peer):
        return word.incarnation
    if isinstance(word, messages.Public):
        return f'dead={list(word.dead)}{" drains" * word.draining}'
    if dataclasses.is_dataclass(word) and not isinstance(word, type):
        said = [
            f'{field.name}={brief(getattr(word, field.name))}'
            for field in dataclasses.fields(word)
            if getattr(word, field.name) != field.default
            and field.name not in ('sender', 'public')
        ]
        return f'{type(word).__name__}({" ".join(said)})'
    if isinstance(word, tuple) and not hasattr(word, '_fields'):
        return '[' + ', '.join(map(brief, word)) + ']'
    if isinstance(word, tuple):
        return f'{type(word).__name__}({" ".join(map(brief, word))})'
    if hasattr(word, 'request_uuid'):
        return f'{word.request_uuid}'
    return str(word)


class World:
    """The virtual clock and what waits for it."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.time = 0.0
        self._heap: list = []
        self._ids = itertools.count(1)
        self.bus = Bus(self)
        self.log: list[str] | None = None
        #: Whether messages are written and read, as on a real bus.
        self.writes = seed % 16 == 0

    def new_id(self, prefix: str = '') -> str:
        return f'{prefix}{next(self._ids)}'

    def say(self, *words: object) -> None:
        if self.log is not None:
            text = ' '.join(map(brief, words))
            self.log.append(f'{self.time:9.3f} {text}')

    def at(
        self,
        delay: float,
        call: typing.Callable,
        *args: object,
        process: Process | None = None,
    ) -> None:
        # The random number lets simultaneous events come in any order, as
        # they do to a process that wakes from a pause.
        heapq.heappush(
            self._heap,
            (
                self.time + delay,
                self.random.random(),
                next(self._ids),
                process,
                call,
                args,
            ),
        )

    def run(self, until: float, done: typing.Callable[[], bool]) -> None:
        """Let time pass until something is done, or for that long."""
        heap = self._heap
        check = 0
        while heap and heap[0][0] <= until:
            self.time, _tie, _id, process, call, args = heapq.heappop(heap)
            if process is not None:
                if not process.alive:
                    continue
                if process.paused_until > self.time:
                    self.at(
                        process.paused_until - self.time,
                        call,
                        *args,
                        process=process,
                    )
                    continue
            call(*args)
            check += 1
            if check % 16 == 0 and done():
                return
        self.time = max(self.time, min(until, self.time + 1e9))


@dataclasses.dataclass(slots=True)
class Faults:
    """What the bus does to messages."""

    loss: float = 0.0
    duplication: float = 0.0
    #: Whether messages of a pair may overtake each other.
    reorders: bool = False
    #: How often a message is late by up to so many seconds.
    slow: float = 0.0
    slow_by: float = 20.0
    #: Whether messages to nobody wait for somebody of that name.
    keeps: bool = False


class Bus:
    """At most once, at least sometimes, in some order."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.faults = Faults()
        self._consumers: dict[str, Process] = {}
        self._kept: dict[str, list[object]] = {}
        #: Ends of link faults: (incarnation, 'in' or 'out') or a pair of
        #: names, to (time, whether messages wait for it).
        self._cut: dict[tuple[str, str], tuple[float, bool]] = {}
        self._last: dict[tuple[str, str], float] = {}
        self.sent = 0

    def register(self, process: Process) -> None:
        self._consumers[process.peer.name] = process
        for message in self._kept.pop(process.peer.name, []):
            self._world.at(
                self._world.random.uniform(0, 0.1),
                self._deliver,
                process.peer.name,
                message,
            )

    def unregister(self, process: Process) -> None:
        if self._consumers.get(process.peer.name) is process:
            del self._consumers[process.peer.name]

    def named(self, name: str) -> Process | None:
        return self._consumers.get(name)

    def cut(self, one: str, other: str, seconds: float, keeps: bool) -> None:
        """Break a link: of a name 'in' or 'out', or of a pair of names."""
        self._cut[one, other] = (self._world.time + seconds, keeps)

    def heal(self) -> None:
        """Make the bus a good one from now on."""
        self._cut.clear()
        self._last.clear()
        self.faults = Faults(keeps=self.faults.keeps)

    def _held_up(self, *links: tuple[str, str]) -> tuple[float, bool]:
        """How long a message is held up on its way, and if it survives."""
        wait = 0.0
        survives = True
        for link in links:
            cut = self._cut.get(link)
            if cut is not None and cut[0] > self._world.time:
                wait = max(wait, cut[0] - self._world.time)
                survives = survives and cut[1]
        return wait, survives

    def send(self, sender: Process, name: str, message: object) -> None:
        """Cast a message to a name."""
        self.sent += 1
        if self._world.writes and not isinstance(message, tuple):
            message = messages.from_wire(messages.to_wire(message))
        world, faults = self._world, self.faults
        wait = 0.0
        if self._cut:
            wait, survives = self._held_up(
                (sender.peer.name, 'out'),
                (name, 'in'),
                (sender.peer.name, name),
            )
            if not survives:
                return
        copies = 1
        if faults.loss and world.random.random() < faults.loss:
            copies = 0
        elif faults.duplication and world.random.random() < faults.duplication:
            copies = 2
        for _ in range(copies):
            delay = wait + 0.001 + 0.01 * world.random.random()
            if faults.slow and world.random.random() < faults.slow:
                delay += world.random.uniform(0, faults.slow_by)
            if not faults.reorders:
                # As a queue does: a late message holds up later ones.
                pair = (sender.peer.name, name)
                due = max(world.time + delay, self._last.get(pair, 0.0) + 1e-6)
                self._last[pair] = due
                delay = due - world.time
            world.at(delay, self._deliver, name, message)

    def fanout(
        self, sender: Process, kind: type[Process], message: object
    ) -> None:
        """Cast a message to all processes of a kind."""
        for name, process in list(self._consumers.items()):
            if isinstance(process, kind):
                self.send(sender, name, message)

    def _deliver(self, name: str, message: object) -> None:
        process = self._consumers.get(name)
        if process is not None:
            process.at(0.0, process.received, message)
        elif self.faults.keeps:
            self._kept.setdefault(name, []).append(message)
