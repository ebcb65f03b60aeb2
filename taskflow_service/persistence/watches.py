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


"""Other owners' rows, watched until one has been silent for its lease.

On this process's own monotonic clock, so that no two clocks are compared.
"""

from __future__ import annotations

import threading

from taskflow_service import clock as clocks
from taskflow_service.persistence import leases


class _Watch:
    """One owner's renewals as they were seen, and since when.

    A missing row counts as 0 renewals: no owner ever writes that number.
    """

    __slots__ = ('length', 'name', 'renewals', 'since')

    def __init__(
        self, lease: leases.Lease | None, length: float, now: float
    ) -> None:
        self.renewals = 0 if lease is None else lease.renewals
        self.length = length if lease is None else lease.length
        self.name = None if lease is None else lease.name
        self.since = now


class Watches:
    """All owners' rows, looked at together. Thread-safe.

    :param length: seconds for which an owner without a row has to be silent
    :param heartbeat: most seconds between two looks of one watch
    """

    def __init__(
        self,
        registry: leases.Registry,
        length: float,
        heartbeat: float,
        clock: clocks.Clock,
    ) -> None:
        self._registry = registry
        self._length = length
        self._heartbeat = heartbeat
        self._clock = clock
        self._lock = threading.Lock()
        self._watches: dict[str, _Watch] = {}
        self._looked: float | None = None

    def look(self) -> None:
        """Bring the watches up to date."""
        with self._lock:
            self._look(None)

    def is_silent(self, owner: str) -> bool:
        """Look; whether this owner has been silent for a lease of its."""
        with self._lock:
            began = self._clock.monotonic()
            self._look(owner)
            watch = self._watches[owner]
            return began - watch.since >= watch.length

    def renewals(self, owner: str | None) -> int:
        """Tell the renewals that were seen last; 0 without a row."""
        watch = self._watches.get(owner or '')
        return 0 if watch is None else watch.renewals

    def length(self, owner: str | None) -> float:
        """Tell an owner's lease in seconds, as far as it is known."""
        watch = self._watches.get(owner or '')
        return self._length if watch is None else watch.length

    def name(self, owner: str | None) -> str | None:
        """Tell what an owner is called, as far as it is known."""
        watch = self._watches.get(owner or '')
        return None if watch is None else watch.name

    def _look(self, owner: str | None) -> None:
        found = self._registry.owners()
        now = self._clock.monotonic()
        if self._looked is None or now - self._looked > self._heartbeat:
            # Something kept this process from looking; the same may have
            # kept the owners from renewing.
            self._watches.clear()
        self._looked = now
        for each in {*found, *self._watches, *filter(None, [owner])}:
            lease = found.get(each)
            watch = self._watches.get(each)
            renewals = 0 if lease is None else lease.renewals
            if watch is None or watch.renewals != renewals:
                self._watches[each] = _Watch(lease, self._length, now)
