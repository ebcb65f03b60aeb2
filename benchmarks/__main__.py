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
"""``python -m benchmarks [engine|logbook|remote ...] [--quick]``.

``--json FILE`` writes the rows for a program too.  Without a name, all suites
run in their quick form.  The exit code is 0 whether budgets hold or not,
unless ``--check`` is given: a shared machine is no judge.
"""

from __future__ import annotations

import argparse
import pathlib
import sys

from benchmarks import engine
from benchmarks import logbook
from benchmarks import measure
from benchmarks import remote

SUITES = {
    'engine': engine.rows,
    'logbook': logbook.rows,
    'remote': remote.rows,
}


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog='benchmarks')
    parser.add_argument('suites', nargs='*', metavar='|'.join(SUITES))
    parser.add_argument(
        '--quick', action='store_true', help='small sizes, under a minute'
    )
    parser.add_argument('--json', type=pathlib.Path, help='also write JSON')
    parser.add_argument(
        '--check', action='store_true', help='exit with 1 on a missed promise'
    )
    args = parser.parse_args(argv)
    unknown = set(args.suites) - set(SUITES)
    if unknown:
        parser.error(f'no suite {", ".join(sorted(unknown))}')
    quick = args.quick or not args.suites
    scale = measure.QUICK if quick else measure.FULL
    rows = []
    for name in args.suites or SUITES:
        print(f'{name}, {"quick" if quick else "full"}')
        print(measure.header(), flush=True)
        for row in SUITES[name](scale):
            print(measure.line(row), flush=True)
            rows.append(row)
    if args.json:
        args.json.write_text(measure.as_json(rows) + '\n')
    missed = any(row.verdict == 'MISSED' for row in rows)
    return 1 if args.check and missed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
