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


"""The remote executor over a bus inside this process, without a loop."""

from __future__ import annotations

from collections.abc import Callable
import queue
import threading
import typing

from oslotest import base as test_base

from taskflow_service import demo
from taskflow_service import exceptions
from taskflow_service import task
from taskflow_service.executors import base
from taskflow_service.executors import remote as remote_mod
from tests import remote


class _Run:
    """A flow, as an executor sees it."""

    flow_name = 'flow'
    epoch = 0
    context: dict[str, typing.Any] | None = None

    def __init__(self, poke: Callable[[], None]) -> None:
        self.flow_uuid = 'f-1'
        self.poke = poke


class _Offer:
    """What a flow has ready."""

    def __init__(self, run: _Run, ready: list[base.Request]) -> None:
        self.run = run
        self.ready = list(ready)

    def __len__(self) -> int:
        return len(self.ready)

    def take(self) -> base.Request:
        return self.ready.pop(0)

    def put_back(self, request: base.Request) -> None:
        self.ready.insert(0, request)


class Here(task.Task):
    """Runs in the engine's process."""

    runs_in = 'engine'

    def execute(self) -> int:
        return threading.get_ident()


class NotRemotable(task.Task):
    """Holds what cannot travel."""

    def __init__(self, session: object, name: str | None = None) -> None:
        super().__init__(name)

    def execute(self) -> None:
        pass


