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


"""Task processes; each test starts real ones."""

from __future__ import annotations

from collections.abc import Callable
import os
import queue
import time
import typing

import fixtures
from oslotest import base

from taskflow_service import clock
from taskflow_service import exceptions
from taskflow_service import identity
from taskflow_service import registry
from taskflow_service.messaging import codec
from taskflow_service.protocol import messages
from taskflow_service.worker import body
from taskflow_service.worker import catalogue
from taskflow_service.worker import processes
from taskflow_service.worker import runner
from tests import process_tasks
from tests.conformance import transports

LONG = 60.0


class ProcessRunnerTest(base.BaseTestCase):
    """The test's thread is the control thread."""

    def setUp(self) -> None:
        super().setUp()
        self.conf = transports.make_conf('fake://', 'ns')
        self.conf.set_override(
            'state_path', self.useFixture(fixtures.TempDir()).path
        )
        self.path = self.useFixture(fixtures.TempDir()).join('notes')
        self.codec = codec.Codec(self.conf)
        self.calls: queue.SimpleQueue[typing.Any] = queue.SimpleQueue()
        self.outcomes: list[messages.Outcome] = []
        self.clock = clock.VirtualClock()
        self.identity = identity.take(
            identity.state_path(self.conf) / 'names', 'test'
        )
        self.addCleanup(self.identity.close)

    def _runner(self, slots: int = 1) -> processes.ProcessRunner:
        served = registry.tasks_from([process_tasks])
        made = processes.ProcessRunner(
            body.Body(catalogue.Catalogue(served), self.codec),
            typing.cast(runner.Owner, self),
            lambda call, *args: self.calls.put((call, args)),
            10.0,
            self.clock,
            conf=self.conf,
            served=lambda: served,
            slots=slots,
            duplicate=self.identity.duplicate,
        )
        self.addCleanup(made.close)
        made.open()
        return made

    def finished(self, outcome: messages.Outcome, freed: bool) -> None:
        self.assertTrue(freed)
        self.outcomes.append(outcome)

    def progressed(self, request_uuid: str, progress: str) -> None:
        pass

    def _pump(self, until: Callable[[], object]) -> None:
        deadline = time.monotonic() + LONG
        while not until():
            self.assertLess(time.monotonic(), deadline)
            try:
                call, args = self.calls.get(timeout=0.05)
            except queue.Empty:
                continue
            call(*args)

    def _start(
        self,
        running: processes.ProcessRunner,
        cls: type,
        memory_limit: int | None = None,
        **arguments: typing.Any,
    ) -> None:
        running.start(
            messages.Request(
                request_uuid=f'r{len(self.outcomes)}',
                flow_uuid='f',
                atom='atom',
                task=registry.wire_name(cls),
                memory_limit=memory_limit,
                arguments=self.codec.encode(arguments),
            )
        )

    def _run(
        self, running: processes.ProcessRunner, cls: type, **kwargs: typing.Any
    ) -> tuple[messages.End, typing.Any]:
        count = len(self.outcomes)
        self._start(running, cls, **kwargs)
        self._pump(lambda: len(self.outcomes) > count)
        return self._last()

    def _last(self) -> tuple[messages.End, typing.Any]:
        outcome = self.outcomes[-1]
        value = outcome.value
        return outcome.end, None if value is None else self.codec.decode(value)

    def test_a_process_runs_one_request_after_the_other(self) -> None:
        running = self._runner()
        first = self._run(running, process_tasks.Pid)
        self.assertEqual(first, self._run(running, process_tasks.Pid))
        self.assertNotEqual(os.getpid(), first[1])

    def test_a_process_that_dies_takes_nobody_along(self) -> None:
        running = self._runner()
        for how in ('exit', 'kill'):
            end, _ = self._run(running, process_tasks.Exit, how=how)
            self.assertIs(messages.End.FENCED, end)
        end, _ = self._run(running, process_tasks.Pid)
        self.assertIs(messages.End.OK, end)

    def test_a_task_that_heeds_its_cancellation_keeps_its_process(
        self,
    ) -> None:
        running = self._runner()
        _, before = self._run(running, process_tasks.Pid)
        self._start(running, process_tasks.Polite, path=self.path)
        self._pump(lambda: process_tasks.notes(self.path))
        running.cancel('r1', 'not wanted')
        self._pump(lambda: len(self.outcomes) == 2)
        end, value = self._last()
        self.assertIs(messages.End.CANCELLED, end)
        self.assertIn('not wanted', str(value))
        self.assertEqual(
            (messages.End.OK, before), self._run(running, process_tasks.Pid)
        )

    def test_a_task_that_does_not_stop_is_killed_before_it_ends(self) -> None:
        running = self._runner()
        self._start(running, process_tasks.Deaf, path=self.path)
        self._pump(lambda: process_tasks.notes(self.path))
        running.cancel('r0', 'not wanted')
        self.clock.advance(10.0)
        running.tick()
        self._pump(lambda: self.outcomes)
        self.assertIs(messages.End.CANCELLED, self._last()[0])
        (pid,) = process_tasks.notes(self.path)
        self.assertRaises(ProcessLookupError, os.kill, int(pid), 0)
        end, _ = self._run(running, process_tasks.Pid)
        self.assertIs(messages.End.OK, end)

    def test_memory_is_limited_for_the_task_alone(self) -> None:
        running = self._runner()
        limit = 1024 * 1024 * 1024
        end, value = self._run(
            running, process_tasks.Hog, memory_limit=limit, megabytes=2048
        )
        self.assertIs(messages.End.FAILED, end)
        self.assertTrue(value.check(MemoryError))
        end, value = self._run(running, process_tasks.Hog, megabytes=1)
        self.assertEqual((messages.End.OK, 1024 * 1024), (end, value))

    def test_the_name_is_held_until_the_processes_are_gone(self) -> None:
        running = self._runner()
        self._run(running, process_tasks.Pid)
        directory = self.identity.directory
        self.identity.close()
        taken = identity.take(directory, 'test')
        self.addCleanup(taken.close)
        self.assertEqual('test.2', taken.name)

    def test_a_setup_that_fails_stops_the_start(self) -> None:
        self.conf.set_override('setup', ['nowhere'], 'worker')
        error = self.assertRaises(exceptions.ConfigurationError, self._runner)
        self.assertIn('nowhere', str(error))
