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

"""The soak for as long as a run of all tests has time for.

``TFS_SOAK_MINUTES`` says how long, ``TFS_SOAK_SEED`` which faults; the long
ones are run by ``python -m tests.soak``.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import fixtures
from oslotest import base

from tests import daemons
from tests import instances
from tests import servers

MINUTES = '0.3'


class SoakTest(base.BaseTestCase):
    def test_nothing_is_lost_or_doubled_or_stuck(self) -> None:
        # The program starts its own, so they have to be installed.
        for fixture in (servers.RabbitMQ, servers.PostgreSQL):
            try:
                fixture.instance().remove()
            except instances.NotInstalled as error:
                fixture()._give_up(str(error))
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        command = [sys.executable, '-m', 'tests.soak', '--every', '3']
        command += ['--minutes', os.environ.get('TFS_SOAK_MINUTES', MINUTES)]
        command += ['--keep', str(folder), '--json', str(folder / 'report')]
        if 'TFS_SOAK_SEED' in os.environ:
            command += ['--seed', os.environ['TFS_SOAK_SEED']]
        done = subprocess.run(
            command,
            cwd=daemons.ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.assertEqual(0, done.returncode, done.stdout)
        report = json.loads((folder / 'report').read_text())
        self.assertEqual([], report['violations'])
        self.assertGreater(report['counts']['do end'], 0)
        self.assertGreater(sum(report['faults'].values()), 0)