class RemoteExecutorTest(test_base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.notes = remote.new_notes()
        self.bus = self.useFixture(remote.Bus())
        self.events: queue.SimpleQueue[base.Outcome | None] = (
            queue.SimpleQueue()
        )
        self.run_ = _Run(lambda: self.events.put(None))

    def _executor(self, **options: typing.Any) -> remote_mod.RemoteExecutor:
        executor = remote_mod.RemoteExecutor(self.bus.conf, **options)
        executor.bind(self.events.put)
        executor.open()
        self.addCleanup(executor.close)
        return executor

    def _request(
        self,
        work: task.Task,
        action: base.Action = base.Action.EXECUTE,
        run: _Run | None = None,
        **arguments: typing.Any,
    ) -> base.Request:
        request = base.Request(run or self.run_, 0, work, action, 1)
        request.arguments = arguments
        return request

    def _drive(
        self,
        executor: remote_mod.RemoteExecutor,
        requests: list[base.Request],
    ) -> list[base.Outcome]:
        """Do what a loop does until all have ended."""
        outcomes: list[base.Outcome] = []
        offer = _Offer(self.run_, requests)
        while len(outcomes) < len(requests):
            placed = executor.place(offer)
            if placed:
                executor.start(placed)
            event = self.events.get(timeout=remote.LONG)
            if event is not None and event.end is not None:
                outcomes.append(event)
                executor.recorded([event.request])
        return outcomes

    def test_a_task_runs_on_a_worker(self) -> None:
        self.bus.worker(remote.Add)
        request = self._request(remote.Add(5, name='five'), number=7)
        (outcome,) = self._drive(self._executor(), [request])
        self.assertEqual((base.End.OK, 12), (outcome.end, outcome.value))
        self.assertEqual([('execute', 'five')], self.notes.lines)
        self.assertIsNotNone(request.request_uuid)
        self.assertIsNotNone(request.worker)
        self.assertIsNotNone(request.incarnation)
        self.assertIsNotNone(outcome.started_at)

    def test_a_failure_comes_with_the_workers_traceback(self) -> None:
        self.bus.worker(remote.Break)
        (outcome,) = self._drive(
            self._executor(), [self._request(remote.Break(), what='glass')]
        )
        self.assertIs(base.End.FAILED, outcome.end)
        self.assertIsInstance(outcome.value.exception, remote.Broken)
        self.assertIn('in execute', outcome.value.traceback_str)

    def test_an_argument_that_cannot_travel_fails_its_task_alone(self) -> None:
        self.bus.worker(remote.Add)
        executor = self._executor()
        bad = self._request(remote.Add(name='bad'), number=threading.Lock())
        good = self._request(remote.Add(name='good'), number=1)
        outcomes = {
            outcome.request.task.name: outcome
            for outcome in self._drive(executor, [bad, good])
        }
        self.assertIs(base.End.OK, outcomes['good'].end)
        self.assertIs(base.End.FAILED, outcomes['bad'].end)
        text = str(outcomes['bad'].value)
        for word in ('bad', 'arguments', 'number', 'lock'):
            self.assertIn(word, text)

    def test_a_revert_runs_on_a_worker(self) -> None:
        self.bus.worker(remote.Add)
        request = self._request(
            remote.Add(name='five'), base.Action.REVERT, result=12
        )
        (outcome,) = self._drive(self._executor(), [request])
        self.assertIs(base.End.OK, outcome.end)
        self.assertEqual([('revert', 'five', 12)], self.notes.lines)

    def test_a_worker_that_comes_later_is_found(self) -> None:
        executor = self._executor()
        request = self._request(remote.Add(), number=1)
        self.assertEqual([], executor.place(_Offer(self.run_, [request])))
        self.assertIn('no live worker serves', request.reason or '')
        self.bus.worker(remote.Add)
        (outcome,) = self._drive_more(executor, 1)
        self.assertEqual(2, outcome.value)

    def _drive_more(
        self, executor: remote_mod.RemoteExecutor, count: int
    ) -> list[base.Outcome]:
        outcomes: list[base.Outcome] = []
        while len(outcomes) < count:
            event = self.events.get(timeout=remote.LONG)
            if event is not None and event.end is not None:
                outcomes.append(event)
            placed = executor.place(_Offer(self.run_, []))
            if placed:
                executor.start(placed)
        return outcomes

    def test_nobody_to_take_it_fails_a_task_at_its_start_timeout(self) -> None:
        executor = self._executor()
        work = remote.Add(name='lonely')
        work.start_timeout = 0.5
        (outcome,) = self._drive(executor, [self._request(work, number=1)])
        self.assertIs(base.End.FAILED, outcome.end)
        self.assertTrue(outcome.value.check(exceptions.StartTimeout))
        for word in ('lonely', 'no live worker serves tests.remote:Add'):
            self.assertIn(word, str(outcome.value))

    def test_no_start_deadline_runs_while_a_logbook_is_away(self) -> None:
        # The machine does not judge then; it serves all loops together.
        one, two = self._executor(), self._executor()
        machine = one._hub.machine
        seen = []
        for executor, away in (
            (one, True),
            (two, True),
            (one, False),
            (two, False),
        ):
            executor.outage(away)
            seen.append(machine.outage)
        self.assertEqual([True, True, True, False], seen)

    def test_what_waits_can_be_withdrawn(self) -> None:
        executor = self._executor()
        request = self._request(remote.Add(), number=1)
        executor.place(_Offer(self.run_, [request]))
        self.assertEqual([request], executor.withdraw(self.run_))
        self.bus.worker(remote.Add)
        self._drive(executor, [self._request(remote.Add(), number=2)])
        self.assertEqual(1, len(self.notes.lines))

    def test_a_probe_is_not_asked_of_who_lost_the_task(self) -> None:
        workers = {self.bus.worker(remote.Probed).name for _ in range(2)}
        executor = self._executor()
        for _ in range(3):
            lost = self._request(remote.Probed())
            self._drive(executor, [lost])
            probe = self._request(remote.Probed(), base.Action.PROBE)
            probe.former = lost
            self._drive(executor, [probe])
            # Where a probe is lost too, that is not the place to avoid.
            again = self._request(remote.Probed(), base.Action.PROBE)
            again.former = probe
            self._drive(executor, [again])
            self.assertEqual(workers, {lost.worker, probe.worker})
            self.assertEqual(probe.worker, again.worker)

    def test_what_comes_back_does_not_wait_anew(self) -> None:
        self.bus.worker(remote.Add)
        executor = self._executor()
        first = self._request(remote.Add(), number=1)
        self._drive(executor, [first])
        first.private.starved = 3.0
        second = self._request(remote.Add(), number=1)
        second.former = first
        self._placed(executor, second)
        self.assertEqual(3.0, second.private.starved)
        executor.release([second])
        other = self._request(remote.Add(), number=1)
        other.former, other.attempt = first, 2
        self._placed(executor, other)
        self.assertEqual(0.0, other.private.starved)

    def test_of_a_flow_that_was_lost_nothing_more_is_sent(self) -> None:
        self.bus.worker(remote.Add)
        executor = self._executor()
        lost = self._request(remote.Add(name='lost'), number=1)
        placed = self._placed(executor, lost)
        executor.hush(self.run_)
        executor.start(placed)
        self.run_ = _Run(lambda: self.events.put(None))
        mine = self._request(remote.Add(name='mine'), number=1)
        self._drive(executor, [mine])
        self.assertEqual([('execute', 'mine')], self.notes.lines)

    def _placed(
        self, executor: remote_mod.RemoteExecutor, request: base.Request
    ) -> list[base.Request]:
        """Wait until a request has a place."""
        offer = _Offer(self.run_, [request])
        placed = executor.place(offer)
        while not placed:
            self.events.get(timeout=remote.LONG)
            placed = executor.place(offer)
        return placed

    def test_a_map_sends_tasks_to_workers_of_a_topic_only(self) -> None:
        self.bus.worker(remote.Add, topics=['red'])
        blue = self.bus.worker(remote.Add, topics=['green', 'blue'])
        for name in (
            remote.Add,
            'tests.remote:Add',
            'tests.remote.Add',
        ):
            executor = self._executor(workers_info={'blue': [name]})
            request = self._request(remote.Add(), number=1)
            self._drive(executor, [request])
            self.assertEqual(blue.name, request.worker)

    def test_a_task_under_no_topic_of_the_map_is_refused(self) -> None:
        executor = self._executor(workers_info={'blue': [remote.Break]})
        error = self.assertRaises(
            exceptions.TaskNotRemotable, executor.check, [remote.Add(name='a')]
        )
        self.assertIn("'a'", str(error))
        self.assertIn('workers_info', str(error))

    def test_what_cannot_travel_is_refused_at_compile(self) -> None:
        executor = self._executor()
        error = self.assertRaises(
            exceptions.TaskNotRemotable,
            executor.check,
            [NotRemotable(threading.Lock(), 'holds')],
        )
        for word in ('holds', 'session', 'lock'):
            self.assertIn(word, str(error))
        error = self.assertRaises(
            exceptions.TaskNotRemotable,
            executor.check,
            [task.FunctorTask(lambda: 1, name='functor')],
        )
        self.assertIn('functor', str(error))
        executor.check([demo.Hello(), Here()])

    def test_a_task_for_the_engine_runs_here(self) -> None:
        self.bus.worker(remote.Add)
        outcomes = self._drive(
            self._executor(),
            [
                self._request(Here(name='here')),
                self._request(remote.Add(name='there'), number=1),
            ],
        )
        workers = {o.request.task.name: o.request.worker for o in outcomes}
        self.assertIsNone(workers['here'])
        self.assertIsNotNone(workers['there'])

    def test_a_cancel_reaches_the_task(self) -> None:
        self.bus.worker(remote.Wait)
        executor = self._executor()
        request = self._request(remote.Wait())
        executor.start(self._placed(executor, request))
        self.assertTrue(self.notes.running.acquire(timeout=remote.LONG))
        executor.cancel(request, 'not wanted')
        outcome = self.events.get(timeout=remote.LONG)
        assert outcome is not None
        self.assertIs(base.End.CANCELLED, outcome.end)
        self.assertIn('not wanted', str(outcome.value))

    def test_w18_a_task_costs_two_messages_and_a_crowd_shares_them(
        self,
    ) -> None:
        worker = self.bus.worker(remote.Add, remote.Quick)
        executor = self._executor()
        self._drive(executor, [self._request(remote.Add(), number=1)])

        def sent() -> int:
            return executor._hub.endpoint.sent + (
                worker._control.endpoint.sent  # type: ignore[union-attr]
            )

        before = sent()
        for number in range(10):
            self._drive(executor, [self._request(remote.Add(), number=number)])
        # Two a task; a heartbeat, or a cast to oneself, may fall in.
        self.assertLessEqual(sent() - before, 2 * 10 + 6)
        before = sent()
        self._drive(
            executor,
            [self._request(remote.Quick(name=f'q{n}')) for n in range(400)],
        )
        # A message each way for every task would be 800.
        self.assertLess(sent() - before, 400)
