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

"""Names under concurrency and kill -9: one holder, and no false proof."""

from __future__ import annotations

import multiprocessing
import pathlib
import random
import subprocess
import sys
import time

import fixtures
from oslo_config import cfg
from oslotest import base
from testtools import content

from taskflow_service import conf as service_conf
from taskflow_service import identity

DEADLINE = 60
PROCESSES = 4
ROUNDS = 50
KILLS = 20

_LOOP = """
import pathlib, sys
from taskflow_service import identity
while True:
    mine = identity.take(pathlib.Path(sys.argv[1]), 'host')
    print(mine.name, mine.incarnation, flush=True)
    mine.close()
"""


def _come_and_go(conf, directory, told):
    wrong = []
    for _ in range(ROUNDS):
        mine = identity.take(directory, 'host')
        if identity.proven_dead(conf, mine.incarnation):
            wrong.append(f'{mine} lives, and is proven dead')
        mine.close()
        # One who takes the name just now has not moved it to the past yet.
        deadline = time.monotonic() + DEADLINE
        while not identity.proven_dead(conf, mine.incarnation):
            if time.monotonic() > deadline:
                wrong.append(f'{mine} is gone, and not proven dead')
                break
    told.send(wrong)


class IdentityTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        path = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.names = path / 'names'
        self.conf = cfg.ConfigOpts()
        service_conf.register_opts(self.conf)
        self.conf([], default_config_files=[], default_config_dirs=[])
        self.conf.set_override('state_path', str(path))

    def test_many_come_and_go(self):
        context = multiprocessing.get_context('fork')
        # Pipes, not a queue, whose semaphores a host may refuse.
        pipes = [context.Pipe(duplex=False) for _ in range(PROCESSES)]
        processes = [
            context.Process(
                target=_come_and_go, args=(self.conf, self.names, told)
            )
            for _heard, told in pipes
        ]
        for process in processes:
            process.start()
        wrong = [
            heard.recv() if heard.poll(DEADLINE) else 'nothing was said'
            for heard, _told in pipes
        ]
        for process in processes:
            process.join(DEADLINE)
        self.assertEqual([[]] * PROCESSES, wrong)
        # A prober takes no name away: there were never more than processes.
        self.assertLessEqual(len(list(self.names.glob('*.lock'))), PROCESSES)

    def test_killed_at_any_moment_the_record_stands(self):
        seed = random.randrange(2**32)
        self.addDetail('seed', content.text_content(str(seed)))
        rng = random.Random(seed)
        for _ in range(KILLS):
            process = subprocess.Popen(
                [sys.executable, '-c', _LOOP, str(self.names)],
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(rng.randrange(1, 30)):
                process.stdout.readline()
            process.kill()
            said = process.communicate(timeout=DEADLINE)[0].split()
            # Whoever was named last before the kill, died by then.
            for incarnation in said[1::2]:
                self.assertTrue(identity.proven_dead(self.conf, incarnation))
        mine = identity.take(self.names, 'host')
        self.addCleanup(mine.close)
        self.assertEqual('host.1', mine.name)
        self.assertGreaterEqual(len(mine.predecessors), KILLS)
