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


"""Values in messages: the text that rests in the logbook travels too."""

from __future__ import annotations

import typing

from oslo_config import cfg

from taskflow_service import registry
from taskflow_service.serialization import classes
from taskflow_service.serialization import envelope


class Codec:
    """Writes and reads values as one configuration bounds them.

    Immutable: threads may share it.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._max_size = conf.persistence.max_value_size
        self._allowed = classes.Allowed(registry.allowed_modules(conf))

    def encode(self, value: typing.Any) -> str:
        """Return the text of a value.

        :raises ValueNotStorable: it has none, or is too large
        """
        return envelope.dumps(value, max_size=self._max_size)

    def decode(self, text: str) -> typing.Any:
        """Return the value of a text.

        :raises ValueUnreadable: the text is not one of a value, or names a
            class that must not be imported here
        """
        return envelope.loads(text, allowed=self._allowed)
