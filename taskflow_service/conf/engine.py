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

"""The group [engine]: which engine runs flows, and how it owns them."""

from __future__ import annotations

import copy

from oslo_config import cfg

_GROUP = cfg.OptGroup(
    'engine',
    title='How flows are run',
    help='Which engine runs flows, and how it owns them while it does.',
)

_OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        'type',
        default='serial',
        help="""
Name of the engine that runs flows, out of the stevedore namespace
"taskflow_service.engines".

Possible values:

* serial: one task after the other, in the thread that runs the flow.
* parallel: tasks that do not depend on each other run at the same time, in
  threads or processes of this program.
* workers: tasks run on remote workers that are reached over
  [DEFAULT] transport_url.

Related options:

* [engine] executor
* [engine] max_workers
* [DEFAULT] transport_url
""",
    ),
    cfg.StrOpt(
        'executor',
        default='threads',
        help="""
Name of the executor of the parallel engine, out of the stevedore namespace
"taskflow_service.executors".

Possible values:

* threads: in a pool of threads; for tasks that wait.
* processes: in a pool of processes; for tasks that compute, or whose
  timeouts and memory limits have to be enforced.
""",
    ),
    cfg.IntOpt(
        'max_workers',
        min=1,
        max=10000,
        sample_default=8,
        help="""
Largest number of tasks that one parallel engine, or one loop, runs at the
same time.

Possible values:

* A number from 1 to 10000.
* Unset: for threads the number of processors plus 4, at most 32; for
  processes the number of processors.
""",
    ),
    cfg.FloatOpt(
        'lease',
        default=15.0,
        min=5.0,
        max=3600.0,
        help="""
Owner lease in seconds: an engine's process that has not renewed it for this
long may lose its flows to another. It is renewed every third of it. All
processes that share a logbook may have different ones; each is judged by its
own.
""",
    ),
    cfg.FloatOpt(
        'claim_timeout',
        min=0.0,
        sample_default=20.0,
        help="""
How long, in seconds, run() waits for a flow that another process owns to be
released, or its owner to be proven dead or silent for an owner lease.

Possible values:

* 0: not at all.
* Unset: one owner lease and a third, which is one lease and one renewal.

Related options:

* [engine] lease
""",
    ),
    cfg.ListOpt(
        'listeners',
        default=[],
        help="""
Names of the listeners, out of the stevedore namespace
"taskflow_service.listeners", that are attached to every engine that is
loaded from this configuration, adopted flows included. Those that come with
this package are "logging" and "notifications"; the latter is attached by
[notifications] enabled.
""",
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the group [engine]."""
    # A group holds its options and their overrides: one for each conf.
    conf.register_group(copy.deepcopy(_GROUP))
    conf.register_opts(_OPTS, _GROUP)


def list_opts() -> dict[cfg.OptGroup, list[cfg.Opt]]:
    """List the options by group."""
    return {_GROUP: _OPTS}
