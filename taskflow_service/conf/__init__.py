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

"""The options of taskflow_service, one module a group.

Every long-lived piece takes its ``ConfigOpts`` as an argument; nothing here
touches the global ``cfg.CONF``. A program sets itself up with::

    conf = cfg.ConfigOpts()  # or cfg.CONF
    taskflow_service.conf.register_opts(conf)
    taskflow_service.conf.set_lib_defaults()  # if it wants them
    conf(['--config-file', path])
    taskflow_service.conf.validate(conf)

oslo.messaging's own options (``transport_url`` and its groups) are
registered by the ``messaging`` package, which is where oslo.messaging is
imported.
"""

from __future__ import annotations

from collections.abc import Iterator

from oslo_config import cfg

from taskflow_service.conf import base
from taskflow_service.conf import database
from taskflow_service.conf import engine
from taskflow_service.conf import notifications
from taskflow_service.conf import persistence
from taskflow_service.conf import remote
from taskflow_service.conf import security
from taskflow_service.conf import serialization
from taskflow_service.conf import validation
from taskflow_service.conf import worker
from taskflow_service.conf.base import set_lib_defaults as set_lib_defaults

_GROUPS = (
    base,
    database,
    engine,
    notifications,
    persistence,
    remote,
    security,
    serialization,
    worker,
)


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register every option of ours on ``conf``; idempotent."""
    for group in _GROUPS:
        group.register_opts(conf)


def validate(conf: cfg.ConfigOpts) -> None:
    """Read and check every option of ours, once ``conf`` was called.

    Raises ConfigurationError with the name of the first bad one.
    """
    validation.validate(conf, _options())


def _options() -> Iterator[tuple[str, cfg.Opt]]:
    for module in _GROUPS:
        for group, options in module.list_opts().items():
            for option in options:
                yield getattr(group, 'name', group), option
    for option in database.OPTS:
        yield 'database', option
