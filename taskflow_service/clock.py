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

"""Time, as something that is passed in.

Three clocks, whose readings are different types, because mixing them is a bug
that no test notices until a machine is restarted: wall time is stored and
shown, and may jump; monotonic time measures waits inside one process; boot
time does so too but goes on while the machine is suspended, which is what a
lease needs: a worker that slept for an hour must not believe its lease.

Whoever waits takes its events from the clock.  So a test that holds a
``VirtualClock`` moves time on without any waiting, and everything that waits
for a deadline wakes as if it had passed.
"""

from __future__ import annotations

import threading
import time
from typing import NewType
from typing import Protocol

#: Seconds since 1970-01-01 UTC.
Wall = NewType('Wall', float)
#: Seconds since an unknown moment of this process.
Monotonic = NewType('Monotonic', float)
#: Seconds since an unknown moment of this machine, suspension included.
Boottime = NewType('Boottime', float)

# Windows and macOS do not have it; there a suspended lease is not noticed by
# this clock.
_BOOTTIME = getattr(time, 'CLOCK_BOOTTIME', time.CLOCK_MONOTONIC)

_NOON = 43200.0


class Event(Protocol):
    """As much of ``threading.Event`` as the clocks' events have."""

    def is_set(self) -> bool: ...

    def set(self) -> None: ...

    def clear(self) -> None: ...

    def wait(self, timeout: float | None = None) -> bool: ...


class Clock(Protocol):
    """What tells the time and waits for it."""

    def now(self) -> Wall:
        """Return the wall time."""

    def monotonic(self) -> Monotonic:
        """Return the time by which waits are measured."""

    def boottime(self) -> Boottime:
        """Return the time by which leases are measured."""

    def event(self) -> Event:
        """Return a new event whose waits follow this clock."""

    def wait(self, event: Event, deadline: Monotonic | None) -> bool:
        """Block until an event of this clock is set, or until a deadline.

        Returns whether the event is set.  A deadline of None never comes,
        one that has passed does not block.
        """


class SystemClock:
    """The machine's clocks."""

    __slots__ = ()

    def now(self) -> Wall:
        return Wall(time.time())

    def monotonic(self) -> Monotonic:
        return Monotonic(time.monotonic())

    def boottime(self) -> Boottime:
        return Boottime(time.clock_gettime(_BOOTTIME))

    def event(self) -> Event:
        return threading.Event()

    def wait(self, event: Event, deadline: Monotonic | None) -> bool:
        if deadline is None:
            return event.wait()
        return event.wait(max(0.0, deadline - time.monotonic()))


#: It has no state: one is enough.
SYSTEM = SystemClock()


class VirtualClock:
    """A clock that a test moves on. Thread-safe.

    With ``auto`` a wait for a deadline does not block but moves the time to
    that deadline: for tests in which one thread does everything.
    """

    def __init__(self, now: float = _NOON, *, auto: bool = False) -> None:
        self._wall = now
        self._monotonic = 0.0
        self._boottime = 0.0
        self._auto = auto
        self._changed = threading.Condition()
        self._waiting = 0

    def now(self) -> Wall:
        return Wall(self._wall)

    def monotonic(self) -> Monotonic:
        return Monotonic(self._monotonic)

    def boottime(self) -> Boottime:
        return Boottime(self._boottime)

    def event(self) -> Event:
        return _VirtualEvent(self)

    def wait(self, event: Event, deadline: Monotonic | None) -> bool:
        if deadline is None:
            return event.wait()
        return event.wait(max(0.0, deadline - self._monotonic))

    def advance(self, seconds: float) -> None:
        """Move all three clocks on, and wake whose deadline has come."""
        if seconds < 0:
            raise ValueError(f'time does not go back by {-seconds} s')
        with self._changed:
            self._move(seconds)

    def suspend(self, seconds: float) -> None:
        """Let the machine sleep: monotonic time stands still meanwhile."""
        with self._changed:
            self._wall += seconds
            self._boottime += seconds

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward, or back, as an operator or NTP does."""
        with self._changed:
            self._wall += seconds

    def wait_for_waiters(self, count: int = 1, timeout: float = 10.0) -> bool:
        """Block until so many threads wait on events of this clock.

        This one waits in real time, so that a test can be sure that what it
        started has come to its wait; returns False if it did not.
        """
        with self._changed:
            return self._changed.wait_for(
                lambda: self._waiting >= count, timeout
            )

    def _move(self, seconds: float) -> None:
        self._wall += seconds
        self._monotonic += seconds
        self._boottime += seconds
        self._changed.notify_all()


class _VirtualEvent:
    """An event whose waits end by its clock's time."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._flag = False

    def is_set(self) -> bool:
        return self._flag

    def set(self) -> None:
        with self._clock._changed:
            self._flag = True
            self._clock._changed.notify_all()

    def clear(self) -> None:
        with self._clock._changed:
            self._flag = False

    def wait(self, timeout: float | None = None) -> bool:
        clock = self._clock
        with clock._changed:
            if self._flag or (timeout is not None and timeout <= 0):
                return self._flag
            if timeout is None:
                deadline = float('inf')
            else:
                deadline = clock._monotonic + timeout
                if clock._auto:
                    clock._move(timeout)
            clock._waiting += 1
            clock._changed.notify_all()
            try:
                while not self._flag and clock._monotonic < deadline:
                    clock._changed.wait()
            finally:
                clock._waiting -= 1
            return self._flag
