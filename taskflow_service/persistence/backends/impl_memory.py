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


"""Logbooks in this process's memory.

Two kinds. With ``deep_copy`` (the default of one that was asked for) values
are copied on their way in and out, as a database would: nobody can change
what is stored by changing an object. Without it objects are kept as they
are, live handles included, and a flow detail read here is the very one that
was saved: this is what an engine without any backend uses.
"""

from __future__ import annotations

from collections.abc import Mapping
import copy
import threading
import typing

from oslo_config import cfg

from taskflow_service import exceptions
from taskflow_service.persistence import base
from taskflow_service.persistence import leases
from taskflow_service.persistence import unit
from taskflow_service.persistence.backends.memory import shelf
from taskflow_service.persistence.backends.memory import tables


class MemoryBackend(base.Backend):
    """Keeps logbooks in memory; ``deep_copy=False`` keeps the objects."""

    durable = False

    def __init__(self, conf: Mapping[str, typing.Any] | None = None) -> None:
        super().__init__(conf)
        self._copies = bool(self._conf.get('deep_copy', True))
        self._lock = threading.RLock()
        self._tables = tables.Tables()
        self._shelf = shelf.Shelf()

    @classmethod
    def from_conf(
        cls, conf: cfg.ConfigOpts, upgrade: bool = False
    ) -> MemoryBackend:
        """Make it from the configuration, which has nothing to say of it."""
        return cls()

    def pack(self, value: typing.Any) -> typing.Any:
        """Copy a value, unless objects are kept; ValueNotStorable if not."""
        if not self._copies:
            return value
        try:
            return copy.deepcopy(value)
        except Exception as error:
            raise exceptions.ValueNotStorable(
                f'A value of type {type(value).__name__} cannot be copied; '
                'configure no backend to keep objects as they are',
                error,
                type_name=type(value).__name__,
            ) from error

    def unpack(self, packed: typing.Any) -> typing.Any:
        """Copy a value on its way out, unless objects are kept."""
        return copy.deepcopy(packed) if self._copies else packed

    @property
    def writes(self) -> bool:
        """Whether values are copied into tables."""
        return self._copies

    def open_writer(self) -> base.Writer:
        """Make the writer of one loop."""
        if self._copies:
            return tables.TablesWriter(self._tables, self._lock)
        return shelf.ShelfWriter(self._shelf)

    def get_connection(self) -> base.Connection:
        """Open a connection."""
        if self._copies:
            return tables.TablesConnection(self, self._tables, self._lock)
        return shelf.ShelfConnection(self, self._shelf, self._lock)

    def claim(
        self,
        flow_uuid: str,
        timeout: float | None = None,
        driver: leases.Driver | None = None,
    ) -> unit.Claim:
        """Give a claim of epoch 0: nobody else can reach this memory."""
        return unit.Claim(flow_uuid, 0, 0)

    def close(self) -> None:
        """Do nothing: what is kept lives as long as the backend."""
