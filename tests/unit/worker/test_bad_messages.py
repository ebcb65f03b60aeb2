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

"""What becomes of messages that make no sense, or not here.

Counted, logged once with their ids, answered where an answer makes sense,
never fatal and never executed.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import queue
import time
import typing
import uuid

import fixtures
from oslotest import base

from taskflow_service import engines
from taskflow_service.executors import hub
from taskflow_service.messaging import endpoint
from taskflow_service.messaging import transport
from taskflow_service.protocol import messages
from tests import remote

STRANGER = messages.Peer('stranger.1', 'stranger')


class BadMessagesTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.notes = remote.new_notes()
        self.log = self.useFixture(
            fixtures.FakeLogger('taskflow_service', level=logging.INFO)
        )
        self.bus = self.useFixture(remote.Bus())
        self.worker = self.bus.worker(remote.Add)
        control: typing.Any = self.worker._control
        self.to = control.peer
        self.answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.stranger = endpoint.Endpoint(
            self.bus.conf,
            transport.Role.ENGINE,
            STRANGER.name,
            self.answers.put,
        )
        self.stranger.open()
        self.addCleanup(self.stranger.close)
        self.assertTrue(self.stranger.wait(remote.LONG))
        self.seq = 0

    def _orders(self, **said: typing.Any) -> messages.Orders:
        self.seq += 1
        said = {'sender': STRANGER, 'to': self.to.incarnation, **said}
        return messages.Orders(**{'seq': self.seq, **said})

    def _request(self, **said: typing.Any) -> messages.Request:
        plain = {
            'request_uuid': uuid.uuid4().hex,
            'flow_uuid': 'f',
            'atom': 'a',
            'task': 'tests.remote:Add',
            'arguments': '{"number": 1}',
        }
        return messages.Request(**(plain | said))

    def _send(self, text: str) -> None:
        self.stranger.send(
            transport.Address(transport.Role.WORKER, self.to.name),
            lambda: text,
        )

    def _await_count(self, reason: str, count: int) -> None:
        deadline = time.monotonic() + remote.LONG
        while self.worker.counts().get(reason, 0) < count:
            self.assertLess(time.monotonic(), deadline, self.worker.counts())
            self._answer(0.05)

    def _answer(self, timeout: float = remote.LONG) -> messages.Message | None:
        try:
            return messages.from_wire(self.answers.get(timeout=timeout))
        except queue.Empty:
            return None

    def _assert_told_once(self, *words: str) -> None:
        found = [
            line
            for line in self.log.output.splitlines()
            if all(word in line for word in words)
        ]
        self.assertEqual(1, len(found), self.log.output)

    def _assert_works(self) -> None:
        """The worker runs what is sent to it as it should be, and no more."""
        self.assertEqual([], self.notes.lines)
        results = engines.run(
            remote.Add(),
            engine='workers',
            conf=self.bus.conf,
            store={'number': 1},
        )
        self.assertEqual(2, results['total'])

    def test_what_cannot_be_read_is_refused(self) -> None:
        orders = self._orders(execute=(self._request(),))
        plain = json.loads(messages.to_wire(orders))
        cases = {
            messages.Refusal.MALFORMED: {'seq': -1},
            messages.Refusal.TOO_NEW: {'v': [2, 0]},
            messages.Refusal.TOO_OLD: {'v': [0, 9]},
        }
        for reason, change in cases.items():
            for _ in range(3):
                self._send(json.dumps(plain | change))
            self._await_count(reason, 3)
            self._assert_told_once(self.to.name, f'of stranger: {reason}')
        self._assert_works()

    def test_what_is_too_large_is_refused(self) -> None:
        limit = self.bus.conf.remote.max_message_size
        self._send('x' * (limit + 1))
        self._send('no message at all')
        self._await_count(messages.Refusal.MALFORMED, 1)
        refused = [
            count
            for reason, count in self.worker.counts().items()
            if 'large' in reason
        ]
        self.assertEqual([1], refused, self.worker.counts())
        self._assert_told_once('max_message_size')
        self._assert_works()

    def test_what_is_for_another_incarnation_is_dropped(self) -> None:
        request = self._request()
        for _ in range(3):
            orders = self._orders(to='gone', execute=(request,))
            self._send(messages.to_wire(orders))
        reason = 'for another incarnation'
        self._await_count(reason, 3)
        self._assert_told_once(reason, 'orders 1 of stranger')
        self._assert_works()

    def test_what_is_stale_is_dropped(self) -> None:
        self._send(messages.to_wire(self._orders(seq=7)))
        stale = self._orders(seq=7, execute=(self._request(),))
        for _ in range(3):
            self._send(messages.to_wire(stale))
        self._await_count('stale seq', 3)
        self._assert_told_once('stale seq', 'orders 7 of stranger')
        self._assert_works()

    def _grant(self) -> int:
        """Have the worker lend room; return the report that says so."""
        demand = messages.Demand('tests.remote:Add', 1)
        self._send(messages.to_wire(self._orders(demand=(demand,), ask=True)))
        while True:
            report = self._answer()
            assert report is not None
            if isinstance(report, messages.Report):
                return report.number

    def test_an_unknown_task_is_handed_back(self) -> None:
        """So that its engine looks for another worker at once."""
        for name, change in (
            ('no.such:Task', {}),
            ('tests.remote:Add', {'task_version': '9.0'}),
        ):
            request = self._request(task=name, grant=self._grant(), **change)
            self._send(messages.to_wire(self._orders(execute=(request,))))
            handed: tuple[str, ...] = ()
            while request.request_uuid not in handed:
                report = self._answer()
                self.assertIsNotNone(report, self.worker.counts())
                handed = getattr(report, 'handed_back', ())
        self._await_count('handed back: unknown task', 2)
        self._assert_told_once('unknown task', 'of stranger')
        self._assert_works()

    def test_an_engine_takes_no_odd_reports(self) -> None:
        self._assert_works()
        engine = hub.shared(self.bus.conf)
        report = messages.Report(
            sender=messages.Peer(self.to.name, 'w'),
            to=engine.peer.incarnation,
            number=5,
            held=(messages.Held('nobody knows it'),),
            outcomes=(messages.Outcome('nor this', messages.End.OK),),
        )
        address = transport.Address(transport.Role.ENGINE, engine.peer.name)
        texts = [messages.to_wire(report)] * 3
        texts += [
            messages.to_wire(dataclasses.replace(report, to='gone')),
            messages.to_wire(self._orders()),
            json.dumps({'kind': 'report', 'v': [2, 0]}),
        ]
        for text in texts:
            self.stranger.send(address, lambda text=text: text)
        wanted = {
            'stale report': 2,
            'for another incarnation': 1,
            'not for engines': 1,
            messages.Refusal.TOO_NEW: 1,
        }
        deadline = time.monotonic() + remote.LONG
        while not wanted.items() <= engine.counted().items():
            self.assertLess(time.monotonic(), deadline, engine.counted())
            self._answer(0.05)
        self._assert_told_once('stale report', 'report 5 of w')
        self._assert_works_again()

    def _assert_works_again(self) -> None:
        self.notes.lines.clear()
        self._assert_works()
