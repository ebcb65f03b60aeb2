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

"""A gate that opens after so many have passed by."""

from __future__ import annotations

import threading


class Latch:
    """Lets those who wait go on once it was counted down. Thread-safe.

    Raises ValueError unless the count is above zero.
    """

    def __init__(self, count: int) -> None:
        if count <= 0:
            raise ValueError(f'A latch counts from one or more, not {count}')
        self._needed = count
        self._changed = threading.Condition()

    @property
    def needed(self) -> int:
        """How often it still has to be counted down."""
        return max(0, self._needed)

    def countdown(self) -> None:
        """Count one down; beyond zero it changes nothing."""
        with self._changed:
            self._needed -= 1
            if self._needed <= 0:
                self._changed.notify_all()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until it is at zero, or for so many seconds.

        Returns whether it is at zero.
        """
        with self._changed:
            return self._changed.wait_for(lambda: self._needed <= 0, timeout)
