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


"""What a user of the workers engine sees, whichever bus is below.

A test class mixes this in, beside ``oslotest.base.BaseTestCase``, and sets
``bus`` (a ``tests.remote.Bus``) in its ``setUp`` before it calls ours.
"""

from __future__ import annotations

from concurrent import futures
import time
import typing

from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import states
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow
from tests import remote

SERVED = (
    remote.Add,
    remote.Beat,
    remote.Break,
    remote.Quick,
    remote.Unstorable,
    remote.Wait,
)


class RemoteFlowSuite:
    """The cases; the workers are in this process, under other names."""

    bus: remote.Bus

    def setUp(self) -> None:
        super().setUp()  # type: ignore[misc]
        self.notes = remote.new_notes()
        self.test = typing.cast(typing.Any, self)

    def _load(self, flow: typing.Any, **options: typing.Any) -> typing.Any:
        return engines.load(
            flow, engine='workers', conf=self.bus.conf, **options
        )

    def _chain(self, length: int) -> linear_flow.Flow:
        flow = linear_flow.Flow('chain')
        for number in range(length):
            flow.add(
                remote.Add(
                    number,
                    name=f'add {number}',
                    provides=f'total {number}',
                    rebind={'number': f'total {number - 1}'},
                )
            )
        return flow

    def test_results_go_from_task_to_task(self) -> None:
        self.bus.worker(*SERVED)
        engine = self._load(self._chain(5), store={'total -1': 100})
        engine.run()
        self.test.assertEqual(states.SUCCESS, engine.storage.get_flow_state())
        self.test.assertEqual(110, engine.storage.fetch('total 4'))

    def test_a_remote_failure_is_raised_and_what_was_done_is_reverted(
        self,
    ) -> None:
        self.bus.worker(*SERVED)
        flow = linear_flow.Flow('broken').add(
            remote.Add(name='done'), remote.Break(name='breaks')
        )
        engine = self._load(flow, store={'number': 1, 'what': 'glass'})
        self.test.assertRaises(remote.Broken, engine.run)
        self.test.assertEqual(states.REVERTED, engine.storage.get_flow_state())
        (failure,) = engine.storage.get_execute_failures().values()
        self.test.assertIn('glass broke', failure.pformat(traceback=True))
        self.test.assertIn('in execute', failure.traceback_str)
        self.test.assertEqual(
            [('execute', 'done'), ('revert', 'done', 2)], self.notes.lines
        )

    def test_w3_what_cannot_be_stored_ends_the_flow_and_hangs_nothing(
        self,
    ) -> None:
        self.bus.worker(*SERVED)
        raised = {
            'result': exceptions.ValueNotStorable,
            'argument': remote.Broken,
            'cause': remote.Broken,
            'exit': exceptions.ExecutionFailure,
        }
        for how, error in raised.items():
            engine = self._load(remote.Unstorable(), store={'how': how})
            self.test.assertRaises(error, engine.run)
            self.test.assertEqual(
                states.REVERTED, engine.storage.get_flow_state()
            )

    def test_what_is_ready_together_runs_together(self) -> None:
        for _ in range(2):
            self.bus.worker(*SERVED)
        flow = unordered_flow.Flow('fan-out')
        for number in range(300):
            flow.add(remote.Quick(name=f'quick {number}'))
        engine = self._load(flow)
        engine.run()
        self.test.assertEqual(states.SUCCESS, engine.storage.get_flow_state())

    def test_flows_of_one_loop_share_the_workers(self) -> None:
        self.bus.worker(*SERVED)
        with engines.Loop(self.bus.conf) as loop:
            runs = [
                loop.submit(
                    self._load(self._chain(3), store={'total -1': number})
                )
                for number in range(20)
            ]
            done = futures.wait(runs, timeout=remote.LONG)
        self.test.assertEqual(set(), done.not_done)
        for run in runs:
            run.result()

    def test_a_flow_waits_for_a_worker_and_goes_on_with_the_next(
        self,
    ) -> None:
        first = self.bus.worker(*SERVED, name='blue')
        engine = self._load(self._chain(2), store={'total -1': 0})
        engine.run()
        first.stop()
        engine = self._load(self._chain(2), store={'total -1': 1})
        with futures.ThreadPoolExecutor(1) as pool:
            run = pool.submit(engine.run)
            second = self.bus.worker(*SERVED, name='blue')
            run.result(timeout=remote.LONG)
        self.test.assertEqual(first.name, second.name)
        self.test.assertEqual(2, engine.storage.fetch('total 1'))

    def test_a_worker_that_drains_lets_its_task_end(self) -> None:
        first = self.bus.worker(*SERVED)
        engine = self._load(
            linear_flow.Flow('two').add(
                remote.Wait(name='wait'), remote.Add(name='add')
            ),
            store={'number': 1},
        )
        with futures.ThreadPoolExecutor(2) as pool:
            run = pool.submit(engine.run)
            self.test.assertTrue(
                self.notes.running.acquire(timeout=remote.LONG)
            )
            stop = pool.submit(first.stop)
            self.bus.worker(*SERVED)
            self.notes.go_on.set()
            stop.result(timeout=remote.LONG)
            run.result(timeout=remote.LONG)
        self.test.assertEqual('went on', engine.storage.get('wait'))
        self.test.assertEqual(1, len(self.notes.lines[:1]))

    def _stop_at_once(self, idempotent: bool) -> typing.Any:
        """Have a worker end whose task takes longer than the grace time."""
        first = self.bus.worker(*SERVED)
        task = remote.Wait(name='wait')
        task.idempotent = idempotent
        engine = self._load(task)
        with futures.ThreadPoolExecutor(1) as pool:
            run = pool.submit(engine.run)
            self.test.assertTrue(
                self.notes.running.acquire(timeout=remote.LONG)
            )
            self.bus.worker(*SERVED)
            first.stop(timeout=0.0)
            error = run.exception(timeout=remote.LONG)
        return engine, error

    def test_what_outlasts_a_drain_runs_elsewhere_if_it_may(self) -> None:
        engine, error = self._stop_at_once(idempotent=True)
        self.test.assertIsNone(error)
        self.test.assertEqual('went on', engine.storage.get('wait'))
        self.test.assertEqual(
            [1, 2], [attempt.attempt for attempt in self.notes.lines]
        )

    def test_what_outlasts_a_drain_is_lost_if_it_may_not(self) -> None:
        _engine, error = self._stop_at_once(idempotent=False)
        self.test.assertIsInstance(error, exceptions.WorkerLost)
        self.test.assertEqual(1, len(self.notes.lines))

    def test_workers_forget_what_is_recorded(self) -> None:
        worker = self.bus.worker(*SERVED)
        self._load(self._chain(3), store={'total -1': 0}).run()
        # A drain ends as soon as nothing is held any more.
        began = self._now()
        worker.stop(timeout=remote.LONG)
        self.test.assertLess(self._now() - began, remote.LONG / 2)

    def _now(self) -> float:
        return time.monotonic()

    def test_w14_a_cancelled_flow_stops_its_tasks(self) -> None:
        self.bus.worker(*SERVED)
        engine = self._load(remote.Wait(name='wait'))
        with futures.ThreadPoolExecutor(1) as pool:
            run = pool.submit(engine.run)
            self.test.assertTrue(
                self.notes.running.acquire(timeout=remote.LONG)
            )
            engine.cancel(reason='not wanted')
            error = run.exception(timeout=remote.LONG)
        self.test.assertIsInstance(error, exceptions.Cancelled)
        # The task has heard of it, where it runs.
        self.test.assertTrue(self.notes.go_on.is_set())
        self.test.assertEqual(states.REVERTED, engine.storage.get_flow_state())

    def test_a_flow_that_is_late_stops_its_tasks(self) -> None:
        self.bus.worker(*SERVED)
        engine = self._load(remote.Wait(name='wait'), deadline=4.0)
        self.test.assertRaises(exceptions.DeadlineExceeded, engine.run)
        self.test.assertTrue(self.notes.go_on.is_set())
        self.test.assertEqual(states.REVERTED, engine.storage.get_flow_state())

    def test_w14_signs_of_life_are_heard_where_the_task_runs(self) -> None:
        self.bus.worker(*SERVED)
        # For longer than its timeout, with no report in between.
        self._load(remote.Beat(), store={'beats': 8}).run()
        silent = remote.Wait(name='silent')
        silent.heartbeat_timeout = 0.5
        engine = self._load(silent)
        self.test.assertRaises(exceptions.HeartbeatTimeout, engine.run)

    def test_w14_a_task_that_runs_too_long_is_stopped(self) -> None:
        self.bus.worker(*SERVED)
        long = remote.Wait(name='long')
        long.run_timeout = 0.5
        engine = self._load(long)
        self.test.assertRaises(exceptions.RunTimeout, engine.run)
        self.test.assertEqual(states.REVERTED, engine.storage.get_flow_state())
