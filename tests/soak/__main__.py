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

"""The soak as a program.

    python -m tests.soak --minutes 60 --seed 7

Four workers, two engines, RabbitMQ and PostgreSQL, all of them started here,
run flows while everything is killed, paused and restarted. Then it is quiet,
what is under way has to end, and another program (``checker``) compares what
was done with what the logbook says. Exits with 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import pathlib
import random
import shutil
import sys
import tempfile

from tests import instances
from tests.soak import faults
from tests.soak import run


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='python -m tests.soak')
    parser.add_argument('--minutes', type=float, default=5.0)
    parser.add_argument('--seed', type=int)
    parser.add_argument(
        '--every', type=float, default=6.0, help='seconds between faults'
    )
    parser.add_argument(
        '--rate', type=float, default=1.5, help='flows a second and engine'
    )
    parser.add_argument(
        '--most', type=int, default=25, help='flows under way per engine'
    )
    parser.add_argument(
        '--quorum', action='store_true', help='use quorum queues'
    )
    parser.add_argument(
        '--plan', action='store_true', help='only print the faults'
    )
    parser.add_argument('--json', help='where to write the report')
    parser.add_argument('--keep', help='a folder for logs, which is kept')
    return parser.parse_args()


def main() -> int:
    """Run the soak; return the exit code."""
    logging.basicConfig(
        level=logging.INFO, format='%(asctime)s %(name)s %(message)s'
    )
    given = _arguments()
    seed = random.randrange(1 << 20) if given.seed is None else given.seed
    if given.plan:
        for fault in faults.plan(seed, given.minutes * 60, given.every):
            print('{:7.1f} s: {} {}, {:.1f} s'.format(*fault))
        return 0
    folder = pathlib.Path(given.keep or tempfile.mkdtemp(prefix='tfs-soak-'))
    folder.mkdir(parents=True, exist_ok=True)
    logging.getLogger('alembic').setLevel(logging.WARNING)
    print(f'seed {seed}, {given.minutes:g} minutes, in {folder}', flush=True)
    settings = run.Settings(
        seed,
        given.minutes * 60,
        given.every,
        given.rate,
        given.most,
        given.quorum,
    )
    with contextlib.ExitStack() as stack:
        broker, database = instances.RabbitMQ(), instances.PostgreSQL()
        for server in (broker, database):
            stack.callback(server.remove)
            server.start()
        result = run.soak(folder, settings, broker, database)
    if given.json:
        pathlib.Path(given.json).write_text(json.dumps(result, indent=1))
    print(run.as_text(result))
    if result['violations']:
        print(f'the logs are in {folder}')
        return 1
    if not given.keep:
        shutil.rmtree(folder)
    return 0


if __name__ == '__main__':
    sys.exit(main())
