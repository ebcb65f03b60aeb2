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
"""Old and new beside each other: databases on servers, workers."""

from __future__ import annotations

import importlib
import pathlib
import sys

import fixtures
from oslotest import base

from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import identity
from taskflow_service.executors import hub
from taskflow_service.messaging import transport
from taskflow_service.patterns import linear_flow
from taskflow_service.protocol import messages
from tests import daemons
from tests import servers
from tests.conformance import upgrades


class PostgreSQLUpgradeTest(upgrades.UpgradeSuite, base.BaseTestCase):
    def make_url(self, path: pathlib.Path, version: str) -> str:
        url = self.useFixture(servers.PostgreSQL()).url
        upgrades.copy_rows(path, url, version)
        return url


class MariaDBUpgradeTest(upgrades.UpgradeSuite, base.BaseTestCase):
    def make_url(self, path: pathlib.Path, version: str) -> str:
        url = self.useFixture(servers.MariaDB()).url
        upgrades.copy_rows(path, url, version)
        return url


LONG = 60
OLD = """
from taskflow_service import task

class Note(task.Task):
    version = (1, 0)
    default_provides = 'by'
    def execute(self):
        return 'old code'
"""
NEW = OLD.replace('(1, 0)', '(1, 1)').replace('old code', 'new code')
NEW += """
class Extra(task.Task):
    def execute(self):
        return 'extra'

# And it speaks a version of the protocol that the old code cannot read.
from taskflow_service.protocol import messages
messages.VERSION = (2, 0)
"""


class RolloutTest(base.BaseTestCase):
    """Engines have the new code while some workers still have the old."""

    def setUp(self) -> None:
        super().setUp()
        # The new code is imported into this process as well.
        self.useFixture(
            fixtures.MonkeyPatch(
                'taskflow_service.protocol.messages.VERSION', messages.VERSION
            )
        )
        self.broker = self.useFixture(servers.RabbitMQ())
        self.old = self._daemon(OLD, {'r.note': 'rolled:Note'}, 'old')
        self.program = self.old.start()
        self.old.await_ready()

    def _daemon(
        self, code: str, tasks: dict[str, str], name: str
    ) -> daemons.Daemon:
        daemon = self.useFixture(
            daemons.Daemon(
                self.broker, modules={'rolled': code}, tasks=tasks, name=name
            )
        )
        conf = daemon.conf
        self.addCleanup(transport.forget, conf)
        self.addCleanup(lambda: identity.of_process(conf).close())
        self.addCleanup(hub.forget, conf)
        return daemon

    def _new_daemon(self) -> daemons.Daemon:
        tasks = {'r.note': 'rolled:Note', 'r.extra': 'rolled:Extra'}
        daemon = self._daemon(NEW, tasks, 'new')
        sys.path.insert(0, str(daemon.site))
        self.addCleanup(sys.path.remove, str(daemon.site))
        self.addCleanup(sys.modules.pop, 'rolled', None)
        return daemon

    def test_what_only_new_workers_know_waits_for_one(self) -> None:
        daemon = self._new_daemon()
        rolled = importlib.import_module('rolled')
        flow = linear_flow.Flow('f').add(
            rolled.Extra('extra', provides='x'), rolled.Note('note')
        )
        engine = engines.load(flow, conf=daemon.conf)
        with engines.Loop(daemon.conf) as loop:
            future = loop.submit(engine)
            program = daemon.start()
            daemon.await_ready()
            future.result(LONG)
        self.assertEqual('new code', engine.storage.fetch('by'))
        self.assertEqual((2, 0), messages.VERSION)
        self.assertEqual('extra', engine.storage.fetch('x'))
        daemon.drain(program)
        self.old.drain(self.program)

    def test_it_waits_no_longer_than_it_may_and_says_for_what(self) -> None:
        daemon = self._new_daemon()
        rolled = importlib.import_module('rolled')
        rolled.Note.start_timeout = 1.5
        flow = linear_flow.Flow('f').add(rolled.Note('note'))
        error = self.assertRaises(
            exceptions.StartTimeout, engines.run, flow, conf=daemon.conf
        )
        # Which versions there are it says where it has heard of a worker.
        self.assertIn('no live worker serves r.note', str(error))
        self.old.drain(self.program)

    def test_old_engines_are_served_by_new_workers(self) -> None:
        self.old.drain(self.program)
        daemon = self._new_daemon()
        program = daemon.start()
        daemon.await_ready()
        sys.path.insert(0, str(self.old.site))
        self.addCleanup(sys.path.remove, str(self.old.site))
        rolled = importlib.import_module('rolled')
        self.assertEqual((1, 0), rolled.Note.version)
        self.assertEqual((1, 0), messages.VERSION)
        flow = linear_flow.Flow('f').add(rolled.Note('note'))
        results = engines.run(flow, conf=self.old.conf)
        self.assertEqual('new code', results['by'])
        daemon.drain(program)

    def test_new_engines_are_served_by_old_workers(self) -> None:
        self._new_daemon()
        rolled = importlib.import_module('rolled')
        self.assertEqual((2, 0), messages.VERSION)
        # What the old workers know of the tasks is enough.
        rolled.Note.version = (1, 0)
        flow = linear_flow.Flow('f').add(rolled.Note('note'))
        results = engines.run(flow, conf=self.old.conf)
        self.assertEqual('old code', results['by'])
        self.old.drain(self.program)
        self.assertNotIn('does not take', self.old.read_log())
