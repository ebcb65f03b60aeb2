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


"""Many flows, and what may happen to their logbook meanwhile."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import pathlib
import signal
import threading
import typing

import fixtures
from oslotest import base
from sqlalchemy import event

from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import task
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow
from taskflow_service.persistence import backends
from taskflow_service.persistence import models
from taskflow_service.persistence import ownership
from taskflow_service.persistence.backends import impl_sqlalchemy
from tests import servers

FLOWS = 200
PATIENCE = 120
#: Seconds; the least with which an owner lease can be good at all is 1.
LEASE = 3.0


class Counted(task.Task):
    """Counts executions and reverts; calls back at a number of them."""

    def __init__(self, name: str, counter: Counter, size: int = 1) -> None:
        super().__init__(name=name)
        self._counter = counter
        self._size = size

    def execute(self) -> str:
        self._counter.add()
        return 'x' * self._size

    def revert(self, **kwargs: typing.Any) -> None:
        self._counter.reverted.append(self.name)


class Counter:
    def __init__(self, number: int) -> None:
        self._lock = threading.Lock()
        self._number = number
        self.count = 0
        self.reached = threading.Event()
        self.reverted: list[str] = []

    def add(self) -> None:
        with self._lock:
            self.count += 1
            if self.count == self._number:
                self.reached.set()


class ManyFlowsTest(base.BaseTestCase):
    def _submit(
        self,
        loop: engines.Loop,
        backend: impl_sqlalchemy.SQLAlchemyBackend,
        counter: Counter,
        large: int | None = None,
        meanwhile: contextlib.AbstractContextManager[None] | None = None,
    ) -> list[typing.Any]:
        """Run many flows; return their futures.

        ``meanwhile`` is entered once they are stored.
        """
        book = models.LogBook('book')
        details = [models.FlowDetail(f'flow {at}') for at in range(FLOWS)]
        for detail in details:
            book.add(detail)
        with contextlib.closing(backend.get_connection()) as connection:
            connection.upgrade()
            connection.save_logbook(book)
        if meanwhile is not None:
            meanwhile.__enter__()
            self.addCleanup(meanwhile.__exit__, None, None, None)
        submitted = []
        for number, detail in enumerate(details):
            size = 20 * 1024 * 1024 if number == large else 1
            flow = linear_flow.Flow('flow').add(
                Counted('a', counter),
                Counted('b', counter, size),
                Counted('c', counter),
            )
            engine = engines.load(flow, flow_detail=detail, backend=backend)
            submitted.append(loop.submit(engine))
        return submitted

    def _states(self, backend: typing.Any) -> dict[str, int]:
        states: dict[str, int] = {}
        with contextlib.closing(backend.get_connection()) as connection:
            for flow in connection.find_flows(limit=FLOWS):
                states[flow.state] = states.get(flow.state, 0) + 1
                self.assertIsNone(flow.owner)
        return states

    def _restarted(self, server: typing.Any) -> None:
        backend = backends.fetch(server.url)
        self.addCleanup(backend.close)
        counter = Counter(FLOWS)
        loop = engines.Loop()
        self.addCleanup(loop.close)
        submitted = self._submit(loop, backend, counter)
        self.assertTrue(counter.reached.wait(PATIENCE))
        server.server.restart()
        for future in submitted:
            future.result(PATIENCE)
        self.assertEqual({'SUCCESS': FLOWS}, self._states(backend))
        self.assertEqual(3 * FLOWS, counter.count)
        self.assertEqual([], counter.reverted)
        loop.close()
        backend.close()
        self.assertEqual(
            [],
            [
                each.name
                for each in threading.enumerate()
                if each.name.startswith(('taskflow-', 'tfs-'))
            ],
        )

    def test_postgresql_is_restarted(self) -> None:
        self._restarted(self.useFixture(servers.PostgreSQL(private=True)))

    def test_mariadb_is_restarted(self) -> None:
        self._restarted(self.useFixture(servers.MariaDB(private=True)))

    def _errors(self, url: str) -> None:
        """Fail every fifth commit: before it, after it, as a deadlock."""
        backend = backends.fetch(url)
        self.addCleanup(backend.close)
        faults = _Faults(backend.engine)
        counter = Counter(1)
        loop = engines.Loop()
        self.addCleanup(loop.close)
        submitted = self._submit(loop, backend, counter, meanwhile=faults)
        for future in submitted:
            future.result(PATIENCE)
        self.assertGreaterEqual(faults.count, 3)
        self.assertEqual({'SUCCESS': FLOWS}, self._states(backend))
        self.assertEqual(3 * FLOWS, counter.count)
        self.assertEqual([], counter.reverted)

    def test_errors_of_postgresql(self) -> None:
        self._errors(self.useFixture(servers.PostgreSQL()).url)

    def test_errors_of_mariadb(self) -> None:
        self._errors(self.useFixture(servers.MariaDB()).url)

    def test_a_result_beyond_the_packet_of_mariadb(self) -> None:
        backend = backends.fetch(self.useFixture(servers.MariaDB()).url)
        self.addCleanup(backend.close)
        counter = Counter(1)
        loop = engines.Loop()
        self.addCleanup(loop.close)
        submitted = self._submit(loop, backend, counter, large=77)
        for number, future in enumerate(submitted):
            if number == 77:
                error = self.assertRaises(
                    exceptions.ValueTooLarge, future.result, PATIENCE
                )
                self.assertIn("'b'", str(error))
            else:
                future.result(PATIENCE)
        self.assertEqual(
            {'SUCCESS': FLOWS - 1, 'REVERTED': 1}, self._states(backend)
        )
        self.assertEqual({'a', 'b'}, set(counter.reverted))


class Silent(task.Task):
    """Gives a last sign of life once it may, and ends once it may."""

    heartbeat_timeout = 2.0

    def __init__(self) -> None:
        super().__init__('silent')
        self.speak = threading.Event()
        self.spoken = threading.Event()
        self.end = threading.Event()

    def execute(self) -> None:
        self.speak.wait(PATIENCE)
        self.update_progress(0.5)
        self.spoken.set()
        self.end.wait(PATIENCE)
        # Now it is judged; there is time for it to hear of that.
        cancellation = task.current().cancellation
        cancellation.wait(0.5)
        cancellation.raise_if_cancelled()


class OutageTest(base.BaseTestCase):
    def test_an_outage_is_no_silence(self) -> None:
        server = self.useFixture(servers.PostgreSQL(private=True))
        backend = backends.fetch(server.url)
        self.addCleanup(backend.close)
        backend.get_connection().upgrade()
        silent = Silent()

        def stop() -> None:
            server.server.stop()
            silent.speak.set()
            silent.spoken.wait(PATIENCE)

        class Said(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                text = record.getMessage()
                if 'cannot be reached' in text:
                    # For longer than the task may be silent.
                    later = threading.Timer(2.5, server.server.start)
                    later.start()
                elif 'can be reached again' in text:
                    silent.end.set()

        logger = logging.getLogger('taskflow_service.engines.commits')
        said = Said()
        logger.addHandler(said)
        self.addCleanup(logger.removeHandler, said)
        engine = engines.load(
            unordered_flow.Flow('f').add(
                silent, task.FunctorTask(stop, name='stop')
            ),
            engine='parallel',
            backend=backend,
        )
        engine.run()
        self.assertTrue(silent.end.is_set())
        self.assertEqual('SUCCESS', engine.storage.get_flow_state())


class _Faults:
    """Errors around the commits of the loop's writer, in turn."""

    def __init__(self, engine: typing.Any) -> None:
        self._engine = engine
        self._dbapi = engine.dialect.loaded_dbapi
        self._autocommit = engine.dialect.name == 'postgresql'
        self._real = engine.dialect.do_commit
        self._seen = 0
        self.count = 0

    def __enter__(self) -> None:
        if self._autocommit:
            event.listen(self._engine, 'before_cursor_execute', self._before)
            event.listen(self._engine, 'after_cursor_execute', self._after)
        else:
            self._engine.dialect.do_commit = self._commit

    def __exit__(self, *exc_info: object) -> None:
        if self._autocommit:
            event.remove(self._engine, 'before_cursor_execute', self._before)
            event.remove(self._engine, 'after_cursor_execute', self._after)
        else:
            self._engine.dialect.do_commit = self._real

    def _raise(self, kind: int) -> None:
        self.count += 1
        if self._autocommit:
            if kind == 2:
                raise self._dbapi.errors.DeadlockDetected('deadlock detected')
            raise self._dbapi.OperationalError('connection lost')
        if kind == 2:
            text = 'Deadlock found when trying to get lock'
            raise self._dbapi.OperationalError(1213, text)
        raise self._dbapi.OperationalError(2013, 'Lost connection')

    def _next(self) -> int:
        """Which fault it is this time: 0 and 2 before, 1 after, else none."""
        self._seen += 1
        return (self._seen // 5) % 3 if self._seen % 5 == 0 else 3

    def _commit(self, dbapi: typing.Any) -> None:
        kind = self._next()
        if kind in (0, 2):
            self._raise(kind)
        self._real(dbapi)
        if kind == 1:
            self._raise(kind)

    def _before(self, conn, cursor, statement, *args) -> None:
        if statement.startswith('WITH given'):
            self._kind = self._next()
            if self._kind in (0, 2):
                self._raise(self._kind)

    def _after(self, conn, cursor, statement, *args) -> None:
        if statement.startswith('WITH given') and self._kind == 1:
            self._raise(1)


class Waiting(task.Task):
    """Says that it has started, and waits to be let go."""

    def __init__(self, directory: str, name: str) -> None:
        super().__init__(name=name)
        self._directory = directory

    def execute(self) -> str:
        with open(f'{self._directory}/started.{self.name}', 'w') as pipe:
            pipe.write('started')
        with open(f'{self._directory}/go.{self.name}') as pipe:
            return pipe.read()


class PausedTest(base.BaseTestCase):
    """A process that sleeps for longer than its lease."""

    def setUp(self) -> None:
        super().setUp()
        self.directory = self.useFixture(fixtures.TempDir()).path
        for name in ('f', 'g'):
            for what in ('started', 'go'):
                os.mkfifo(f'{self.directory}/{what}.{name}')

    def _backend(self, name: str) -> impl_sqlalchemy.SQLAlchemyBackend:
        return impl_sqlalchemy.SQLAlchemyBackend(
            {'connection': self.url},
            make_ownership=lambda registry: ownership.Ownership(
                registry, name, f'host.{name}', lambda other: False, LEASE
            ),
        )

    def _drive(self, told: typing.Any) -> None:
        """Run both flows in one loop; say how each ended."""
        backend = self._backend('one')
        connection = backend.get_connection()
        loop = engines.Loop()
        submitted = {
            name: loop.submit(
                engines.load(
                    linear_flow.Flow(name).add(Waiting(self.directory, name)),
                    engine='parallel',
                    flow_detail=connection.get_flow_details(name),
                    backend=backend,
                )
            )
            for name in ('f', 'g')
        }
        for name, future in submitted.items():
            error = future.exception(PATIENCE)
            told.send((name, type(error).__name__))
        loop.close()
        backend.close()

    def _paused(self) -> None:
        two = self._backend('two')
        self.addCleanup(two.close)
        connection = two.get_connection()
        connection.upgrade()
        book = models.LogBook('book')
        for name in ('f', 'g'):
            book.add(models.FlowDetail(name, name))
        connection.save_logbook(book)
        # What the child inherits must not be an open connection.
        two.close()
        context = multiprocessing.get_context('fork')
        heard, told = context.Pipe(duplex=False)
        child = context.Process(target=self._drive, args=(told,))
        child.start()
        self.addCleanup(child.kill)
        for name in ('f', 'g'):
            pathlib.Path(f'{self.directory}/started.{name}').read_text()

        os.kill(child.pid, signal.SIGSTOP)
        claim = two.claim('f', PATIENCE)
        self.assertEqual(2, claim.epoch)
        before = connection.get_flow_details('f')
        os.kill(child.pid, signal.SIGCONT)
        for name in ('f', 'g'):
            pathlib.Path(f'{self.directory}/go.{name}').write_text('result')
        ended = {}
        while len(ended) < 2 and heard.poll(PATIENCE):
            name, error = heard.recv()
            ended[name] = error
        child.join(PATIENCE)

        self.assertEqual({'f': 'FlowOwnershipLost', 'g': 'NoneType'}, ended)
        after = connection.get_flow_details('f')
        self.assertEqual(
            ('two', 2, before.turn), (after.owner, after.epoch, after.turn)
        )
        self.assertEqual(
            [(each.state, each.results) for each in before],
            [(each.state, each.results) for each in after],
        )
        self.assertEqual('SUCCESS', connection.get_flow_details('g').state)

    def test_on_sqlite(self) -> None:
        self.url = f'sqlite:///{self.directory}/logbook.sqlite'
        self._paused()

    def test_on_postgresql(self) -> None:
        self.url = self.useFixture(servers.PostgreSQL()).url
        self._paused()

    def test_on_mariadb(self) -> None:
        self.url = self.useFixture(servers.MariaDB()).url
        self._paused()
