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
"""How a ratio is measured, and how it is shown."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
import dataclasses
import json
import statistics
import sys
import time
from typing import Any

#: What the longest cell of each column takes.
_WIDTHS = (64, 32, 18, 0)

#: Times a piece of work and returns the seconds it took.
Measure = Callable[[], float]


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a release keeps, and what is built for."""

    promise: float
    aim: float
    #: Whether more is better.
    at_least: bool = False

    def holds(self, value: float, bound: float) -> bool:
        return value >= bound if self.at_least else value <= bound

    def __str__(self) -> str:
        sign = '>=' if self.at_least else '<='
        return f'{sign} {self.promise:g} (aim {sign} {self.aim:g})'


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    #: None where it could not be measured; the note says why.
    value: float | None
    unit: str = 'x'
    budget: Budget | None = None
    note: str = ''

    @property
    def verdict(self) -> str:
        if self.budget is None or self.value is None:
            return ''
        if self.budget.holds(self.value, self.budget.aim):
            return 'aim reached'
        if self.budget.holds(self.value, self.budget.promise):
            return 'holds'
        return 'MISSED'


@dataclasses.dataclass(frozen=True)
class Scale:
    """How much work a run does."""

    #: Interleaved pairs behind each median.
    pairs: int
    #: Divides the sizes that the design names.
    divide: int

    def size(self, full: int, least: int = 50) -> int:
        return max(full // self.divide, min(least, full))


FULL = Scale(pairs=5, divide=1)
QUICK = Scale(pairs=3, divide=20)


def seconds(work: Callable[[], Any]) -> float:
    """Run something once and return how long it took."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratio(ours: Measure, theirs: Measure, pairs: int) -> float:
    """Return the median of ours / theirs over interleaved pairs.

    Each pair is told on standard error as it ends: some take minutes.
    """
    return _median(pairs, lambda reference: ours() / reference, theirs)


def speedup(ours: Measure, theirs: Measure, pairs: int) -> float:
    """Return the median of theirs / ours, as ``ratio`` does."""
    return _median(pairs, lambda reference: reference / ours(), theirs)


def _median(
    pairs: int, compare: Callable[[float], float], theirs: Measure
) -> float:
    found: list[float] = []
    for pair in range(1, pairs + 1):
        found.append(compare(theirs()))
        print(f'  pair {pair} of {pairs}: {found[-1]:.3g}', file=sys.stderr)
    return statistics.median(found)


def header() -> str:
    """Return the line above the rows."""
    return _line('what', 'measured', 'budget', '')


def line(row: Row) -> str:
    """Lay out a row on its own, for it is shown as soon as it is measured."""
    value = '-' if row.value is None else f'{row.value:.3g} {row.unit}'
    verdict = ' '.join(filter(None, (row.verdict, row.note)))
    return _line(row.what, value, str(row.budget or ''), verdict)


def _line(*cells: str) -> str:
    return '  '.join(map(str.ljust, cells, _WIDTHS)).rstrip()


def as_json(rows: Iterable[Row]) -> str:
    """Write rows for a program."""
    return json.dumps(
        [dataclasses.asdict(row) | {'verdict': row.verdict} for row in rows],
        indent=2,
    )
