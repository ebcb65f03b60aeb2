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
"""A process that takes names is killed; what it leaves can be read."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import fixtures
from oslotest import base

from taskflow_service import identity

# Takes and gives up a name as fast as it can; says each incarnation once its
# record is on disk.
_TAKER = """
import pathlib, sys
from taskflow_service import identity
while True:
    mine = identity.take(pathlib.Path(sys.argv[1]), 'host')
    print(mine.incarnation, flush=True)
    mine.close()
"""


class KilledWhileTakingNamesTest(base.BaseTestCase):
    """SIGKILL at ten different moments of taking and giving up a name."""

    def test_the_record_is_whole_and_the_lock_is_free(self) -> None:
        names = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        for moment in range(10):
            taker = subprocess.Popen(
                [sys.executable, '-c', _TAKER, str(names)],
                stdout=subprocess.PIPE,
                text=True,
            )
            try:
                for _ in range(moment + 1):
                    said = taker.stdout.readline().strip()
            finally:
                taker.kill()
                said = ([said, *taker.stdout.read().split()])[-1]
                taker.stdout.close()
                taker.wait()
            record = json.loads((names / 'host.1.json').read_text())
            known = [past[0] for past in record['predecessors']]
            self.assertIn(said, [*known, record['incarnation']])
            mine = identity.take(names, 'host')
            self.assertEqual('host.1', mine.name)
            mine.close()
