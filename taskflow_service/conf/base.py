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

"""Options of the whole process, and defaults of other libraries.

``set_lib_defaults`` belongs to programs, our own and those of services that
want it, and to the generator of the sample file: a library in somebody else's
process changes no default of another library.
"""

from __future__ import annotations

import contextlib

from oslo_config import cfg
from oslo_log import log

STATE_PATH_HELP = """
Directory for what a process keeps across its restarts on one host: the lock
files under which processes take their names, outcomes that nobody has
recorded yet, and the SQLite logbook if no database is configured. It must
survive a reboot, and must not be shared by two hosts.

Possible values:

* A path. The process must be able to write there.
* Unset: /var/lib/taskflow_service, or ~/.local/state/taskflow_service where
  the former is not writable.
"""

_OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        'state_path',
        sample_default='/var/lib/taskflow_service',
        help=STATE_PATH_HELP,
    ),
]

#: Chatty libraries below us: their own INFO is of no use to an operator.
_LOG_LEVELS = (
    'alembic=WARNING',
    'amqp=ERROR',
    'cotyledon=INFO',
    'cotyledon._service_worker=WARNING',
    'kombu=WARNING',
    'oslo_messaging=INFO',
    'oslo_service.backend=WARNING',
    'sqlalchemy=WARNING',
    'stevedore=WARNING',
)


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register ``[DEFAULT] state_path`` unless a host did so before."""
    with contextlib.suppress(cfg.DuplicateOptError):
        conf.register_opts(_OPTS)


def list_opts() -> dict[str, list[cfg.Opt]]:
    """List the options by group."""
    return {'DEFAULT': _OPTS}


def set_lib_defaults() -> None:
    """Have oslo.log keep the libraries below us quiet by default.

    For programs, before they call their ``conf``.
    """
    levels = list(log.get_default_log_levels())
    known = {level.partition('=')[0] for level in _LOG_LEVELS}
    levels = [
        level for level in levels if level.partition('=')[0] not in known
    ]
    log.set_defaults(default_log_levels=[*levels, *_LOG_LEVELS])
