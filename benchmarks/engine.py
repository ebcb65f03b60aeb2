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
"""The serial engine without persistence, in hops of a thread pool.

A *hop* is ``ThreadPoolExecutor.submit(f).result()``, one after the other: what
it costs to hand a call to a thread and wait for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
import gc
import subprocess
import sys
from typing import Any

from benchmarks import many
from benchmarks import measure
from benchmarks import shapes

RUN = measure.Budget(promise=1, aim=0.5)
BUILD = measure.Budget(promise=1, aim=0.4)
TASKFLOW = measure.Budget(promise=100, aim=300, at_least=True)
GROWTH = measure.Budget(promise=1.5, aim=1.2)
MEMORY = measure.Budget(promise=4, aim=2)

_MEMORY_PROGRAM = """
import gc, os, sys
from benchmarks import shapes
shape, n = sys.argv[1], int(sys.argv[2])
library = shapes.Library('taskflow_service')
make = shapes.SHAPES[shape]
store = shapes.STORES.get(shape)
# Whatever the first flow brings in once belongs to the empty process.
library.load(make(library, 50), store).run()
gc.collect()
def resident():
    with open('/proc/self/statm') as stream:
        return int(stream.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')
before = resident()
engine = library.load(make(library, n), store)
engine.run()
print((resident() - before) / n / 1024)
"""


def _nothing() -> None:
    pass


class _Suite:
    """One run: the sizes, the libraries, a pool of one thread."""

    def __init__(
        self, scale: measure.Scale, pool: futures.ThreadPoolExecutor
    ) -> None:
        self.scale = scale
        self.pool = pool
        self.us = shapes.Library('taskflow_service')

    def hops(self, n: int) -> float:
        """Return seconds per hop."""

        def work() -> None:
            for _ in range(n):
                self.pool.submit(_nothing).result()

        return measure.seconds(work) / n

    def run(self, shape: str, n: int) -> float:
        """Return seconds per task of ``run()`` alone."""
        engine = self._loaded(self.us, shape, n)
        gc.collect()
        return measure.seconds(engine.run) / n

    def build(self, shape: str, n: int) -> float:
        """Return seconds per task until the engine is ready to run."""
        gc.collect()
        return measure.seconds(lambda: self._loaded(self.us, shape, n)) / n

    def whole(self, library: shapes.Library, shape: str, n: int) -> float:
        gc.collect()
        return measure.seconds(lambda: self._loaded(library, shape, n).run())

    @staticmethod
    def _loaded(library: shapes.Library, shape: str, n: int) -> Any:
        flow = shapes.SHAPES[shape](library, n)
        return library.load(flow, shapes.STORES.get(shape))

    def in_hops(self) -> Iterator[measure.Row]:
        n = self.scale.size(1000, 200)
        for name, measured, budget in (
            ('run', self.run, RUN),
            ('build and compile', self.build, BUILD),
        ):
            for shape in shapes.SHAPES:
                value = measure.ratio(
                    lambda s=shape, m=measured: m(s, n),  # type: ignore[misc]
                    lambda: self.hops(n),
                    self.scale.pairs,
                )
                what = f'{name}, {shape}, {n} tasks'
                yield measure.Row(what, value, 'hops a task', budget)

    def growth(self) -> Iterator[measure.Row]:
        small, large = self.scale.size(1000), self.scale.size(20000)
        for shape in shapes.SHAPES:
            value = measure.ratio(
                lambda s=shape: self.whole(self.us, s, large) / large,  # type: ignore[misc]
                lambda s=shape: self.whole(self.us, s, small) / small,  # type: ignore[misc]
                self.scale.pairs,
            )
            what = f'cost a task, {shape}, {large} over {small} tasks'
            yield measure.Row(what, value, budget=GROWTH)

    def memory(self) -> Iterator[measure.Row]:
        n = self.scale.size(20000, 5000)
        for shape in shapes.SHAPES:
            done = subprocess.run(
                [sys.executable, '-c', _MEMORY_PROGRAM, shape, str(n)],
                check=True,
                capture_output=True,
                text=True,
            )
            what = f'memory a task, {shape}, {n} tasks'
            value = float(done.stdout.split()[-1])
            yield measure.Row(what, value, 'KiB', MEMORY)

    def against_taskflow(self) -> Iterator[measure.Row]:
        try:
            other = shapes.Library('taskflow')
        except ImportError as exc:
            yield measure.Row('against TaskFlow', None, note=str(exc))
            return
        n = self.scale.size(1000, 100)
        ours = dict.fromkeys(shapes.SHAPES, 0.0)
        theirs = dict.fromkeys(shapes.SHAPES, 0.0)
        for shape in shapes.SHAPES:
            self.whole(other, shape, 10)
            self.whole(self.us, shape, 10)
        for _ in range(self.scale.pairs if n < 1000 else 1):
            for shape in shapes.SHAPES:
                theirs[shape] += self.whole(other, shape, n)
                ours[shape] += self.whole(self.us, shape, n)
        for shape in shapes.SHAPES:
            what = f'against TaskFlow, {shape}, {n} tasks'
            yield measure.Row(what, theirs[shape] / ours[shape])
        yield measure.Row(
            f'against TaskFlow, the five summed, {n} tasks',
            sum(theirs.values()) / sum(ours.values()),
            budget=TASKFLOW if n == 1000 else None,
        )


def rows(scale: measure.Scale) -> Iterator[measure.Row]:
    """Measure every row of this suite."""
    with futures.ThreadPoolExecutor(1) as pool:
        suite = _Suite(scale, pool)
        yield from suite.in_hops()
        yield from suite.growth()
        yield from suite.memory()
        yield from suite.against_taskflow()
    flows = scale.size(10000, 500)
    yield many.row(
        f'{flows} flows of 10 tasks in one loop, no logbook',
        many.Many(flows, 10),
        1 if scale is measure.FULL else scale.pairs,
        None,
    )
