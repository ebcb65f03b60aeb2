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

import pathlib

import fixtures
from oslotest import base

from taskflow_service import engines
from taskflow_service import exceptions
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


class _Rollout(base.BaseTestCase):
    """Some processes have the new code while others still have the old."""

    def setUp(self) -> None:
        super().setUp()
        # The new code is imported into this process as well.
        self.useFixture(
            fixtures.MonkeyPatch(
                'taskflow_service.protocol.messages.VERSION', messages.VERSION
            )
        )

    def _conf(self, broker: servers.RabbitMQ, name: str) -> daemons.Daemon:
        return self.useFixture(
            daemons.Daemon(
                broker,
                modules={'rolled': OLD if name == 'old' else NEW},
                tasks={'r.note': 'rolled:Note'}
                | ({} if name == 'old' else {'r.extra': 'rolled:Extra'}),
                name=name,
            )
        )


class NewEngineTest(_Rollout):
    """The worker with the old code is there all the time."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.broker = servers.RabbitMQ()
        cls.old = daemons.Daemon(
            cls.broker,
            modules={'rolled': OLD},
            tasks={'r.note': 'rolled:Note'},
            name='old',
        )
        for fixture in (cls.broker, cls.old):
            fixture.setUp()
            cls.addClassCleanup(fixture.cleanUp)
        cls.old.start()
        cls.old.await_ready()

    def setUp(self) -> None:
        super().setUp()
        self.new = self._conf(self.broker, 'new')
        self.rolled = self.new.import_module('rolled')
        self.assertEqual((2, 0), messages.VERSION)

    def test_what_only_new_workers_know_waits_for_one(self) -> None:
        flow = linear_flow.Flow('f').add(
            self.rolled.Extra('extra', provides='x'), self.rolled.Note('note')
        )
        engine = engines.load(flow, conf=self.new.conf)
        with engines.Loop(self.new.conf) as loop:
            future = loop.submit(engine)
            program = self.new.start()
            self.new.await_ready()
            future.result(LONG)
        self.assertEqual('new code', engine.storage.fetch('by'))
        self.assertEqual('extra', engine.storage.fetch('x'))
        self.new.drain(program)

    def test_it_waits_no_longer_than_it_may_and_says_for_what(self) -> None:
        self.rolled.Note.start_timeout = 1.5
        flow = linear_flow.Flow('f').add(self.rolled.Note('note'))
        error = self.assertRaises(
            exceptions.StartTimeout, engines.run, flow, conf=self.new.conf
        )
        # Which versions there are it says where it has heard of a worker.
        self.assertIn('no live worker serves r.note', str(error))

    def test_old_workers_serve_it(self) -> None:
        # What they know of the task is enough.
        self.rolled.Note.version = (1, 0)
        flow = linear_flow.Flow('f').add(self.rolled.Note('note'))
        results = engines.run(flow, conf=self.new.conf)
        self.assertEqual('old code', results['by'])
        self.assertNotIn('does not take', self.old.read_log())


class OldEngineTest(_Rollout):
    def test_new_workers_serve_it(self) -> None:
        broker = self.useFixture(servers.RabbitMQ())
        new, old = self._conf(broker, 'new'), self._conf(broker, 'old')
        program = new.start()
        new.await_ready()
        rolled = old.import_module('rolled')
        self.assertEqual((1, 0), rolled.Note.version)
        self.assertEqual((1, 0), messages.VERSION)
        flow = linear_flow.Flow('f').add(rolled.Note('note'))
        results = engines.run(flow, conf=old.conf)
        self.assertEqual('new code', results['by'])
        new.drain(program)
