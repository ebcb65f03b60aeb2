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
"""What flake8 checks beyond ruff and hacking: three habits that bite here.

Each check takes a logical line and yields (offset, text).  A line that has a
good reason says ``noqa: T30x`` and the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
import re

_GREEN = re.compile(
    r'^\s*(import|from)\s+(asyncio|eventlet|gevent|greenlet)\b'
)
_SLEEP = re.compile(r'\btime\.sleep\(')
_WALL_CLOCK = re.compile(
    r'\b(time\.(time|monotonic)\(|datetime\.(now|utcnow)\(|timeutils\.utcnow)'
)
# The pure floors: time is an argument there, or comes from a clock.
_CORE = re.compile(
    r'taskflow_service/(decisions|plan|protocol|patterns)/[^:]*\.py$'
)

_Found = Iterator[tuple[int, str]]


def no_green_threads(logical_line: str) -> _Found:
    """T301: threads only; no other concurrency library comes in."""
    if _GREEN.match(logical_line):
        yield 0, 'T301: native threads only: no asyncio, no green threads'


def no_sleep(logical_line: str, filename: str) -> _Found:
    """T302: wait on an event with a deadline instead of sleeping.

    Examples are free to sleep: there it stands for the user's own work.
    """
    found = _SLEEP.search(logical_line)
    if found and 'examples/' not in filename:
        yield (
            found.start(),
            'T302: wait on an event with a deadline, do not sleep',
        )


def no_wall_clock_in_the_core(logical_line: str, filename: str) -> _Found:
    """T303: a pure module is told the time, it does not look at a clock."""
    if not _CORE.search(filename):
        return
    found = _WALL_CLOCK.search(logical_line)
    if found:
        yield (
            found.start(),
            'T303: time is passed into the pure floors, never read there',
        )
