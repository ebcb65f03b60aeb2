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

"""A logger with one level more than the standard library's."""

from __future__ import annotations

from collections.abc import Mapping
import logging
import typing

#: The level for what is too much for debugging, also.
TRACE = 5
BLATHER = TRACE

_BASE = 'taskflow_service'


class _Adapter(logging.LoggerAdapter[logging.Logger]):
    """Logs at the level TRACE, too."""

    def trace(
        self, msg: object, *args: typing.Any, **kwargs: typing.Any
    ) -> None:
        """Log at the level TRACE."""
        self.log(TRACE, msg, *args, **kwargs)

    blather = trace


def getLogger(
    name: str = _BASE, extra: Mapping[str, object] | None = None
) -> _Adapter:
    """Return an adapter of a logger; ``extra`` goes into its records."""
    return _Adapter(logging.getLogger(name), extra=extra or {})
