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

"""What waits for a time goes on waiting for it in the process after."""

from __future__ import annotations

import typing

from taskflow_service import clock as clock_mod
from taskflow_service import engines
from taskflow_service import retry
from taskflow_service import task
from taskflow_service.patterns import linear_flow
from taskflow_service.persistence import base
from taskflow_service.persistence import models

DELAY = 1000.0
#: How much of the delay is over when the second process begins.
PASSED = 400.0

_BACKOFF = retry.Backoff(delay=DELAY, jitter=0.0)


class _Fails(task.Task):
    """Fails in the first process, whose flow is suspended then."""

    def __init__(self, control: _Control) -> None:
        super().__init__('fails')
        self._control = control

    def execute(self) -> None:
        self._control.fail()


class _Unrevertable(task.Task):
    revert_backoff = _BACKOFF

    def __init__(self, control: _Control) -> None:
        super().__init__('unrevertable')
        self._control = control

    def execute(self) -> None:
        pass

    def revert(self, **kwargs: typing.Any) -> None:
        self._control.fail()


class _Boom(task.Task):
    def execute(self) -> None:
        raise ValueError('boom')


class _Control:
    """Runs a flow twice, as two processes would."""

    def __init__(self, backend: base.Backend, uuid: str) -> None:
        self._backend = backend
        self._uuid = uuid
        self.engine: typing.Any = None
        self.clock = clock_mod.VirtualClock(auto=True)
        self.first = True
        #: When the second process came to it.
        self.reached: float | None = None

    def fail(self) -> None:
        if self.first:
            self.engine.suspend()
            raise ValueError('boom')
        self.reached = self.clock.monotonic()

    def run(self, flow: typing.Any) -> None:
        connection = self._backend.get_connection()
        self.engine = engines.load(
            flow,
            flow_detail=connection.get_flow_details(self._uuid),
            backend=self._backend,
            clock=self.clock,
        )
        self.engine.run()

    def stop(self) -> models.FlowDetail:
        """End the first process; return what it left."""
        self.first = False
        now = self.clock.now()
        self.clock = clock_mod.VirtualClock(now + PASSED, auto=True)
        return self._backend.get_connection().get_flow_details(self._uuid)


class DelaySuite:
    """The cases, for any backend; mixed into ``BackendSuite``."""

    backend: base.Backend

    def _left(
        self, control: _Control, flow: typing.Any, name: str
    ) -> models.FlowDetail:
        control.run(flow)
        now = control.clock.now()
        left = control.stop()
        self.assertEqual('SUSPENDED', left.state)  # type: ignore[attr-defined]
        [atom] = [atom for atom in left if atom.name == name]
        self.assertAlmostEqual(  # type: ignore[attr-defined]
            now + DELAY, atom.not_before
        )
        return left

    def _reached_in_time(self, control: _Control) -> None:
        self.assertAlmostEqual(  # type: ignore[attr-defined]
            DELAY - PASSED, control.reached
        )

    def test_the_next_try_of_a_retry(self) -> None:
        self.saved_book('f')  # type: ignore[attr-defined]
        control = _Control(self.backend, 'f')
        controller = retry.Times(3, 'tries', backoff=_BACKOFF)
        flow = linear_flow.Flow('f', controller).add(_Fails(control))
        left = self._left(control, flow, 'tries')
        if self.backend.writes:
            [atom] = [atom for atom in left if atom.name == 'tries']
            self.assertEqual(  # type: ignore[attr-defined]
                atom.not_before, left.next_action_at
            )
        control.run(flow)
        self._reached_in_time(control)
        after = self.backend.get_connection().get_flow_details('f')
        self.assertEqual(  # type: ignore[attr-defined]
            ('SUCCESS', None, {None}),
            (
                after.state,
                after.next_action_at,
                {atom.not_before for atom in after},
            ),
        )

    def test_the_next_attempt_of_a_revert(self) -> None:
        self.saved_book('f')  # type: ignore[attr-defined]
        control = _Control(self.backend, 'f')
        flow = linear_flow.Flow('f').add(_Unrevertable(control), _Boom('boom'))
        self._left(control, flow, 'unrevertable')
        self.assertRaises(ValueError, control.run, flow)  # type: ignore[attr-defined]
        self._reached_in_time(control)
        after = self.backend.get_connection().get_flow_details('f')
        self.assertEqual('REVERTED', after.state)  # type: ignore[attr-defined]
