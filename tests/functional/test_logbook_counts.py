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

"""How many commits a run costs, from ``run()`` to its return.

Renewals of the owner lease, which go by time, are not counted.
"""

from __future__ import annotations

import contextlib
import typing

import fixtures
from oslotest import base
from sqlalchemy import event

from taskflow_service import engines
from taskflow_service import task
from taskflow_service.executors import base as executors_base
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow
from taskflow_service.persistence import backends
from taskflow_service.persistence import models
from tests import servers

TASKS = 40


class Step(task.Task):
    default_provides = 'value'

    def execute(self, value: int = 0) -> int:
        return value + 1


class InBatches(executors_base.Executor):
    """Delivers the outcomes of all that runs in so many batches."""

    def __init__(self, batches: int) -> None:
        self._batches = batches
        self._running: list[executors_base.Request] = []
        self._size = 0

    def place(
        self, offer: executors_base.Offer
    ) -> list[executors_base.Request]:
        return [offer.take() for _ in range(len(offer))]

    def start(self, requests: list[executors_base.Request]) -> None:
        self._running += requests
        self._size = len(self._running) // self._batches

    def release(self, requests: list[executors_base.Request]) -> None:
        pass

    def idle(self) -> None:
        batch = self._running[: self._size]
        del self._running[: self._size]
        for request in batch:
            self.deliver(
                executors_base.Outcome(request, executors_base.End.OK, 1)
            )

    def close(self) -> None:
        pass


@contextlib.contextmanager
def commits(engine: typing.Any) -> typing.Iterator[list[str]]:
    """Collect, for each commit of a write, its first statement."""
    seen: list[str] = []
    begun: dict[int, str] = {}

    def sent(conn, cursor, statement, *args):  # type: ignore[no-untyped-def]
        key = id(conn.connection.dbapi_connection)
        if conn.get_execution_options().get('isolation_level') != 'AUTOCOMMIT':
            begun.setdefault(key, statement)
        elif statement == 'COMMIT':
            seen.append(begun.pop(key))
        elif statement == 'BEGIN' or key in begun:
            begun.setdefault(key, statement)
        elif not statement.startswith('SELECT'):
            seen.append(statement)

    def committed(conn):  # type: ignore[no-untyped-def]
        first = begun.pop(id(conn.connection.dbapi_connection), '')
        if first and 'UPDATE tfs_owners SET' not in first:
            seen.append(first)

    def ended(conn):  # type: ignore[no-untyped-def]
        begun.pop(id(conn.connection.dbapi_connection), '')

    hooks = (
        ('before_cursor_execute', sent),
        ('commit', committed),
        ('rollback', ended),
    )
    for name, hook in hooks:
        event.listen(engine, name, hook)
    try:
        yield seen
    finally:
        for name, hook in hooks:
            event.remove(engine, name, hook)


class CountsSuite:
    """The cases; ``make_url`` makes a database."""

    def make_url(self) -> str:
        """Make an empty database."""
        raise NotImplementedError

    def setUp(self) -> None:
        super().setUp()  # type: ignore[misc]
        self.backend = backends.fetch(self.make_url())
        self.addCleanup(self.backend.close)
        self.connection = self.backend.get_connection()
        self.connection.upgrade()

    def _commits(self, flow: typing.Any, **options: typing.Any) -> list[str]:
        book = models.LogBook('book')
        detail = models.FlowDetail('flow')
        book.add(detail)
        self.connection.save_logbook(book)
        engine = engines.load(
            flow, flow_detail=detail, backend=self.backend, **options
        )
        with commits(self.backend.engine) as seen:
            engine.run()
        self.assertEqual(
            ['SUCCESS'], [each.state for each in self.connection.find_flows()]
        )
        return seen

    def test_a_chain(self) -> None:
        flow = linear_flow.Flow('chain').add(
            *[Step(f's{number}') for number in range(TASKS)]
        )
        seen = self._commits(flow)
        # Each task is a commit at least: else nothing was counted.
        self.assertGreaterEqual(len(seen), TASKS)
        self.assertLessEqual(len(seen), TASKS + 4, seen)

    def _batches(self, batches: int) -> None:
        flow = unordered_flow.Flow('wide').add(
            *[Step(f's{n}', provides=f'v{n}') for n in range(TASKS)]
        )
        seen = self._commits(
            flow, engine='parallel', executor=InBatches(batches)
        )
        self.assertGreaterEqual(len(seen), batches)
        self.assertLessEqual(len(seen), batches + 5, seen)

    def test_one_batch(self) -> None:
        self._batches(1)

    def test_ten_batches(self) -> None:
        self._batches(10)


class SQLiteTest(CountsSuite, base.BaseTestCase):
    def make_url(self) -> str:
        directory = self.useFixture(fixtures.TempDir()).path
        return f'sqlite:///{directory}/logbook.sqlite'


class PostgreSQLTest(CountsSuite, base.BaseTestCase):
    def make_url(self) -> str:
        return self.useFixture(servers.PostgreSQL()).url


class MariaDBTest(CountsSuite, base.BaseTestCase):
    def make_url(self) -> str:
        return self.useFixture(servers.MariaDB()).url
