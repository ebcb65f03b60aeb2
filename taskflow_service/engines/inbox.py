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

"""Where whatever happens waits for the loop that takes care of it."""

from __future__ import annotations

import collections
import typing

from taskflow_service import clock as clock_mod
from taskflow_service.executors import base as executors_base


class Inbox:
    """Items put by any thread, taken in their order by one.

    ``put`` costs an append where nobody waits, which is what happens when
    the taking thread itself puts.
    """

    __slots__ = ('_clock', '_event', '_items', '_waiting', 'dated')

    def __init__(self, clock: clock_mod.Clock) -> None:
        self._clock = clock
        self._items: collections.deque[typing.Any] = collections.deque()
        self._event = clock.event()
        self._waiting = False
        #: Whether outcomes are to bear the time at which they came.
        self.dated = False

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: typing.Any) -> None:
        """Add an item. Thread-safe."""
        if self.dated and type(item) is executors_base.Outcome:
            item = item._replace(received=self._clock.monotonic())
        # Appended before the look at _waiting, which wait() sets before its
        # own look at the items: one of the two sees the other.
        self._items.append(item)
        if self._waiting:
            self._event.set()

    def pop(self) -> typing.Any:
        """Take the first item; IndexError if there is none."""
        return self._items.popleft()

    def wait(self, deadline: clock_mod.Monotonic | None) -> None:
        """Block until there is an item, or until a deadline."""
        self._waiting = True
        try:
            if not self._items:
                self._clock.wait(self._event, deadline)
        finally:
            self._waiting = False
            self._event.clear()
