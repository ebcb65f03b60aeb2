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

"""The group [database]: oslo.db's own options.

Only their definitions are used here; what oslo.db does with them stays with
the persistence backend.
"""

from __future__ import annotations

from oslo_config import cfg
from oslo_db import options

OPTS: tuple[cfg.Opt, ...] = tuple(options.database_opts)


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register oslo.db's options in [database]."""
    conf.register_opts(OPTS, 'database')


def list_opts() -> dict[str, list[cfg.Opt]]:
    """List nothing: oslo.db publishes these options itself."""
    return {}
