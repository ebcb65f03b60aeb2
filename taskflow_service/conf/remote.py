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

"""The group [remote]: how engines and workers judge each other.

Engines and workers of one deployment should agree on these: a worker fences
itself by its own ``lost_after``, an engine gives it up by the engine's.
"""

from __future__ import annotations

import copy

from oslo_config import cfg

_GROUP = cfg.OptGroup(
    'remote',
    title='How engines and workers judge each other',
    help=(
        'The protocol between engines and workers. All engines and workers '
        'that share a message broker should have the same values.'
    ),
)

_OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        'namespace',
        default='taskflow',
        regex=r'^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$',
        help="""
First part of the name of every topic. Engines and workers of different
namespaces never hear of each other, also on one virtual host of the broker:
use one for each service. At most 64 letters, digits, dots, dashes and
underscores.
""",
    ),
    cfg.FloatOpt(
        'lease',
        default=15.0,
        min=5.0,
        max=3600.0,
        help="""
Lease of a worker in seconds. A worker reports every third of it; one that was
silent for all of it gets no new work, and requests of idempotent tasks that
it held are given to others.

Related options:

* [remote] lost_after
""",
    ),
    cfg.FloatOpt(
        'lost_after',
        default=120.0,
        min=10.0,
        help="""
After how many seconds of silence a worker is given up, so that its requests
of tasks that are not idempotent fail or are probed, and after how many
seconds without a link a worker gives itself up. It must be at least twice
[remote] lease, and should be longer than the message broker takes to restart.

Related options:

* [remote] lease
""",
    ),
    cfg.FloatOpt(
        'start_timeout',
        default=600.0,
        min=1.0,
        help="""
How long, in seconds, a task that is ready may wait until a worker has started
it, for tasks that do not say so themselves. Time in which a live worker
served the task but had no room does not count.
""",
    ),
    cfg.IntOpt(
        'max_worker_losses',
        default=3,
        min=1,
        max=1000,
        help="""
A task during which its worker was lost this many times fails, idempotent or
not: it may be what kills them.
""",
    ),
    cfg.IntOpt(
        'max_message_size',
        default=8 * 1024 * 1024,
        min=64 * 1024,
        max=128 * 1024 * 1024,
        help="""
Largest message in bytes. What does not fit goes out in the next one. It must
be at least [persistence] max_value_size plus 64 KiB, and at most what the
message broker accepts.

Related options:

* [persistence] max_value_size
""",
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the group [remote]."""
    # A group holds its options and their overrides: one for each conf.
    conf.register_group(copy.deepcopy(_GROUP))
    conf.register_opts(_OPTS, _GROUP)


def list_opts() -> dict[cfg.OptGroup, list[cfg.Opt]]:
    """List the options by group."""
    return {_GROUP: _OPTS}
