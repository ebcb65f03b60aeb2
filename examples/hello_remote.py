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


"""Say hello and goodbye on a worker, and keep a logbook of it.

    python examples/hello_remote.py             run the flow
    python examples/hello_remote.py worker      be a worker, until Ctrl-C

Without further words the bus is an in-memory transport, for which the engine
starts a worker inside this process, and the logbook is a SQLite file. With
``--transport-url`` and ``--connection`` the same program uses a broker and a
database, and leaves the tasks to workers elsewhere: to the mode above, or to
``taskflow-worker``.
"""

from __future__ import annotations

import argparse
import logging
import pathlib
import signal
import sys

from oslo_config import cfg

from taskflow_service import demo
from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import identity
import taskflow_service.conf
from taskflow_service.listeners import logging as logging_listener
from taskflow_service.messaging import transport
from taskflow_service.patterns import linear_flow
from taskflow_service.persistence import backends
from taskflow_service.utils import persistence_utils
from taskflow_service.worker import Worker

TASKS = ['demo.hello', 'demo.goodbye']


def make_conf(args: argparse.Namespace) -> cfg.ConfigOpts:
    """Make the configuration that a service would read from its files."""
    conf = cfg.ConfigOpts()
    taskflow_service.conf.register_opts(conf)
    transport.register_opts(conf)
    conf([], project='taskflow_service', default_config_files=[])
    conf.set_override('transport_url', args.transport_url)
    # Who looks on does not want to wait for ten minutes.
    conf.set_default('start_timeout', 60.0, 'remote')
    connection = args.connection
    if connection is None:
        path = identity.state_path(conf) / 'hello_remote.sqlite'
        connection = f'sqlite:///{path}'
    conf.set_override('connection', connection, 'database')
    conf.set_override('backend', 'sqlalchemy', 'persistence')
    return conf


def run_worker(conf: cfg.ConfigOpts) -> None:
    """Serve the two tasks until somebody presses Ctrl-C."""
    worker = Worker(conf, tasks=TASKS)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        worker.run()
    except KeyboardInterrupt:
        worker.stop()


def run_flow(
    conf: cfg.ConfigOpts, workers_info: dict[str, list[str]] | None
) -> None:
    """Run hello, then goodbye, on whatever worker serves them."""
    flow = linear_flow.Flow('hello_goodbye').add(
        demo.Hello('demo.hello'), demo.Goodbye('demo.goodbye')
    )
    backend = backends.from_conf(conf, upgrade=True)
    book, flow_detail = persistence_utils.temporary_flow_detail(backend)
    engine = engines.load(
        flow,
        engine='workers',
        conf=conf,
        backend=backend,
        book=book,
        flow_detail=flow_detail,
        workers_info=workers_info,
    )
    with logging_listener.LoggingListener(engine, level=logging.INFO):
        engine.run()
    print(f'Final results: {engine.storage.fetch_all()}')
    print(
        'Look at the logbook again with:\n'
        f'  OS_DATABASE__CONNECTION={conf.database.connection} '
        f'{program("taskflow-manage")} flow show {flow_detail.uuid}'
    )


def program(name: str) -> str:
    """Say how to call a program that is installed beside this Python."""
    beside = pathlib.Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else name


def topic_and_tasks(text: str) -> tuple[str, list[str]]:
    """Read ``topic=task,task``."""
    topic, separator, tasks = text.partition('=')
    if not separator:
        raise argparse.ArgumentTypeError('write it as TOPIC=TASK[,TASK...]')
    return topic, tasks.split(',')


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Say hello and goodbye on a worker.'
    )
    parser.add_argument(
        'mode', nargs='?', choices=('run', 'worker'), default='run'
    )
    parser.add_argument(
        '--transport-url',
        default='fake://',
        help='the bus, as oslo.messaging writes it (default: inside this '
        'process)',
    )
    parser.add_argument(
        '--connection',
        help='the database, as SQLAlchemy writes it (default: a SQLite file)',
    )
    parser.add_argument(
        '--workers-info',
        metavar='TOPIC=TASK[,TASK...]',
        type=topic_and_tasks,
        action='append',
        help='send these tasks only to workers of this topic; without it '
        'any worker that serves a task may have it',
    )
    parser.add_argument(
        '--debug',
        action='store_true',
        help='show all log lines and tracebacks',
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the example; return its exit code."""
    args = parse(argv)
    logging.basicConfig(
        stream=sys.stdout,
        level=logging.DEBUG if args.debug else logging.ERROR,
        format='%(asctime)s %(levelname)s %(name)s: %(message)s',
    )
    logging.getLogger('taskflow_service').setLevel(
        logging.DEBUG if args.debug else logging.INFO
    )
    if not args.debug:
        # Of a broker that is away taskflow_service says so once.
        logging.getLogger('oslo.messaging').setLevel(logging.CRITICAL)
    try:
        conf = make_conf(args)
        if args.mode == 'worker':
            run_worker(conf)
        else:
            run_flow(
                conf, dict(args.workers_info) if args.workers_info else None
            )
    except exceptions.TaskFlowException as error:
        if args.debug:
            raise
        print(f'hello_remote: {" ".join(str(error).split())}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
