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

"""Random nested flows: what they are, and how they are built.

A flow is described by plain values first, so that a model can read them and
two libraries can build them. Everything follows from a seed.
"""

from __future__ import annotations

import dataclasses
import random
import zlib

DEPTHS = ('ALL', 'FLOW', 'NEIGHBORS', 'ATOM')
SYMBOLS = 'xyz'


@dataclasses.dataclass
class Task:
    name: str
    provides: str | None = None
    #: Symbols, each an argument of that name with a default.
    wants: tuple[str, ...] = ()
    ignore_failure: bool = False
    priority: int = 0


@dataclasses.dataclass
class Retry:
    """A controller; ``kind`` is a class of ``retry``, or 'Own'."""

    name: str
    kind: str
    tries: int
    revert_all: bool = False
    provides: str | None = None


@dataclasses.dataclass
class Link:
    source: int
    target: int
    decider: str | None = None
    depth: str = 'ALL'


@dataclasses.dataclass
class Flow:
    name: str
    kind: str
    retry: Retry | None = None
    children: list[Flow | Task] = dataclasses.field(default_factory=list)
    links: list[Link] = dataclasses.field(default_factory=list)
    target: int | None = None

    def atoms(self):
        """Every atom in it, the controllers too."""
        if self.retry is not None:
            yield self.retry
        for child in self.children:
            if isinstance(child, Flow):
                yield from child.atoms()
            else:
                yield child


@dataclasses.dataclass
class Settings:
    """How often what goes wrong, from 0 to 1."""

    retry_raises: float = 0.0
    no: float = 0.3
    ignore_failure: float = 0.1
    priorities: bool = True
    wants: float = 0.5
    empty: float = 0.05
    own_retries: bool = True


class Fate:
    """The answers of user code: always the same to the same question."""

    def __init__(self, seed: int, settings: Settings) -> None:
        self.seed = seed
        self.settings = settings

    def chance(self, *question: object) -> float:
        digest = zlib.crc32(repr((self.seed, *question)).encode())
        return digest / 2**32

    def says_no(self, decider: str, history: dict[str, object]) -> bool:
        asked = sorted(history.items())
        return self.chance(decider, asked) < self.settings.no

    def retry_raises(self, name: str, try_number: int) -> bool:
        chance = self.chance(name, 'raises', try_number)
        return chance < self.settings.retry_raises

    def decision(self, retry: Retry, tries: int, failed: list[str]) -> str:
        """What a controller answers after so many tries."""
        last = 'REVERT_ALL' if retry.revert_all else 'REVERT'
        if retry.kind in ('Times', 'ForEach'):
            return 'RETRY' if tries < retry.tries else last
        if retry.kind == 'AlwaysRevert':
            return 'REVERT'
        if retry.kind == 'AlwaysRevertAll':
            return 'REVERT_ALL'
        chance = self.chance(retry.name, tries, sorted(failed))
        if chance < 0.6 and tries < retry.tries:
            return 'RETRY'
        return last


class Generator:
    """Makes flows of at most ``size`` tasks."""

    def __init__(
        self, seed: int, size: int, settings: Settings | None = None
    ) -> None:
        self.rng = random.Random(seed)
        self.left = self.rng.randint(size // 3, size)
        self.settings = settings or Settings()
        self.count = 0

    def flow(self, depth: int = 0) -> Flow:
        rng = self.rng
        self.count += 1
        kind = rng.choice(('linear', 'unordered', 'graph', 'graph'))
        made = Flow(f'f{self.count}', kind)
        if rng.random() < 0.45:
            made.retry = self._retry(made.name)
        if depth and rng.random() < self.settings.empty:
            return made
        width = rng.randint(2, 5)
        for _ in range(width):
            if self.left <= 0:
                break
            if depth < 3 and rng.random() < 0.35:
                made.children.append(self.flow(depth + 1))
            else:
                made.children.append(self._task())
        if kind == 'graph':
            self._link(made)
        return made

    def _retry(self, flow: str) -> Retry:
        rng = self.rng
        kinds = ['Times', 'Times', 'ForEach', 'AlwaysRevert']
        kinds.append('AlwaysRevertAll')
        if self.settings.own_retries:
            kinds += ['Own', 'Own']
        return Retry(
            f'{flow}_retry',
            rng.choice(kinds),
            rng.randint(1, 3),
            rng.random() < 0.3,
            rng.choice(SYMBOLS) if rng.random() < 0.3 else None,
        )

    def _task(self) -> Task:
        rng, settings = self.rng, self.settings
        self.left -= 1
        self.count += 1
        wants = ()
        if rng.random() < settings.wants:
            wants = tuple(rng.sample(SYMBOLS, rng.randint(1, 2)))
        return Task(
            f't{self.count}',
            rng.choice(SYMBOLS) if rng.random() < 0.6 else None,
            wants,
            rng.random() < settings.ignore_failure,
            rng.choice((0, 0, 0, 1, -1)) if settings.priorities else 0,
        )

    def _link(self, made: Flow) -> None:
        rng = self.rng
        count = len(made.children)
        for target in range(count):
            for source in range(target):
                if rng.random() > 0.5:
                    continue
                link = Link(source, target)
                if rng.random() < 0.4:
                    link.decider = f'{made.name}.{source}.{target}'
                    link.depth = rng.choice(DEPTHS)
                made.links.append(link)
        # Added in another order than they are linked.
        order = list(range(count))
        rng.shuffle(order)
        place = {old: new for new, old in enumerate(order)}
        made.children = [made.children[old] for old in order]
        for link in made.links:
            link.source = place[link.source]
            link.target = place[link.target]
        if count and rng.random() < 0.15:
            made.kind = 'targeted'
            made.target = rng.randrange(count)


def prune(flow: Flow) -> None:
    """Leave out what a targeted flow does not execute, for the model."""
    for child in flow.children:
        if isinstance(child, Flow):
            prune(child)
    if flow.target is None:
        return
    kept = {flow.target}
    while True:
        more = {link.source for link in flow.links if link.target in kept}
        if more <= kept:
            break
        kept |= more
    place = {old: new for new, old in enumerate(sorted(kept))}
    flow.children = [flow.children[old] for old in sorted(kept)]
    flow.links = [
        Link(place[k.source], place[k.target], k.decider, k.depth)
        for k in flow.links
        if k.target in kept
    ]
    flow.target = None
