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

"""The group [serialization]: which classes a stored value may name."""

from __future__ import annotations

import copy

from oslo_config import cfg

_GROUP = cfg.OptGroup(
    'serialization',
    title='Which classes a stored value may name',
    help='Bounds on what reading a logbook or a message may import.',
)

_OPTS: list[cfg.Opt] = [
    cfg.ListOpt(
        'allowed_modules',
        sample_default=['taskflow_service.demo', 'my_service.tasks'],
        help="""
Packages and modules out of which a class that a stored value or a message
names (an enumeration, an exception) may be imported, and out of which the
factory of a flow may be imported by its path when the flow is adopted. What
is below a listed package counts as well. A class that its program has
imported already needs no entry.

Possible values:

* A list of dotted module paths.
* Unset: the top-level packages of the registered tasks and flow factories
  (entry points under the namespaces "taskflow_service.tasks" and
  "taskflow_service.flows").
* An empty list: nothing is ever imported.
""",
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the group [serialization]."""
    # A group holds its options and their overrides: one for each conf.
    conf.register_group(copy.deepcopy(_GROUP))
    conf.register_opts(_OPTS, _GROUP)


def list_opts() -> dict[cfg.OptGroup, list[cfg.Opt]]:
    """List the options by group."""
    return {_GROUP: _OPTS}
