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

"""The group [security]: signing of messages."""

from __future__ import annotations

import copy

from oslo_config import cfg

_GROUP = cfg.OptGroup(
    'security',
    title='Signing of messages',
    help='Whether messages between engines and workers are signed.',
)

_OPTS: list[cfg.Opt] = [
    cfg.ListOpt(
        'signing_keys',
        default=[],
        secret=True,
        mutable=True,
        sample_default=[],
        help="""
Keys with which messages between engines and workers are signed (HMAC). The
first one signs, each of them verifies; without any nothing is signed or
verified. To rotate, append the new key everywhere, then make it the first one
everywhere, then remove the old one; each step takes effect with SIGHUP.

Possible values:

* A list of secrets of 32 characters or more without commas or spaces, for
  instance from "openssl rand -hex 32".
""",
    ),
    cfg.FloatOpt(
        'signing_window',
        default=300.0,
        min=1.0,
        mutable=True,
        help="""
How many seconds the time in a signed message may differ from the receiver's
clock. An older message is refused, so that it cannot be played again; the
clocks of all hosts must agree better than this.
""",
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the group [security]."""
    # A group holds its options and their overrides: one for each conf.
    conf.register_group(copy.deepcopy(_GROUP))
    conf.register_opts(_OPTS, _GROUP)


def list_opts() -> dict[cfg.OptGroup, list[cfg.Opt]]:
    """List the options by group."""
    return {_GROUP: _OPTS}
