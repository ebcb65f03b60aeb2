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


"""A shared loop that commits some flows while others take their turns."""

from __future__ import annotations

import contextlib
import threading

import fixtures
from oslotest import base

from taskflow_service import clock as clock_mod
from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import task
from taskflow_service.engines import commits as commits_mod
from taskflow_service.engines import loop as loop_mod
from taskflow_service.patterns import unordered_flow
from taskflow_service.persistence import backends
from taskflow_service.persistence import models
from tests.unit.engines import test_loop

#: Seconds that nothing here needs: what bounds a wait.
LONG = 30


class Busy(engines.Loop):
    """A loop that always has something else to do."""

    def _commit(self):
        self._hand_in()
        super()._commit()


class Gate:
    """Stands before the commits of a backend."""

    def __init__(self, backend):
        self.open = threading.Event()
        self.open.set()
        self.reached = threading.Event()
        self.threads = set()
        self.errors = []
        self.sizes = []
        #: While set, the logbook is away; released for each failure.
        self.away = threading.Event()
        self.failures = threading.Semaphore(0)
        self._make = backend.open_writer
        backend.open_writer = self._open_writer

    def _open_writer(self):
        writer = self._make()
        commit = writer.commit

        def through(changes):
            self.threads.add(threading.current_thread().name)
            self.reached.set()
            self.open.wait(LONG)
            self.sizes.append(len(changes))
            if self.away.is_set():
                self.failures.release()
                raise exceptions.StorageOutage('away')
            error = self.errors.pop(0) if self.errors else None
            if error is not None:
                raise error
            return commit(changes)

        writer.commit = through
        return writer

    def shut(self):
        """Hold the next commit, and say when it is there."""
        self.reached.clear()
        self.open.clear()


class Say(task.Task):
    def execute(self):
        return self.name


class CommitterTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        folder = self.useFixture(fixtures.TempDir()).path
        url = f'sqlite:///{folder}/logbook.sqlite'
        self.backend = backends.fetch({'connection': url})
        self.addCleanup(self.backend.close)
        with contextlib.closing(self.backend.get_connection()) as connection:
            connection.upgrade()
        self.gate = Gate(self.backend)
        self.addCleanup(self.gate.open.set)

    def engine(self, name, *tasks, kept=True, **options):
        detail = None
        if kept:
            book, detail = models.LogBook('b'), models.FlowDetail(name)
            book.add(detail)
            with contextlib.closing(
                self.backend.get_connection()
            ) as connection:
                connection.save_logbook(book)
        return engines.load(
            unordered_flow.Flow(name).add(*map(Say, tasks)),
            flow_detail=detail,
            backend=self.backend if kept else None,
            **options,
        )

    def stored(self, engine):
        with contextlib.closing(self.backend.get_connection()) as connection:
            detail = connection.get_flow_details(engine.storage.flow_uuid)
        return [detail.state, *sorted(atom.state for atom in detail)]

    def held(self, loop):
        """An executor whose flow is committed while it waits at the gate."""
        elsewhere = test_loop.Elsewhere()
        elsewhere.expect(2)
        engine = self.engine('held', 'a', 'b')
        engine.make_executor = lambda shared=False: elsewhere
        engine.executor_key = lambda: 'elsewhere'
        future = loop.submit(engine)
        self.assertTrue(elsewhere.wait())
        self.gate.shut()
        first, second = elsewhere.running
        elsewhere.running = [first]
        elsewhere.let_go()
        self.assertTrue(self.gate.reached.wait(LONG))
        elsewhere.running = [second]
        return engine, future, elsewhere

    def test_other_flows_go_on(self):
        with Busy() as loop:
            engine, future, elsewhere = self.held(loop)
            other = loop.submit(self.engine('other', 'a', 'b', kept=False))
            other.result(LONG)
            self.assertFalse(future.done())
            elsewhere.let_go()
            self.gate.open.set()
            future.result(LONG)
        self.assertEqual(['SUCCESS'] * 3, self.stored(engine))
        self.assertEqual({'taskflow-commits'}, self.gate.threads)

    def test_what_comes_before_the_commit_is_taken_after_it(self):
        with Busy() as loop:
            engine, future, elsewhere = self.held(loop)
            elsewhere.let_go()
            # Another flow's whole way, so that it was looked at.
            loop.submit(self.engine('other', 'a', kept=False)).result(LONG)
            self.assertEqual(
                ['RUNNING', 'RUNNING', 'RUNNING'], self.stored(engine)
            )
            self.gate.open.set()
            future.result(LONG)
        self.assertEqual(['SUCCESS'] * 3, self.stored(engine))

    def test_a_cancellation_meanwhile_is_not_lost(self):
        with Busy() as loop:
            engine, future, elsewhere = self.held(loop)
            engine.cancel()
            elsewhere.expect(2)
            # It cannot be told to stop, and ends by itself.
            elsewhere.let_go()
            self.gate.open.set()
            self.assertTrue(elsewhere.wait())
            # What was done is undone.
            elsewhere.let_go()
            self.assertRaises(exceptions.Cancelled, future.result, LONG)
        self.assertEqual('REVERTED', self.stored(engine)[0])

    def test_an_outage_is_waited_for(self):
        with Busy() as loop:
            engine, future, elsewhere = self.held(loop)
            self.gate.away.set()
            self.gate.open.set()
            # By the second time it is known that it is away.
            self.assertTrue(self.gate.failures.acquire(timeout=LONG))
            self.assertTrue(self.gate.failures.acquire(timeout=LONG))
            try:
                elsewhere.let_go()
                other = loop.submit(self.engine('other', 'a', kept=False))
                # What came is dated, and nobody takes it before it is known
                # for how long the logbook was away.
                outcome, _submission = loop.inbox._items
                self.assertIsNotNone(outcome.received)
                self.assertFalse(other.done())
            finally:
                self.gate.away.clear()
            future.result(LONG)
            other.result(LONG)
            self.assertGreater(loop.away, 0)
        self.assertEqual(['SUCCESS'] * 3, self.stored(engine))

    def test_what_nobody_expects_ends_the_flows_of_the_unit_alone(self):
        with Busy() as loop:
            engine, future, elsewhere = self.held(loop)
            other = self.engine('other', 'a')
            waiting = loop.submit(other)
            self.gate.errors.append(ZeroDivisionError('a bug'))
            self.gate.open.set()
            self.assertRaises(ZeroDivisionError, future.result, LONG)
            waiting.result(LONG)
        self.assertEqual(['RUNNING'] * 3, self.stored(engine))
        self.assertEqual(['SUCCESS'] * 2, self.stored(other))
        # Nobody owns it, so that somebody may go on with it.
        self.engine_again(engine).run()
        self.assertEqual(['SUCCESS'] * 3, self.stored(engine))

    def engine_again(self, engine):
        with contextlib.closing(self.backend.get_connection()) as connection:
            detail = connection.get_flow_details(engine.storage.flow_uuid)
        return engines.load(
            unordered_flow.Flow('held').add(Say('a'), Say('b')),
            flow_detail=detail,
            backend=self.backend,
        )

    def test_many_flows_share_units(self):
        self.useFixture(
            fixtures.MonkeyPatch(f'{loop_mod.__name__}.MOST_FLOWS', 7)
        )
        loaded = [self.engine(f'f{n}', 'a', 'b', 'c') for n in range(60)]
        with engines.Loop() as loop:
            for future in [loop.submit(engine) for engine in loaded]:
                future.result(LONG)
        for engine in loaded:
            self.assertEqual(['SUCCESS'] * 4, self.stored(engine))
        self.assertLess(2 * len(self.gate.sizes), sum(self.gate.sizes))

    def test_a_turn_is_of_so_many_flows(self):
        self.useFixture(
            fixtures.MonkeyPatch(f'{loop_mod.__name__}.MOST_FLOWS', 7)
        )
        turns = loop_mod.Turns()
        for _ in range(10):
            drive = loop_mod.Drive.__new__(loop_mod.Drive)
            drive.finished = False
            turns.inbox.put(drive)
            turns.inbox.put(drive)
        taken = [len(turns.collect()[0]) for _ in range(3)]
        self.assertEqual([7, 4, 0], taken)

    def test_what_nobody_expects_takes_no_room_with_it(self):
        with engines.Loop() as loop:
            first = self.engine('first', 'a', engine='parallel', max_workers=1)
            self.gate.errors.append(ZeroDivisionError('a bug'))
            future = loop.submit(first)
            self.assertRaises(ZeroDivisionError, future.result, LONG)
            second = self.engine(
                'second', 'a', engine='parallel', max_workers=1
            )
            loop.submit(second).result(LONG)
        self.assertEqual({'taskflow-loop'}, self.gate.threads)

    def test_a_loop_that_ends_waits_for_its_commit(self):
        loop = Busy()
        _engine, future, elsewhere = self.held(loop)
        elsewhere.let_go()
        loop.close(wait=False)
        self.assertFalse(future.done())
        self.gate.open.set()
        loop.close()
        self.assertTrue(future.done())
        self.assertNotIn(
            'taskflow-commits', [each.name for each in threading.enumerate()]
        )


class PatienceTest(base.BaseTestCase):
    def test_all_units_share_the_last_patience(self):
        clock = clock_mod.VirtualClock(auto=True)
        told = []
        commits = commits_mod.Commits(clock, told.append)

        def call():
            raise exceptions.StorageOutage('away')

        commits.stopping.set()
        for _ in range(10):
            self.assertRaises(
                exceptions.StorageOutage, commits._through_outages, call, 1
            )
        self.assertLess(clock.monotonic(), 2 * commits_mod.LAST_PATIENCE)
        self.assertEqual([True, False], told)
        # It was there again: that is another outage.
        self.assertEqual('here', commits._wait_for(lambda: 'here'))
        began = clock.monotonic()
        self.assertRaises(
            exceptions.StorageOutage, commits._through_outages, call, 1
        )
        self.assertLessEqual(
            began + commits_mod.LAST_PATIENCE, clock.monotonic()
        )
