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

"""A loop that ends hands its flows over to whoever goes on with them."""

from __future__ import annotations

from concurrent import futures
import contextlib
import pathlib
import threading
import typing

import fixtures
from oslo_config import cfg
from oslotest import base

from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import states
from taskflow_service import task
from taskflow_service.engines import adoption
from taskflow_service.engines import helpers
from taskflow_service.patterns import linear_flow
from taskflow_service.persistence import backends
from tests import remote


class _Case(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.notes = remote.new_notes()
        self.bus = self.useFixture(remote.Bus())
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.url = f'sqlite:///{folder}/logbook'
        self.addCleanup(self.notes.go_on.set)

    def _durable(self, conf: cfg.ConfigOpts) -> cfg.ConfigOpts:
        conf.set_override('backend', 'sqlalchemy', 'persistence')
        conf.set_override('connection', self.url, 'database')
        backend = backends.from_conf(conf, upgrade=True)
        assert backend is not None
        self.addCleanup(backend.close)
        return conf

    def _submit(
        self, conf: cfg.ConfigOpts, flow: typing.Any, engine: str
    ) -> tuple[engines.Loop, futures.Future[None], str]:
        loop = engines.Loop(conf)
        self.addCleanup(loop.close, False)
        made = engines.load(flow, conf=conf, engine=engine)
        future = loop.submit(made)
        self.assertTrue(self.notes.running.acquire(timeout=remote.LONG))
        return loop, future, made.storage.flow_uuid

    def _detail(self, conf: cfg.ConfigOpts, uuid: str) -> typing.Any:
        backend = backends.from_conf(conf)
        assert backend is not None
        with contextlib.closing(backend.get_connection()) as connection:
            return connection.get_flow_details(uuid)

    def _go_on(
        self, conf: cfg.ConfigOpts, flow: typing.Any, uuid: str, engine: str
    ) -> engines.base.Engine:
        made = engines.load(
            flow,
            conf=conf,
            engine=engine,
            flow_detail=self._detail(conf, uuid),
        )
        made.run()
        return made

    def _assert_handed_over(
        self, conf: cfg.ConfigOpts, future: futures.Future[None], uuid: str
    ) -> None:
        error = future.exception(remote.LONG)
        self.assertIsInstance(error, exceptions.FlowHandedOver)
        self.assertIn(uuid, str(error))
        detail = self._detail(conf, uuid)
        self.assertEqual(states.RUNNING, detail.state)
        self.assertIsNone(detail.owner)


class Local(task.Task):
    """Waits for a word, and says that it has heard it."""

    def execute(self) -> None:
        remote.notes.running.release()
        remote.notes.go_on.wait(remote.LONG)
        remote.notes.add(self.name)


class HandOverTest(_Case):
    def test_what_runs_here_ends_and_is_recorded(self) -> None:
        conf = self._durable(self.bus.conf)
        flow = linear_flow.Flow('two').add(Local('first'), Local('second'))
        loop, future, uuid = self._submit(conf, flow, 'parallel')
        closing = threading.Thread(target=loop.close, args=(True, True))
        closing.start()
        self.assertFalse(future.done())
        self.notes.go_on.set()
        closing.join(remote.LONG)
        self._assert_handed_over(conf, future, uuid)
        self.assertEqual(['first'], self.notes.lines)
        self._go_on(conf, flow, uuid, 'parallel')
        self.assertEqual(['first', 'second'], self.notes.lines)

    def test_what_runs_on_a_worker_is_left_to_who_goes_on(self) -> None:
        first = self._durable(self.bus.conf)
        self.bus.worker(remote.Wait, conf=self.bus.make_conf())
        flow = linear_flow.Flow('two').add(
            remote.Wait('first', provides='one'),
            remote.Wait('second', provides='two'),
        )
        loop, future, uuid = self._submit(first, flow, 'workers')
        loop.close(hand_over=True)
        self._assert_handed_over(first, future, uuid)
        self.assertFalse(self.notes.go_on.is_set())
        second = self._durable(self.bus.make_conf())
        second.set_override('name', 'second', 'worker')
        threading.Timer(0.5, self.notes.go_on.set).start()
        made = self._go_on(second, flow, uuid, 'workers')
        self.assertEqual(
            {'one': 'went on', 'two': 'went on'}, made.storage.fetch_all()
        )
        # The first of them was neither stopped nor run again.
        self.assertEqual(
            [('first', 1), ('second', 1)],
            [(attempt.atom, attempt.attempt) for attempt in self.notes.lines],
        )

    def test_a_flow_that_ends_meanwhile_has_ended(self) -> None:
        conf = self._durable(self.bus.conf)
        loop, future, uuid = self._submit(conf, Local('only'), 'parallel')
        closing = threading.Thread(target=loop.close, args=(True, True))
        closing.start()
        self.notes.go_on.set()
        closing.join(remote.LONG)
        self.assertIsNone(future.result(remote.LONG))
        self.assertEqual(states.SUCCESS, self._detail(conf, uuid).state)

    def test_what_was_not_committed_has_not_ended(self) -> None:
        conf = self._durable(self.bus.conf)
        loop, future, uuid = self._submit(conf, Local('only'), 'parallel')
        tried = threading.Event()

        def away(*args: typing.Any) -> typing.Any:
            tried.set()
            raise exceptions.StorageOutage('away')

        with fixtures.MonkeyPatch(
            'taskflow_service.persistence.backends.sqlalchemy.desk'
            '.Writer.commit',
            away,
        ):
            self.notes.go_on.set()
            self.assertTrue(tried.wait(remote.LONG))
            loop.close(hand_over=True)
        error = future.exception(remote.LONG)
        self.assertIsInstance(error, exceptions.StorageOutage)
        self.assertEqual(states.RUNNING, self._detail(conf, uuid).state)

    def test_one_that_is_suspended_stays_so(self) -> None:
        conf = self._durable(self.bus.conf)
        self.bus.worker(remote.Wait, conf=self.bus.make_conf())
        loop = engines.Loop(conf)
        made = engines.load(remote.Wait('only'), conf=conf, engine='workers')
        future = loop.submit(made)
        self.assertTrue(self.notes.running.acquire(timeout=remote.LONG))
        made.suspend()
        loop.close(hand_over=True)
        self.assertIsNone(future.result(remote.LONG))
        detail = self._detail(conf, made.storage.flow_uuid)
        self.assertEqual(
            (states.SUSPENDED, None), (detail.state, detail.owner)
        )

    def test_one_that_begins_meanwhile_does_not_wait_for_workers(self) -> None:
        conf = self._durable(self.bus.conf)
        self.bus.worker(remote.Wait, conf=self.bus.make_conf())
        flow = remote.Wait('only')
        loop, future, uuid = self._submit(conf, flow, 'workers')
        loop.close(hand_over=True)
        self._assert_handed_over(conf, future, uuid)
        second = self._durable(self.bus.make_conf())
        second.set_override('name', 'second', 'worker')
        late = engines.Loop(second)
        made = engines.load(
            flow,
            conf=second,
            engine='workers',
            flow_detail=self._detail(second, uuid),
        )
        late._handing_over = True
        future = late.submit(made)
        late.close(hand_over=True)
        self.assertFalse(self.notes.go_on.is_set())
        self._assert_handed_over(second, future, uuid)

    def test_a_flow_that_nobody_could_read_is_run_to_its_end(self) -> None:
        flow = linear_flow.Flow('two').add(Local('first'), Local('second'))
        loop, future, _uuid = self._submit(self.bus.conf, flow, 'parallel')
        loop.close(wait=False, hand_over=True)
        self.notes.go_on.set()
        self.assertIsNone(future.result(remote.LONG))
        self.assertEqual(['first', 'second'], self.notes.lines)


class Fail(Local):
    """Makes its flow revert."""

    def execute(self) -> None:
        super().execute()
        raise ValueError('it is to fail')


def make_flow() -> linear_flow.Flow:
    """Make a flow that ends REVERTED."""
    return linear_flow.Flow('reverts').add(Local('first'), Fail('second'))


class EndedMeanwhileTest(_Case):
    """Two loops see a flow that nobody owns; one of them is late."""

    def setUp(self) -> None:
        super().setUp()
        self.conf = self._durable(self.bus.conf)
        self.conf.set_override(
            'allowed_modules', ['tests.unit'], 'serialization'
        )
        loop, future, self.uuid = self._submit(
            self.conf, make_flow(), 'parallel'
        )
        closing = threading.Thread(target=loop.close, args=(True, True))
        closing.start()
        self.notes.go_on.set()
        closing.join(remote.LONG)
        self._assert_handed_over(self.conf, future, self.uuid)
        detail = self._detail(self.conf, self.uuid)
        engines.save_factory_details(
            detail, make_flow, (), {}, backends.from_conf(self.conf)
        )

    def _end_it(self) -> None:
        """Be the other loop, which is in time."""
        error = self.assertRaises(
            ValueError,
            self._go_on,
            self.conf,
            make_flow(),
            self.uuid,
            'serial',
        )
        self.assertIn('it is to fail', str(error))

    def _look(self) -> adoption.Sweeper:
        """Begin to sweep, and see the flow."""
        loop = engines.Loop(self.conf)
        self.addCleanup(loop.close)
        sweeper = adoption.Sweeper(loop, self.conf)
        (self.seen,) = sweeper._orphans()
        return sweeper

    def test_a_flow_that_ended_after_the_look_is_left_alone(self) -> None:
        sweeper = self._look()
        self._end_it()
        self.assertFalse(sweeper._adopt(self.seen))
        self.assertEqual(['first', 'second'], self.notes.lines)

    def test_who_wants_to_go_on_does_not_begin_anew(self) -> None:
        late = engines.load(
            make_flow(),
            conf=self.conf,
            engine='serial',
            flow_detail=self._detail(self.conf, self.uuid),
        )
        self._end_it()
        error = self.assertRaises(exceptions.FlowEnded, late.run)
        self.assertIn(self.uuid, str(error))
        self.assertEqual(['first', 'second'], self.notes.lines)
        self.assertIsNone(self._detail(self.conf, self.uuid).owner)

    def test_a_flow_that_ended_before_the_claim_is_left_alone(self) -> None:
        sweeper = self._look()
        load = helpers.load_from_detail

        def late(*args: typing.Any, **kwargs: typing.Any) -> typing.Any:
            made = load(*args, **kwargs)
            self._end_it()
            return made

        self.useFixture(
            fixtures.MonkeyPatch(
                'taskflow_service.engines.helpers.load_from_detail', late
            )
        )
        self.assertTrue(sweeper._adopt(self.seen))
        sweeper._loop.close()
        self.assertEqual(['first', 'second'], self.notes.lines)
        detail = self._detail(self.conf, self.uuid)
        self.assertEqual((states.REVERTED, None), (detail.state, detail.owner))
