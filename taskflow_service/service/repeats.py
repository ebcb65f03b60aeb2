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

"""Says what repeats once a minute.

oslo.messaging logs an error for each try of each connection, every second or
so while the broker is away, and our own log says what that means. A program
of ours lets the first through and counts the others; a library that runs in
another's process leaves its logs alone.
"""

from __future__ import annotations

from collections.abc import Callable
import logging
import re
import time

#: The loggers of those who repeat themselves.
NAMES = ('oslo.messaging._drivers.impl_rabbit', 'amqp')

_EVERY = 60.0
_MOST = 1000
#: Numbers, addresses and ids: what differs between two of a kind.
_DIFFERENT = re.compile(r'[\w.:-]*\d[\w.:-]*')


class Repeats(logging.Filter):
    """Lets a warning or an error of a kind through once a minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        #: When each kind was let through, and how often it was not since.
        self._said: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether to log it; the count goes with the next."""
        if record.levelno < logging.WARNING:
            return True
        kind = _DIFFERENT.sub('', record.getMessage())
        now = self._clock()
        then, kept = self._said.get(kind, (None, 0))
        if then is not None and now - then < _EVERY:
            self._said[kind] = then, kept + 1
            return False
        if len(self._said) >= _MOST:
            self._said.clear()
        self._said[kind] = now, 0
        if kept:
            record.msg = f'{record.getMessage()} (and {kept} more like this)'
            record.args = None
        return True


def install() -> None:
    """Have the loggers that are known to repeat themselves do so less."""
    repeats = Repeats()
    for name in NAMES:
        logging.getLogger(name).addFilter(repeats)
