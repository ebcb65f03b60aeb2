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

"""A flow whose process was killed is taken over by a loop that adopts."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import threading

import fixtures
from oslo_config import cfg
from oslotest import base

from taskflow_service import engines
from taskflow_service import identity
from taskflow_service import states
from taskflow_service import task
import taskflow_service.conf
from taskflow_service.patterns import linear_flow
from taskflow_service.persistence import backends

WAIT = 60


class Effect(task.Task):
    """Leaves a line in a file; the first process dies in the second one."""

    def execute(self, path: str) -> None:
        with pathlib.Path(path).open('a') as effects:
            effects.write(f'{self.name}\n')
        if self.name == 'second' and os.environ.get('TFS_DIE'):
            os.kill(os.getpid(), signal.SIGKILL)


def make_flow() -> linear_flow.Flow:
    return linear_flow.Flow('effects').add(
        Effect('first'), Effect('second'), Effect('third')
    )


def make_conf(directory: str) -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    taskflow_service.conf.register_opts(conf)
    conf([], project='taskflow_service', default_config_files=[])
    conf.set_override('state_path', directory)
    conf.set_override('backend', 'sqlalchemy', 'persistence')
    conf.set_override('allowed_modules', ['tests.crash'], 'serialization')
    return conf


def run(directory: str) -> None:
    conf = make_conf(directory)
    engine = engines.load_from_factory(
        make_flow,
        store={'path': f'{directory}/effects'},
        backend=backends.from_conf(conf),
        conf=conf,
    )
    engine.run()


class AdoptionTest(base.BaseTestCase):
    """Somebody goes on where a killed process had stopped."""

    def setUp(self) -> None:
        super().setUp()
        self.directory = self.useFixture(fixtures.TempDir()).path
        done = subprocess.run(
            [
                sys.executable,
                '-c',
                'import sys; from tests.crash import test_adoption;'
                'test_adoption.run(sys.argv[1])',
                self.directory,
            ],
            env={**os.environ, 'TFS_DIE': '1'},
            timeout=WAIT,
        )
        self.assertEqual(-signal.SIGKILL, done.returncode)
        self.conf = make_conf(self.directory)
        self.addCleanup(identity.forget, self.conf)

    def _effects(self) -> list[str]:
        return pathlib.Path(self.directory, 'effects').read_text().split()

    def test_a_living_loop_finishes_the_flow_of_a_dead_process(self) -> None:
        ended = threading.Event()
        with engines.Loop(self.conf, adopt=True) as loop:
            finish = loop._finish

            def watched(drive: object) -> None:
                finish(drive)  # type: ignore[arg-type]
                ended.set()

            loop._finish = watched  # type: ignore[method-assign]
            self.assertTrue(ended.wait(WAIT), 'nobody adopted the flow')
        backend = backends.from_conf(self.conf)
        with contextlib.closing(backend.get_connection()) as connection:
            (flow,) = connection.find_flows()
        self.assertEqual(states.SUCCESS, flow.state)
        self.assertIsNone(flow.owner)
        self.assertEqual(2, flow.epoch)
        # What was recorded does not run again; what had only begun does.
        self.assertEqual(
            ['first', 'second', 'second', 'third'], self._effects()
        )

    def test_a_factory_that_is_not_allowed_is_not_imported(self) -> None:
        self.conf.set_override(
            'allowed_modules', ['somewhere.else'], 'serialization'
        )
        with engines.Loop(self.conf, adopt=True) as loop:
            assert loop._sweeper is not None
            self.assertEqual(0, loop._sweeper.sweep())
        self.assertEqual(['first', 'second'], self._effects())
