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

"""The group [worker]: what taskflow-worker serves, and how it ends."""

from __future__ import annotations

import copy

from oslo_config import cfg

_GROUP = cfg.OptGroup(
    'worker',
    title='What a worker serves',
    help='What a worker serves, in how many slots, and how it ends.',
)

_SERVES: list[cfg.Opt] = [
    cfg.ListOpt(
        'topics',
        default=['default'],
        help="""
Labels that the worker announces. An engine that was given a map of topics to
tasks sends a task only to workers which announce one of its topics; an engine
without such a map sends it to any worker that serves it. A topic is a label,
not a queue: every worker process has one address of its own.
""",
    ),
    cfg.ListOpt(
        'tasks',
        default=['*'],
        help="""
Which registered tasks the worker serves, by their names in the stevedore
namespace "taskflow_service.tasks". A pattern may hold the wildcards "*", "?"
and [...]. A name without a wildcard that no installed distribution provides
stops the start.
""",
    ),
    cfg.ListOpt(
        'setup',
        default=[],
        help="""
Names of callables, out of the stevedore namespace "taskflow_service.setup",
that are run in this order with the configuration as their only argument, once
in each worker process and once in each task process, before anything runs
there or is announced. They register options of their own, open sessions and
clients. One that fails stops the start with its name.
Task processes of the parallel engine ([engine] executor = processes) run them
as well, and nothing else in an engine's process does.
""",
    ),
    cfg.StrOpt(
        'name',
        regex=r'^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$',
        sample_default='host.example.org',
        help="""
First part of the name under which each worker process is known; the full name
is this, a dot and the first number that is free on this host. Two hosts must
not use the same one.

Possible values:

* At most 100 letters, digits, dots, dashes and underscores.
* Unset: the name of the host.

Related options:

* [DEFAULT] state_path
""",
    ),
]

_ROOM: list[cfg.Opt] = [
    cfg.IntOpt(
        'processes',
        default=1,
        min=1,
        max=1000,
        help="""
Number of worker processes. Each has a name, an address and slots of its own,
and is started again when it dies.
""",
    ),
    cfg.IntOpt(
        'slots',
        default=4,
        min=1,
        max=10000,
        help="""
Number of tasks that one worker process runs at the same time. Threads that
compute delay the process's sign of life (up to 60 ms each): raise this for
tasks that wait, and use [worker] executor = processes for tasks that compute.
""",
    ),
    cfg.StrOpt(
        'executor',
        default='threads',
        choices=['threads', 'processes'],
        help="""
What a slot is.

Possible values:

* threads: a thread of the worker process. A task that does not look at its
  cancellation cannot be stopped.
* processes: a task process. Timeouts, cancellation and memory limits are
  enforced, and a task that crashes takes nobody along.
""",
    ),
    cfg.StrOpt(
        'start_method',
        default='spawn',
        choices=['spawn', 'forkserver', 'fork'],
        advanced=True,
        help="""
How task processes are started, in the terms of Python's multiprocessing. With
fork, a task process inherits whatever locks the threads of its worker process
held at that moment.

Related options:

* [worker] executor
""",
    ),
]

_LIFE: list[cfg.Opt] = [
    cfg.FloatOpt(
        'startup_timeout',
        default=60.0,
        min=0.0,
        help="""
How long, in seconds, a starting worker tries to reach the message broker
before it gives up with an error. Each failed attempt is logged with its
reason.
""",
    ),
    cfg.FloatOpt(
        'graceful_shutdown_timeout',
        default=60.0,
        min=0.0,
        mutable=True,
        help="""
Grace time in seconds: how long a worker that was asked to end lets its
running tasks go on. Tasks that have not started are handed back at once. What
still runs after the grace time is cancelled, and its own policy decides
whether it runs again elsewhere. A service manager must wait longer than this
plus [worker] cancel_grace before it kills the worker.

Related options:

* [worker] cancel_grace
""",
    ),
    cfg.FloatOpt(
        'cancel_grace',
        default=10.0,
        min=0.0,
        help="""
How long, in seconds, a task that was cancelled, or ran into one of its
timeouts, may take to end by itself. After that a task process is killed; a
thread cannot be: its attempt fails, and its slot stays taken until the task
returns.
""",
    ),
]

_OPTS: list[cfg.Opt] = _SERVES + _ROOM + _LIFE


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the group [worker]."""
    # A group holds its options and their overrides: one for each conf.
    conf.register_group(copy.deepcopy(_GROUP))
    conf.register_opts(_OPTS, _GROUP)


def list_opts() -> dict[cfg.OptGroup, list[cfg.Opt]]:
    """List the options by group."""
    return {_GROUP: _OPTS}
