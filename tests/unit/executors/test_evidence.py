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

"""What becomes of outcomes that nobody here waits for."""

from __future__ import annotations

import contextlib
import sqlite3
import typing

import fixtures
from oslotest import base

from taskflow_service import exceptions
from taskflow_service.executors import evidence
from taskflow_service.persistence import backends
from taskflow_service.persistence import models
from taskflow_service.protocol import messages
from taskflow_service.protocol.engine import records


class EvidenceTest(base.BaseTestCase):
    def test_what_comes_after_the_end_stays_with_its_worker(self) -> None:
        recorded: list[list[str]] = []
        kept = evidence.Evidence(recorded.append, lambda *_: None)
        kept.know('flow', None)
        late = records.Late(
            messages.Outcome('request', messages.End.OK, flow_uuid='flow'),
            messages.Peer('host.1', 'incarnation'),
        )
        kept.late(late)
        kept.close()
        # The thread that reads the bus may still be at it.
        kept.late(late)
        assert kept._pool is not None
        kept._pool.shutdown(wait=True)
        self.assertEqual([['request']], recorded)


WORKER = messages.Peer('host.1', 'worker')


class LogbookTest(base.BaseTestCase):
    """A flow with one task, whose current request is ``current``."""

    def setUp(self) -> None:
        super().setUp()
        folder = self.useFixture(fixtures.TempDir()).path
        self.file = f'{folder}/logbook.sqlite'
        self.backend = backends.fetch({'connection': f'sqlite:///{self.file}'})
        self.addCleanup(self.backend.close)
        self.backend.upgrade()
        book = models.LogBook('book')
        flow = models.FlowDetail('flow', 'flow')
        task = models.TaskDetail('task', 'task')
        task.request_uuid = 'current'
        flow.add(task)
        book.add(flow)
        with contextlib.closing(self.backend.get_connection()) as connection:
            connection.save_logbook(book)
        self.recorded: list[str] = []
        self.fetched: list[tuple[str, int, messages.Peer]] = []
        self.evidence = evidence.Evidence(
            self.recorded.extend, lambda *asked: self.fetched.append(asked)
        )
        # Of another flow: that is enough to know the logbook.
        self.evidence.know('other', self.backend)

    def _late(self, request_uuid: str, flow_uuid: str = 'flow') -> None:
        outcome = messages.Outcome(
            request_uuid, messages.End.OK, '"value"', flow_uuid=flow_uuid
        )
        self.evidence.late(records.Late(outcome, WORKER))

    def _orphan(self, request_uuid: str, flow_uuid: str = 'flow') -> None:
        orphan = messages.Orphan(request_uuid, flow_uuid, True)
        self.evidence.orphaned(records.Orphaned(orphan, WORKER))

    def _kept(self) -> list[tuple[typing.Any, ...]]:
        """Wait for what is under way; read what is in the table."""
        self.evidence.close()
        assert self.evidence._pool is not None
        self.evidence._pool.shutdown(wait=True)
        self.evidence._pool = None
        with contextlib.closing(sqlite3.connect(self.file)) as connection:
            return connection.execute(
                'SELECT flow_uuid, request_uuid, worker, incarnation '
                'FROM tfs_late_outcomes'
            ).fetchall()

    def test_what_is_superseded_is_kept_once_and_may_be_forgotten(
        self,
    ) -> None:
        for _ in range(2):
            self._late('old')
            self.assertEqual(
                [('flow', 'old', 'host.1', 'worker')], self._kept()
            )
        # Told again, because the worker asks again.
        self.assertEqual(['old', 'old'], self.recorded)

    def test_what_is_current_belongs_to_the_owner_of_the_flow(self) -> None:
        self._late('current')
        self.assertEqual([], self._kept())
        self.assertEqual([], self.recorded)
        self.assertEqual(0, self.evidence.refused)

    def test_a_flow_that_is_not_here_proves_nothing(self) -> None:
        self._late('old', 'elsewhere')
        self._orphan('old', 'elsewhere')
        self.assertEqual([], self._kept())
        self.assertEqual([], self.recorded + self.fetched)

    def test_a_logbook_that_is_away_costs_no_outcome(self) -> None:
        def away() -> typing.NoReturn:
            raise exceptions.StorageOutage('away')

        with fixtures.MonkeyPatch(
            'taskflow_service.persistence.backends.impl_sqlalchemy'
            '.SQLAlchemyBackend.get_connection',
            lambda backend: away(),
        ):
            self._late('old')
            self._orphan('old')
            self.assertEqual([], self._kept())
        self.assertEqual([], self.recorded + self.fetched)
        self._late('old')
        self.assertEqual(1, len(self._kept()))
        self.assertEqual(['old'], self.recorded)

    def test_an_orphan_is_fetched_unless_it_is_current(self) -> None:
        self._orphan('old')
        self._orphan('current')
        self.assertEqual([], self._kept())
        self.assertEqual([('old', 0, WORKER)], self.fetched)

    def test_of_two_logbooks_the_one_that_has_the_flow_keeps_it(self) -> None:
        folder = self.useFixture(fixtures.TempDir()).path
        another = backends.fetch({'connection': f'sqlite:///{folder}/book'})
        self.addCleanup(another.close)
        another.upgrade()
        self.evidence = evidence.Evidence(
            self.recorded.extend, lambda *asked: self.fetched.append(asked)
        )
        self.evidence.know('one', another)
        self.evidence.know('other', self.backend)
        self._late('old')
        self._orphan('older')
        self.assertEqual(1, len(self._kept()))
        self.assertEqual(['old'], self.recorded)
        self.assertEqual([('older', 0, WORKER)], self.fetched)
