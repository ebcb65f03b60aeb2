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

"""The group [persistence]: where logbooks rest."""

from __future__ import annotations

import copy

from oslo_config import cfg

_GROUP = cfg.OptGroup(
    'persistence',
    title='Where logbooks rest',
    help='Which backend keeps logbooks, and how large a value it takes.',
)

_OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        'backend',
        sample_default='sqlalchemy',
        help="""
Name of the persistence backend, out of the stevedore namespace
"taskflow_service.persistence".

Possible values:

* memory: logbooks live in the process and end with it. Values are copied as
  a database would.
* sqlalchemy: logbooks live in the database that [database] connection names,
  or, without one, in a SQLite file under [DEFAULT] state_path.
* Unset: no logbook outlives the process, and live Python objects are kept as
  they are.

Related options:

* [database] connection
* [DEFAULT] state_path
""",
    ),
    cfg.IntOpt(
        'max_value_size',
        default=4 * 1024 * 1024,
        min=1024,
        max=1024 * 1024 * 1024,
        help="""
Largest value, in bytes of encoded JSON, that one task may take, return or
fail with. A larger one is that task's failure, before anything of it is
stored or sent. With MySQL and MariaDB it must be at most half of the
server's max_allowed_packet; this is checked at start.

Related options:

* [remote] max_message_size
""",
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the group [persistence]."""
    # A group holds its options and their overrides: one for each conf.
    conf.register_group(copy.deepcopy(_GROUP))
    conf.register_opts(_OPTS, _GROUP)


def list_opts() -> dict[cfg.OptGroup, list[cfg.Opt]]:
    """List the options by group."""
    return {_GROUP: _OPTS}
