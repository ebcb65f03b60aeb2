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

"""Many flows at once: one loop against an engine a thread.

All flows are loaded, and stored where there is a logbook, before the clock
starts; what is measured is from the first submission to the last end.
"""

from __future__ import annotations

from concurrent import futures
import contextlib
import gc
from typing import Any

from benchmarks import measure
from benchmarks import shapes
from taskflow_service import engines
from taskflow_service.persistence import models

BUDGET = measure.Budget(promise=5, aim=10, at_least=True)

#: How many engines run in threads at a time.
THREADS = 1000


class Many:
    """Runs a number of short flows, in a logbook or in memory."""

    def __init__(self, flows: int, tasks: int, backend: Any = None) -> None:
        self._us = shapes.Library('taskflow_service')
        self._flows = flows
        self._tasks = tasks
        self._backend = backend

    def _load(self) -> list[Any]:
        details: list[Any] = [None] * self._flows
        if self._backend is not None:
            book = models.LogBook('many')
            details = [
                models.FlowDetail(f'flow {n}') for n in range(self._flows)
            ]
            for detail in details:
                book.add(detail)
            with contextlib.closing(
                self._backend.get_connection()
            ) as connection:
                connection.save_logbook(book)
        return [
            engines.load(
                shapes.SHAPES['linear'](self._us, self._tasks),
                flow_detail=detail,
                backend=self._backend,
            )
            for detail in details
        ]

    def loop(self) -> float:
        """Return the seconds of one loop for all flows."""
        loaded = self._load()
        # Neither side pays for what was left by the one before.
        gc.collect()
        with engines.Loop() as loop:

            def work() -> None:
                waiting = [loop.submit(engine) for engine in loaded]
                for future in waiting:
                    future.result()

            return measure.seconds(work)

    def threads(self) -> float:
        """Return the seconds of an engine a thread."""
        loaded = self._load()
        gc.collect()
        with futures.ThreadPoolExecutor(THREADS) as pool:

            def work() -> None:
                for _ in pool.map(lambda engine: engine.run(), loaded):
                    pass

            return measure.seconds(work)


def row(
    what: str, many: Many, pairs: int, budget: measure.Budget | None
) -> measure.Row:
    """Measure how much faster one loop is."""
    return measure.Row(
        what,
        measure.speedup(many.loop, many.threads, pairs),
        'x an engine a thread',
        budget,
    )
