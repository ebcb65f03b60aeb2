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

"""taskflow-worker: serves registered tasks until it is told to end."""

from __future__ import annotations

from collections.abc import Sequence
import functools
import inspect
import logging
import sys

from oslo_config import cfg

from taskflow_service import registry
from taskflow_service import task
from taskflow_service.cmd import program
from taskflow_service.messaging import transport
from taskflow_service.service import daemon
from taskflow_service.service import repeats
from taskflow_service.worker import health
from taskflow_service.worker import worker

PROG = 'taskflow-worker'

#: ``--check`` found a process missing that hears.
EXIT_UNHEALTHY = 3

LOG = logging.getLogger(__name__)

_OPTS: list[cfg.Opt] = [
    cfg.BoolOpt(
        'list-tasks',
        default=False,
        help='Print the tasks that would be served, and end: name, version, '
        'distribution, and arguments of each.',
    ),
    cfg.BoolOpt(
        'check',
        default=False,
        help='Say whether the worker processes of this configuration hear '
        'what is sent to them, and end: with 0 if all do, with 3 if not.',
    ),
    cfg.FloatOpt(
        'max-age',
        min=1.0,
        help='With --check: how many seconds may have passed since a worker '
        'process last heard itself; default: [remote] lost_after.',
    ),
]


def main(argv: Sequence[str] | None = None) -> int:
    """Run taskflow-worker; return its exit code."""
    return program.run_main(PROG, _main, argv)


def _main(argv: list[str]) -> int:
    register = (transport.register_opts, _register_cli_opts)
    conf = program.load_conf(PROG, argv, register)
    if conf.list_tasks:
        _print_tasks(registry.tasks(conf.worker.tasks))
        return 0
    if conf.check:
        return _check(conf)
    # What can be seen here is said here, before anything is started.
    transport.check(conf)
    registry.select(conf.worker.tasks)
    repeats.install()
    code, reason = daemon.serve(
        conf,
        _make_worker,
        functools.partial(
            program.reload_conf, prog=PROG, argv=argv, register=register
        ),
        program.VERSION,
    )
    if reason is not None:
        program.print_error(PROG, reason)
    return code


def _register_cli_opts(conf: cfg.ConfigOpts) -> None:
    conf.register_cli_opts(_OPTS)


def _check(conf: cfg.ConfigOpts) -> int:
    max_age = conf.max_age
    limit = conf.remote.lost_after if max_age is None else max_age
    found = health.look(conf, limit)
    for each in found:
        print(each)
    healthy = sum(each.healthy for each in found)
    if healthy >= conf.worker.processes:
        return 0
    program.print_error(
        PROG,
        f'{healthy} of {conf.worker.processes} worker processes hear what is '
        'sent to them',
    )
    return EXIT_UNHEALTHY


def _make_worker(conf: cfg.ConfigOpts) -> worker.Worker:
    """Make the worker of one process, and say what it will serve."""
    made = worker.Worker(conf, tells_health=True)
    served = registry.tasks(conf.worker.tasks)
    for origin in sorted({each.origin for each in served}):
        tasks = [each for each in served if each.origin == origin]
        LOG.info(
            'Tasks of %s: %s',
            origin,
            ', '.join(f'{each.name} {each.version}' for each in tasks),
        )
    if transport.is_in_memory(conf):
        LOG.warning(
            'transport_url reaches no further than this process, so that no '
            'engine will ever find this worker; use rabbit://'
        )
    return made


def _print_tasks(found: list[registry.TaskType]) -> None:
    rows = [('NAME', 'VERSION', 'DISTRIBUTION', 'ARGUMENTS')]
    rows.extend(
        (each.name, each.version, each.origin, _arguments(each.cls))
        for each in found
    )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = zip(row, widths, strict=True)
        line = '  '.join(cell.ljust(width) for cell, width in cells)
        print(line.rstrip())


def _arguments(cls: type[task.Task]) -> str:
    """Show the parameters of ``execute`` without annotations."""
    parameters = list(inspect.signature(cls.execute).parameters.values())[1:]
    plain = [each.replace(annotation=each.empty) for each in parameters]
    return ', '.join(map(str, plain)) or '-'


if __name__ == '__main__':
    sys.exit(main())
