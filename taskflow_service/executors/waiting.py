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

"""Flows that wait for room in an executor."""

from __future__ import annotations

import threading

from taskflow_service.executors import base


class Queue:
    """Flows that found no room, in the order in which they asked.

    Thread-safe.
    """

    __slots__ = ('_lock', '_runs')

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[base.Run, None] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, run: base.Run) -> None:
        """Take note that a flow found no room."""
        with self._lock:
            self._runs[run] = None

    def call(self) -> None:
        """Have the first one, if there is one, ask again."""
        if not self._runs:
            return
        with self._lock:
            run = next(iter(self._runs), None)
            if run is not None:
                del self._runs[run]
        if run is not None:
            run.poke()
