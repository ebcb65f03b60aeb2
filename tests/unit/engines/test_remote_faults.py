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


"""What users of TaskFlow's worker engine saw, and see no more.

The letters are those of the list of its weaknesses. Where others are held,
under the same letters, is listed in the documentation on testing.
"""

from __future__ import annotations

from concurrent import futures
import datetime
import decimal
import threading
import typing
import uuid

import fixtures
from oslotest import base

from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import states
from taskflow_service import task
from taskflow_service.executors import hub
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow
from taskflow_service.persistence import backends
from taskflow_service.protocol.engine import machine
from tests import remote


class Named(task.Task):
    """Served and wanted in versions of its own."""

    version = (1, 3)

    def execute(self) -> str:
        return 'ran'


class Echo(task.Task):
    """Returns what it is given."""

    default_provides = 'same'

    def execute(self, given: typing.Any) -> typing.Any:
        return given


#: What one of three paths of TaskFlow's returned as something else.
VALUES = (
    datetime.datetime(2026, 5, 4, 3, 2, 1, 5, tzinfo=datetime.UTC),
    uuid.UUID(int=7),
    decimal.Decimal('1.10'),
    b'bytes',
    {'a', 'set'},
    ('a', 'tuple', ['of', {'a': 'list'}]),
    {1: 'int', (2, 3): 'tuple'},
)


class FaultsTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.notes = remote.new_notes()
        self.bus = self.useFixture(remote.Bus())

    def _load(self, flow: typing.Any, **store: typing.Any) -> typing.Any:
        return engines.load(
            flow, engine='workers', conf=self.bus.conf, store=store
        )

    def test_w2_a_task_that_was_given_up_does_not_run_later(self) -> None:
        # A worker that serves something else: none is brought by the engine.
        self.bus.worker(remote.Quick)
        late = remote.Add(name='late')
        late.start_timeout = 0.5
        engine = self._load(late, number=1)
        self.assertRaises(exceptions.StartTimeout, engine.run)
        self.bus.worker(remote.Add)
        self._load(remote.Add(name='next'), number=1).run()
        self.assertEqual([('execute', 'next')], self.notes.lines)

    def test_w4_a_message_that_breaks_the_engine_does_not_end_it(self) -> None:
        self.bus.worker(remote.Add)
        original = machine.Engine.received
        broken = iter(range(3))

        def received(engine: machine.Engine, *args: typing.Any) -> None:
            if next(broken, None) is not None:
                raise AttributeError('warnng')
            original(engine, *args)

        self.useFixture(
            fixtures.MonkeyPatch(
                'taskflow_service.protocol.engine.machine.Engine.received',
                received,
            )
        )
        engine = self._load(remote.Add(7), number=1)
        engine.run()
        self.assertEqual(8, engine.storage.fetch('total'))
        self.assertIsNone(next(broken, None))

    def test_w7_a_worker_whose_slots_are_all_taken_is_found(self) -> None:
        self.bus.conf.set_override('slots', 1, 'worker')
        worker = self.bus.worker(remote.Wait, remote.Add)
        with futures.ThreadPoolExecutor(2) as pool:
            busy = pool.submit(self._load(remote.Wait()).run)
            self.assertTrue(self.notes.running.acquire(timeout=remote.LONG))
            late = remote.Add()
            late.start_timeout = 0.5
            # Of another process, which has not heard of the worker yet.
            conf = self.bus.make_conf()
            conf.set_override('name', 'other', 'worker')
            engine = engines.load(
                late, engine='workers', conf=conf, store={'number': 1}
            )
            waiting = pool.submit(engine.run)
            # For longer than it may wait for a worker: there is one.
            self.assertRaises(
                futures.TimeoutError, waiting.result, 3 * late.start_timeout
            )
            self.notes.go_on.set()
            busy.result(remote.LONG)
            waiting.result(remote.LONG)
        self.assertEqual(2, engine.storage.fetch('total'))
        self.assertEqual(2, worker.counts()['ok'])

    def test_w10_a_task_keeps_what_its_constructor_was_given(self) -> None:
        self.bus.worker(remote.Add)
        engine = self._load(remote.Add(7), number=1)
        engine.run()
        self.assertEqual(8, engine.storage.fetch('total'))

    def test_w11_another_major_version_is_not_taken_for_the_same(
        self,
    ) -> None:
        self.bus.worker(Named)
        wanted = Named()
        wanted.version = (2, 0)
        wanted.start_timeout = 0.5
        error = self.assertRaises(
            exceptions.StartTimeout, self._load(wanted).run
        )
        self.assertIn('version 2.0', str(error))
        self.assertIn('1.3', str(error))
        older = Named()
        older.version = (1, 1)
        engine = self._load(older)
        engine.run()
        self.assertEqual(states.SUCCESS, engine.storage.get_flow_state())

    def test_w13_two_engines_do_not_take_each_others_answers(self) -> None:
        self.bus.worker(remote.Add)
        flows = [self._load(remote.Add(n), number=n) for n in range(10)]
        with futures.ThreadPoolExecutor(5) as pool:
            list(pool.map(lambda engine: engine.run(), flows))
        self.assertEqual(
            [2 * n for n in range(10)],
            [engine.storage.fetch('total') for engine in flows],
        )

    def test_w15_a_flow_that_hangs_in_a_listener_holds_up_no_other(
        self,
    ) -> None:
        self.bus.worker(remote.Add)
        hung, go_on = threading.Event(), threading.Event()

        def hang(state: str, details: dict[str, typing.Any]) -> None:
            hung.set()
            go_on.wait(remote.LONG)

        slow = self._load(remote.Add(), number=1)
        slow.atom_notifier.register('SUCCESS', hang)
        quick = self._load(remote.Add(), number=2)
        with engines.Loop(self.bus.conf) as loop:
            hangs = loop.submit(slow)
            self.assertTrue(hung.wait(remote.LONG))
            loop.submit(quick).result(remote.LONG)
            self.assertFalse(hangs.done())
            go_on.set()
            hangs.result(remote.LONG)

    def test_w16_engines_share_one_place_on_the_bus(self) -> None:
        self.bus.worker(remote.Add)
        self._load(remote.Add(), number=0).run()

        def threads() -> list[str]:
            names = (thread.name for thread in threading.enumerate())
            ours = ('tfs-engine', 'tfs-send')
            return sorted(name for name in names if name.startswith(ours))

        before, place = threads(), hub.shared(self.bus.conf)
        with engines.Loop(self.bus.conf) as loop:
            runs = [
                loop.submit(self._load(remote.Add(), number=number))
                for number in range(50)
            ]
            futures.wait(runs, timeout=remote.LONG)
            self.assertEqual(before, threads())
        for run in runs:
            run.result()
        self.assertIs(place, hub.shared(self.bus.conf))

    def test_w19_values_come_back_as_they_went_whoever_runs_it(self) -> None:
        folder = self.useFixture(fixtures.TempDir()).path
        self.bus.worker(Echo)
        kept = backends.fetch({'connection': f'sqlite:///{folder}/logbook'})
        self.addCleanup(kept.close)
        kept.upgrade()
        for options in (
            {'engine': 'serial'},
            {'engine': 'workers'},
            {'engine': 'workers', 'backend': kept},
        ):
            engine = engines.load(
                Echo(),
                conf=self.bus.conf,
                store={'given': VALUES},
                **options,
            )
            engine.run()
            same = engine.storage.fetch('same')
            self.assertEqual(VALUES, same)
            self.assertEqual(
                [type(value) for value in VALUES],
                [type(value) for value in same],
            )

    def test_w20_light_tasks_run_in_the_engine_where_they_say_so(self) -> None:
        worker = self.bus.worker(remote.Add)
        here = task.FunctorTask(lambda: 3, name='three', provides='number')
        here.runs_in = 'engine'
        engine = self._load(linear_flow.Flow('both').add(here, remote.Add(4)))
        engine.run()
        self.assertEqual(7, engine.storage.fetch('total'))
        self.assertEqual(1, worker.counts()['ok'])

    def test_w22_workers_of_one_topic_are_told_apart(self) -> None:
        self.bus.conf.set_override('slots', 1, 'worker')
        for _ in range(2):
            self.bus.worker(remote.Wait, topics=['t'])
        flow = unordered_flow.Flow('two')
        for number in range(2):
            flow.add(remote.Wait(name=f'wait {number}', provides=f'{number}'))
        engine = engines.load(
            flow,
            engine='workers',
            conf=self.bus.conf,
            workers_info={'t': [remote.Wait]},
        )
        with futures.ThreadPoolExecutor(1) as pool:
            run = pool.submit(engine.run)
            for _ in range(2):
                self.assertTrue(
                    self.notes.running.acquire(timeout=remote.LONG)
                )
            self.notes.go_on.set()
            run.result(remote.LONG)
        self.assertEqual(states.SUCCESS, engine.storage.get_flow_state())


class NoBrokerTest(base.BaseTestCase):
    def test_w5_without_a_broker_a_run_ends(self) -> None:
        bus = self.useFixture(remote.Bus('rabbit://127.0.0.1:9/'))
        bus.conf.set_override('lease', 5.0, 'remote')
        lonely = remote.Add(name='lonely')
        lonely.start_timeout = 2.0
        engine = engines.load(
            lonely, engine='workers', conf=bus.conf, store={'number': 1}
        )
        error = self.assertRaises(exceptions.StartTimeout, engine.run)
        self.assertIn('lonely', str(error))
        self.assertIn('the message broker is away', str(error))
        self.assertIn('refused', str(error))
        # Its undo would need a worker as well.
        self.assertEqual(states.FAILURE, engine.storage.get_flow_state())
