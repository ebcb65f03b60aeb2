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

"""How the flows of a shared loop are claimed: together, else one by one."""

from __future__ import annotations

from concurrent import futures
import contextlib
import threading

import fixtures
from oslotest import base

from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service.patterns import linear_flow
from taskflow_service.persistence import backends
from tests.unit.engines import hands

#: Seconds that nothing here needs: what bounds a wait.
LONG = 30


class Held(hands.ByHand):
    """Holds what it is given until it is told to perform it."""

    def __init__(self, started):
        super().__init__()
        self._begun = started

    def start(self, requests):
        super().start(requests)
        self._begun.set()

    def idle(self):
        pass


class ClaimsTest(base.BaseTestCase):
    FLOWS = 50

    def setUp(self):
        super().setUp()
        folder = self.useFixture(fixtures.TempDir()).path
        self.backend = backends.fetch(
            {'connection': f'sqlite:///{folder}/logbook.sqlite'}
        )
        self.addCleanup(self.backend.close)
        self.backend.upgrade()
        self.calls = []
        self.entered = threading.Event()
        self.let_on = threading.Event()
        self.addCleanup(self.let_on.set)

    def _spy(self, answer=None):
        """Count the flows of each call, and hold up the first one."""
        real = self.backend.claim_free

        def claim_free(drivers):
            self.calls.append(len(drivers))
            self.entered.set()
            self.let_on.wait(LONG)
            return real(drivers) if answer is None else answer()

        self.useFixture(
            fixtures.MockPatchObject(self.backend, 'claim_free', claim_free)
        )

    def _load(self, number):
        return engines.load(
            linear_flow.Flow(f'f{number}').add(hands.Say('a')),
            backend=self.backend,
        )

    def _run_all(self):
        with engines.Loop() as loop:
            ended = [loop.submit(self._load(0))]
            self.assertTrue(self.entered.wait(LONG))
            ended += [
                loop.submit(self._load(n + 1)) for n in range(self.FLOWS)
            ]
            self.let_on.set()
            for future in ended:
                future.result(LONG)

    def test_what_waits_is_claimed_in_one_transaction(self):
        self._spy()
        self._run_all()
        self.assertEqual([1, self.FLOWS], self.calls)

    def test_while_the_database_is_away_each_waits_by_itself(self):
        def away():
            raise exceptions.StorageOutage('away')

        self._spy(away)
        self._run_all()
        self.assertEqual([1, self.FLOWS], self.calls)

    def test_of_two_runs_of_a_flow_one_is_refused_and_the_other_owns_it(self):
        self._spy()
        started = threading.Event()
        hold = [Held(started), Held(started)]
        first = self._load(0)
        flow = linear_flow.Flow('f0').add(hands.Say('a'))
        runs = [
            engines.load(
                flow,
                engine='parallel',
                executor=held,
                backend=self.backend,
                flow_detail=self._read(first.storage.flow_uuid),
            )
            for held in hold
        ]
        with engines.Loop() as loop:
            ended = [loop.submit(self._load(1))]
            self.assertTrue(self.entered.wait(LONG))
            ended += [loop.submit(engine) for engine in runs]
            self.let_on.set()
            ended.pop(0).result(LONG)
            self.assertTrue(started.wait(LONG))
            refused = next(futures.as_completed(ended, LONG))
            self.assertRaises(exceptions.FlowOwned, refused.result)
            # Whoever was not refused goes on, and still owns the flow,
            # whatever else is tried meanwhile.
            at = int(refused is ended[0])
            running, other = runs[at], runs[1 - at]
            with contextlib.ExitStack() as stack:
                stack.callback(hold[at].perform, 'a')
                self.assertRaises(exceptions.FlowOwned, other.run)
                self.assertRaises(exceptions.ExecutionFailure, running.run)
                uuid = running.storage.flow_uuid
                self.assertTrue(self.backend.claims.drives(uuid))
                self.assertIsNotNone(self._read(uuid).owner)
        self.assertEqual('SUCCESS', running.storage.get_flow_state())

    def _read(self, uuid):
        with contextlib.closing(self.backend.get_connection()) as connection:
            return connection.get_flow_details(uuid)

    def test_a_flow_that_runs_already_says_so_and_holds_up_no_other(self):
        self._spy()
        engine = self._load(0)
        detail = engine.storage.flow_uuid
        claim = self.backend.claim(detail)
        with engines.Loop() as loop:
            refused = loop.submit(engine)
            self.assertTrue(self.entered.wait(LONG))
            other = loop.submit(self._load(1))
            self.let_on.set()
            other.result(LONG)
            self.assertRaises(exceptions.FlowOwned, refused.result, LONG)
        self.backend.release(claim)
