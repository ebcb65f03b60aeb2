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

"""The group [notifications]: events for other programs."""

from __future__ import annotations

import copy

from oslo_config import cfg

_GROUP = cfg.OptGroup(
    'notifications',
    title='Events for other programs',
    help=(
        'Whether events of flows, tasks and workers are published. Where to '
        'is said by [oslo_messaging_notifications].'
    ),
)

_OPTS: list[cfg.Opt] = [
    cfg.BoolOpt(
        'enabled',
        default=False,
        help="""
Whether events of flows, tasks and workers are published through
oslo.messaging. An event that cannot be published is dropped and counted; it
never fails or delays a flow.

Related options:

* [oslo_messaging_notifications] driver (unset means messagingv2 here)
* [oslo_messaging_notifications] transport_url
* [oslo_messaging_notifications] retry (unset means 3 here)
""",
    ),
    cfg.IntOpt(
        'queue_size',
        default=10000,
        min=1,
        advanced=True,
        help="""
How many events may wait in one process until they are sent. What comes beyond
them, while the broker for notifications is slow or away, is dropped.

Related options:

* [notifications] enabled
""",
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the group [notifications]."""
    # A group holds its options and their overrides: one for each conf.
    conf.register_group(copy.deepcopy(_GROUP))
    conf.register_opts(_OPTS, _GROUP)


def list_opts() -> dict[cfg.OptGroup, list[cfg.Opt]]:
    """List the options by group."""
    return {_GROUP: _OPTS}
