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

"""The unit for systemd: what systemd says of it, and its times."""

from __future__ import annotations

import configparser
import pathlib
import shutil
import subprocess
import sys

import fixtures
from oslo_config import cfg
from oslotest import base

from taskflow_service import conf as service_conf
from taskflow_service.service import daemon

ROOT = pathlib.Path(__file__).parents[3]
UNIT = ROOT / 'etc/taskflow_service/systemd/taskflow-worker.service'


class SystemdTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.unit = configparser.ConfigParser(interpolation=None, strict=False)
        self.unit.optionxform = str  # type: ignore[assignment,method-assign]
        self.unit.read(UNIT)
        self.service = self.unit['Service']

    def test_systemd_takes_it(self) -> None:
        program = shutil.which('systemd-analyze')
        if program is None:
            self.skipTest('there is no systemd-analyze here')
        # What it would start is not installed where it says.
        text = UNIT.read_text().replace(
            '/usr/bin/taskflow-worker', sys.executable
        )
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        copy = folder / UNIT.name
        copy.write_text(text)
        done = subprocess.run(
            [program, 'verify', str(copy)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        # It has words on units of the machine as well.
        ours = [line for line in done.stdout.splitlines() if UNIT.stem in line]
        self.assertEqual([], ours)

    def test_it_waits_for_as_long_as_the_defaults_take(self) -> None:
        conf = cfg.ConfigOpts()
        service_conf.register_opts(conf)
        conf([], default_config_files=[], default_config_dirs=[])
        worker = conf.worker
        self.assertGreater(
            int(self.service['TimeoutStartSec']), worker.startup_timeout
        )
        self.assertGreater(
            int(self.service['TimeoutStopSec']),
            worker.graceful_shutdown_timeout
            + worker.cancel_grace
            + daemon.CLOSING_TIME,
        )

    def test_signals_reach_the_first_process_only(self) -> None:
        # It passes on what its worker processes need to know.
        self.assertEqual('mixed', self.service['KillMode'])
        self.assertEqual('/bin/kill -HUP $MAINPID', self.service['ExecReload'])
