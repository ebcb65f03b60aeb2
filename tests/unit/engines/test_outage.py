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

"""What is judged, and how, when the logbook was away for a while."""

from __future__ import annotations

import threading

from oslotest import base

from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import task
from taskflow_service.executors import base as executors_base
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow
from taskflow_service.persistence import backends
from taskflow_service.persistence import models
from tests.unit.engines import hands

LONG = 30


class Away:
    """Has a logbook go away at a commit, until a time has come.

    ``meanwhile`` says what happens at which time.
    """

    def __init__(self, backend, clock, until, meanwhile=()):
        self.commits = 0
        self.begin = None
        self._clock = clock
        self._until = until
        self._meanwhile = list(meanwhile)
        self._open = backend.open_writer
        backend.open_writer = self._open_writer

    def _open_writer(self):
        writer = self._open()
        commit = writer.commit

        def faulty(changes):
            self.commits += 1
            if self.begin is not None and self.commits >= self.begin:
                now = self._clock.monotonic()
                while self._meanwhile and self._meanwhile[0][0] <= now:
                    self._meanwhile.pop(0)[1]()
                if now < self._until:
                    raise exceptions.StorageOutage('the logbook is away')
            return commit(changes)

        writer.commit = faulty
        return writer


class Heard(hands.Say):
    heartbeat_timeout = 10.0


class Bounded(hands.Say):
    run_timeout = 10.0


class OutageTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.backend = backends.fetch({'connection': 'memory'})
        self.addCleanup(self.backend.close)

    def load(self, flow, script, until, meanwhile=(), **options):
        engine = hands.load(flow, script, backend=self.backend, **options)
        self.hand = engine.executor
        self.clock = engine.clock
        self.away = Away(self.backend, self.clock, until, meanwhile)
        return engine

    def unordered(self, *tasks):
        return unordered_flow.Flow('f').add(*tasks)

    def begin(self):
        """Have the logbook be away from the next commit on."""
        self.away.begin = self.away.commits + 1

    def test_an_outcome_that_came_in_time_counts(self):
        # The deadline, 10 s after the start, is judged at 20.
        def script(hand):
            self.begin()
            hand.end('begins')
            yield

        engine = self.load(
            self.unordered(
                hands.Say('begins'), hands.Say('early'), hands.Say('late')
            ),
            script,
            20,
            (
                (5, lambda: self.hand.end('early')),
                (12, lambda: self.hand.end('late')),
            ),
            deadline=10,
        )
        heard = hands.listen(engine)
        self.assertRaises(exceptions.DeadlineExceeded, engine.run)
        self.assertLess(20, engine.clock.monotonic())
        # It was cancelled when it was overdue, and not before.
        self.assertEqual(['late'], list(self.hand.cancelled))
        self.assertIn('early: RUNNING -> SUCCESS', heard)
        self.assertEqual('REVERTED', engine.storage.get_flow_state())

    def test_a_run_timeout_is_not_moved(self):
        def script(hand):
            self.begin()
            hand.end('begins')
            yield
            # What is overdue is cancelled at once when it is back.
            self.times = engine.clock.monotonic(), dict(hand.cancelled)
            hand.end('b', executors_base.End.CANCELLED)
            yield

        engine = self.load(
            self.unordered(hands.Say('begins'), Bounded('a'), Bounded('b')),
            script,
            20,
            ((5, lambda: self.hand.end('a')),),
        )
        self.assertRaises(exceptions.RunTimeout, engine.run)
        now, cancelled = self.times
        self.assertEqual(['b'], list(cancelled))
        self.assertLess(now, 26)

    def test_a_heartbeat_timeout_is_moved_by_its_length(self):
        def script(hand):
            self.begin()
            hand.end('begins')
            yield
            # It was looked at when the logbook was back, and found well.
            self.assertEqual({}, hand.cancelled)
            while not hand.cancelled:
                yield
            hand.end('silent', executors_base.End.CANCELLED)

        engine = self.load(
            self.unordered(hands.Say('begins'), Heard('silent')), script, 40
        )
        self.assertRaises(exceptions.HeartbeatTimeout, engine.run)
        self.assertLess(50, engine.clock.monotonic())

    def test_signs_of_life_during_it_count(self):
        def script(hand):
            self.begin()
            hand.end('begins')
            yield
            hand.end('told')

        engine = self.load(
            self.unordered(hands.Say('begins'), Heard('told')),
            script,
            40,
            ((20, lambda: self.hand.tell('told', 0.5)),),
        )
        engine.run()
        self.assertEqual({}, self.hand.cancelled)

    def test_executors_are_told_how_long_it_lasts(self):
        told = []

        def script(hand):
            hand.outage = lambda away: told.append(
                (away, engine.clock.monotonic())
            )
            self.begin()
            hand.end('begins')
            yield

        engine = self.load(
            linear_flow.Flow('f').add(hands.Say('begins'), hands.Say('b')),
            script,
            20,
        )
        engine.run()
        [(first, began), (last, ended)] = told
        self.assertEqual((True, False), (first, last))
        self.assertLess(began, 1)
        self.assertGreaterEqual(ended, 20)


class ClosedTest(base.BaseTestCase):
    def test_a_loop_is_closed_while_its_logbook_is_away(self):
        backend = backends.fetch({'connection': 'memory'})
        self.addCleanup(backend.close)
        book = models.LogBook('book')
        detail = models.FlowDetail('f')
        book.add(detail)
        backend.get_connection().save_logbook(book)
        tried = threading.Event()
        writer = backend.open_writer()

        def refuse(changes):
            tried.set()
            raise exceptions.StorageOutage('the logbook is away')

        writer.commit = refuse
        backend.open_writer = lambda: writer
        loop = engines.Loop()
        flow = linear_flow.Flow('f').add(task.FunctorTask(print, name='p'))
        future = loop.submit(
            engines.load(flow, flow_detail=detail, backend=backend)
        )
        self.assertTrue(tried.wait(LONG))
        loop.close(hand_over=True)
        self.assertRaises(exceptions.StorageOutage, future.result, LONG)
