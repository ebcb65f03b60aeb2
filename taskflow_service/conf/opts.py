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

"""All options in one list, for oslo-config-generator and the validator."""

from __future__ import annotations

import copy
import typing

from oslo_config import cfg

from taskflow_service.conf import base
from taskflow_service.conf import engine
from taskflow_service.conf import notifications
from taskflow_service.conf import persistence
from taskflow_service.conf import remote
from taskflow_service.conf import security
from taskflow_service.conf import serialization
from taskflow_service.conf import worker

_GROUPS: tuple[typing.Any, ...] = (
    base,
    engine,
    notifications,
    persistence,
    remote,
    security,
    serialization,
    worker,
)


def list_opts() -> list[tuple[str | cfg.OptGroup, list[cfg.Opt]]]:
    """List (group, options) pairs; the caller may change them."""
    return [
        (group, copy.deepcopy(options))
        for module in _GROUPS
        for group, options in module.list_opts().items()
    ]
