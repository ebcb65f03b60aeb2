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


"""What becomes of flows and workers while the broker is away."""

from __future__ import annotations

from concurrent import futures
import logging
import os
import shutil
import threading
import time
import typing

import fixtures

from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service.patterns import linear_flow
from tests import daemons
from tests.crash import lost

_OURS = ' taskflow_service.'


class BrokerAwayTest(lost.Case):
    """A broker that goes away costs time, and nothing else."""

    private = True
    lost_after = 120.0
    AWAY = float(os.environ.get('TFS_BROKER_AWAY', '60'))
    FLOWS = 100
    STEPS = 6

    def _run_flows(self) -> list[futures.Future[None]]:
        """Begin flows of which half may run a task twice, and do not."""
        self.loop = engines.Loop(self.first.conf)
        self.addCleanup(self.loop.close, False)
        runs = []
        for number in range(self.FLOWS):
            step = self.tested.StepAgain if number % 2 else self.tested.Step
            flow = linear_flow.Flow(f'flow-{number}')
            for count in range(self.STEPS):
                flow.add(step(f'step-{number}-{count}'))
            engine = engines.load(
                flow, conf=self.first.conf, store={'path': str(self.path)}
            )
            runs.append(self.loop.submit(engine))
        return runs

    def _await_steps(self, count: int) -> None:
        deadline = time.monotonic() + 2 * daemons.DEADLINE
        while len(self._notes('step')) < count:
            self.assertLess(time.monotonic(), deadline)
            threading.Event().wait(0.05)

    def test_w9_all_flows_finish_and_no_task_runs_twice(self) -> None:
        log = self.useFixture(
            fixtures.FakeLogger(
                level=logging.INFO, format='%(levelname)s %(name)s %(message)s'
            )
        )
        server = typing.cast(typing.Any, self.broker.server)
        runs = self._run_flows()
        self._await_steps(10)
        server.stop()
        threading.Event().wait(self.AWAY)
        self.assertLess(len(self._notes('step')), self.FLOWS * self.STEPS / 2)
        server.start()
        self._await_steps(self.FLOWS * self.STEPS // 2)
        # With all that is on its way, and all of its queues.
        server.kill()
        shutil.rmtree(server.folder / 'mnesia')
        server.start()
        done = futures.wait(runs, timeout=2 * daemons.DEADLINE)
        self.assertEqual(set(), done.not_done)
        for run in runs:
            run.result()
        names = sorted(line[1] for line in self._notes('step'))
        wanted = sorted(
            f'step-{number}-{count}'
            for number in range(self.FLOWS)
            for count in range(self.STEPS)
        )
        self.assertEqual(wanted, names)
        ours = [line for line in log.output.splitlines() if _OURS in line]
        self._assert_told(ours)
        # The daemon keeps those quiet, too, on whom it depends.
        self._assert_told(self.first.read_log().splitlines())

    def _assert_told(self, lines: list[str]) -> None:
        """What was going on can be read, in a few lines."""
        bad = [
            line for line in lines if 'WARNING ' in line or 'ERROR ' in line
        ]
        self.assertIn('Cannot send over', '\n'.join(bad))
        self.assertIn('again, after', '\n'.join(lines))
        # Of each of two outages what is new, and that once a minute.
        self.assertLessEqual(len(bad), 20 + self.AWAY / 6, '\n'.join(bad))


class CutOffTest(lost.Case):
    """A worker that cannot know whether it is heard gives itself up."""

    private = True

    def test_it_stops_its_task_and_is_started_again(self) -> None:
        self._run(
            linear_flow.Flow('two').add(
                self.tested.Before('before'), self.tested.Polite('waiting')
            )
        )
        pid = self._pid()
        server = typing.cast(typing.Any, self.broker.server)
        server.stop()
        self.first.await_log(self.program, 'was cut off')
        self.first.await_log(self.program, 'gives up its worker')
        daemons.await_ends([pid])
        self.assertEqual(1, len(self._notes('stopped')))
        server.start()
        self._await_end()
        self.assertIsInstance(self.error, exceptions.WorkerLost)
        self.assertEqual(1, len(self._notes('start')))
        # By the process that was started in its place.
        self.assertEqual(1, len(self._notes('undone')))
