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


from __future__ import annotations

from collections.abc import Callable
import queue
import typing

from oslotest import base

from taskflow_service import clock
from taskflow_service import exceptions
from taskflow_service import registry
from taskflow_service.messaging import codec
from taskflow_service.protocol import messages
from taskflow_service.worker import body
from taskflow_service.worker import catalogue
from taskflow_service.worker import runner
from tests import remote
from tests.conformance import transports


class RunnerTest(base.BaseTestCase):
    """The test's thread is the control thread."""

    def setUp(self) -> None:
        super().setUp()
        self.notes = remote.new_notes()
        self.addCleanup(lambda: self.notes.go_on.set())
        self.clock = clock.VirtualClock()
        self.codec = codec.Codec(transports.make_conf('fake://', 'ns'))
        served = registry.tasks_from(
            [remote.Add, remote.Wait, remote.Stubborn]
        )
        self.calls: queue.SimpleQueue[typing.Any] = queue.SimpleQueue()
        self.outcomes: list[tuple[messages.Outcome, bool]] = []
        self.slots_back: list[str] = []
        self.runner = runner.ThreadRunner(
            body.Body(catalogue.Catalogue(served), self.codec),
            typing.cast(runner.Owner, self),
            lambda call, *args: self.calls.put((call, args)),
            10.0,
            self.clock,
        )
        self.addCleanup(self.runner.close)

    # What the control thread does

    def finished(self, outcome: messages.Outcome, freed: bool) -> None:
        self.outcomes.append((outcome, freed))

    def freed(self, request_uuid: str) -> None:
        self.slots_back.append(request_uuid)

    def progressed(self, request_uuid: str, progress: str) -> None:
        pass

    def _pump(self, until: Callable[[], object]) -> None:
        while not until():
            call, args = self.calls.get(timeout=remote.LONG)
            call(*args)

    def _start(self, cls: type, uuid: str, **fields: typing.Any) -> None:
        self.runner.start(
            messages.Request(
                request_uuid=uuid,
                flow_uuid='f',
                atom=uuid,
                task=registry.wire_name(cls),
                **fields,
            )
        )

    def _value(self, index: int = 0) -> typing.Any:
        text = self.outcomes[index][0].value
        assert text is not None
        return self.codec.decode(text)

    def test_requests_run_at_the_same_time(self) -> None:
        for number in range(3):
            self._start(remote.Wait, f'r{number}')
        for _ in range(3):
            self.assertTrue(self.notes.running.acquire(timeout=remote.LONG))
        self.assertEqual(3, len(self.runner.running()))
        self.notes.go_on.set()
        self._pump(lambda: len(self.outcomes) == 3)
        self.assertEqual([], self.runner.running())

    def test_a_cancel_reaches_the_task(self) -> None:
        self._start(remote.Wait, 'r')
        self.assertTrue(self.notes.running.acquire(timeout=remote.LONG))
        self.runner.cancel('r', 'not wanted')
        self._pump(lambda: self.outcomes)
        outcome, freed = self.outcomes[0]
        self.assertIs(messages.End.CANCELLED, outcome.end)
        self.assertTrue(freed)
        self.assertIn('not wanted', str(self._value()))

    def test_a_cancel_of_what_has_ended_is_nothing(self) -> None:
        self.runner.cancel('never heard of', 'x')
        self.assertEqual([], self.outcomes)

    def test_a_task_that_does_not_stop_ends_after_the_grace_time(self) -> None:
        self._start(remote.Stubborn, 'r')
        self.assertTrue(self.notes.running.acquire(timeout=remote.LONG))
        self.runner.cancel('r', 'x')
        self.clock.advance(9.0)
        self.runner.tick()
        self.assertEqual([], self.outcomes)
        self.clock.advance(1.0)
        self.runner.tick()
        outcome, freed = self.outcomes[0]
        self.assertIs(messages.End.CANCELLED, outcome.end)
        self.assertFalse(freed)
        self.assertEqual([], self.slots_back)
        self.notes.go_on.set()
        self._pump(lambda: self.slots_back)
        self.assertEqual(['r'], self.slots_back)
        self.assertEqual(1, len(self.outcomes))

    def test_a_run_timeout_stops_the_task(self) -> None:
        self._start(remote.Wait, 'r', run_timeout=5.0)
        self.assertTrue(self.notes.running.acquire(timeout=remote.LONG))
        self.clock.advance(4.0)
        self.runner.tick()
        self.assertFalse(self.notes.go_on.is_set())
        self.clock.advance(1.0)
        self.runner.tick()
        self._pump(lambda: self.outcomes)
        self.assertIs(messages.End.FAILED, self.outcomes[0][0].end)
        self.assertTrue(self._value().check(exceptions.RunTimeout))

    def test_a_task_without_a_sign_of_life_is_stopped(self) -> None:
        self._start(remote.Wait, 'r', heartbeat_timeout=2.0)
        self.assertTrue(self.notes.running.acquire(timeout=remote.LONG))
        self.clock.advance(2.0)
        self.runner.tick()
        self._pump(lambda: self.outcomes)
        self.assertTrue(self._value().check(exceptions.HeartbeatTimeout))

    def test_threads_are_used_again(self) -> None:
        for number in range(10):
            self._start(
                remote.Add,
                f'r{number}',
                arguments=self.codec.encode({'number': number}),
            )
            self._pump(lambda n=number: len(self.outcomes) > n)
        self.assertEqual(1, len(self.runner._threads))
