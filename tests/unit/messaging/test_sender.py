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

import queue
import threading
import typing

import fixtures
from oslotest import base

from taskflow_service.messaging import sender
from taskflow_service.messaging import transport

WORKER = transport.Address(transport.Role.WORKER, 'w.1')
OTHER = transport.Address(transport.Role.WORKER, 'w.2')
LONG = 10.0


class _Bus:
    """As much of a transport as a sender sees, with a tap to close."""

    url = 'test://'

    def __init__(self) -> None:
        self.taken: list[tuple[str | None, str]] = []
        self.down: Exception | None = None
        self.tap = threading.Event()
        self.tap.set()

    def client(self, address: transport.Address, retry: int) -> typing.Any:
        bus = self

        class Client:
            def cast(self, context: object, method: str, message: str) -> None:
                bus.tap.wait(LONG)
                if bus.down is not None:
                    raise bus.down
                bus.taken.append((address.name, message))

        return Client()


class SenderTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.bus = _Bus()
        self.now = 0.0
        self.log = self.useFixture(fixtures.FakeLogger())
        self.sender = sender.Sender(
            typing.cast(transport.Transport, self.bus),
            clock=lambda: self.now,
        )
        self.addCleanup(self.sender.close, LONG)
        self.addCleanup(self.bus.tap.set)
        self.done: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

    def _send(self, text: str) -> Exception | None:
        self.sender.send(WORKER, lambda: text, self.done.put)
        return self.done.get(timeout=LONG)

    def test_a_message_is_built_when_its_turn_has_come(self) -> None:
        self.bus.tap.clear()
        word = 'early'
        self.sender.send(WORKER, lambda: 'first', self.done.put)
        self.sender.send(WORKER, lambda: word, self.done.put)
        word = 'late'
        self.bus.tap.set()
        for _ in range(2):
            self.done.get(timeout=LONG)
        self.assertEqual([('w.1', 'first'), ('w.1', 'late')], self.bus.taken)

    def test_a_peer_that_takes_long_does_not_hold_up_another(self) -> None:
        built = threading.Event()
        go_on = threading.Event()
        self.addCleanup(go_on.set)

        def slow() -> str:
            built.set()
            go_on.wait(LONG)
            return 'slow'

        self.sender.send(WORKER, slow)
        self.assertTrue(built.wait(LONG))
        self.sender.send(OTHER, lambda: 'quick', self.done.put)
        self.assertIsNone(self.done.get(timeout=LONG))
        self.assertEqual([('w.2', 'quick')], self.bus.taken)

    def test_nothing_to_say_sends_nothing(self) -> None:
        self.sender.send(WORKER, lambda: None, self.done.put)
        self.assertIsNone(self.done.get(timeout=LONG))
        self.assertEqual([], self.bus.taken)

    def test_an_error_is_told_and_the_next_message_goes_out(self) -> None:
        self.bus.down = OSError('refused')
        self.assertIs(self.bus.down, self._send('lost'))
        self.bus.down = None
        self.assertIsNone(self._send('kept'))
        self.assertEqual([('w.1', 'kept')], self.bus.taken)

    def test_an_outage_is_said_once_and_then_once_a_minute(self) -> None:
        self.bus.down = OSError('refused')
        for _ in range(50):
            self._send('x')
        self.assertEqual(1, self.log.output.count('refused'))
        self.now = 61.0
        for _ in range(50):
            self._send('x')
        self.assertEqual(2, self.log.output.count('refused'))
        self.bus.down = None
        self._send('x')
        self.assertIn('again', self.log.output)

    def test_closing_sends_what_is_queued(self) -> None:
        self.bus.tap.clear()
        for number in range(5):
            self.sender.send(WORKER, lambda n=number: str(n))
        self.bus.tap.set()
        self.assertTrue(self.sender.close(LONG))
        self.assertEqual(
            [str(n) for n in range(5)], [t for _, t in self.bus.taken]
        )
