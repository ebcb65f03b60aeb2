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

import collections
from collections.abc import Callable
import queue
import threading
import typing

from oslotest import base

from taskflow_service.messaging import control
from taskflow_service.messaging import transport
from taskflow_service.protocol import messages
from tests.conformance import transports

PATIENCE = 10.0
_PEER = transport.Address(transport.Role.WORKER, 'w.1')


class _Control(control.Control):
    """Counts its turns, and does in them what a test says."""

    def __init__(self, *args: typing.Any) -> None:
        #: By which threads turns were taken, in their order.
        self.turns: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.in_turn: Callable[[], object] = control.nothing
        #: Set while its own thread has nothing to do.
        self.waits = threading.Event()
        super().__init__(*args)

    def received(self, message: messages.Message) -> None:
        pass

    def returned(self, number: int) -> None:
        pass

    def _wait(self) -> None:
        self.waits.set()
        super()._wait()

    def turn(self) -> None:
        self.waits.clear()
        self.turns.put(threading.current_thread().name)
        self.in_turn()

    @property
    def counts(self) -> collections.Counter[str]:
        return collections.Counter()


class _Held:
    """A lock; when it is first waited for, another thread finds it taken."""

    def __init__(self, bring: Callable[[], object]) -> None:
        self._lock = threading.Lock()
        self._bring: Callable[[], object] | None = bring
        self.acquire = self._lock.acquire
        self.release = self._lock.release

    def __enter__(self) -> None:
        self._lock.acquire()
        if self._bring is not None:
            thread = threading.Thread(target=self._bring, daemon=True)
            self._bring = None
            thread.start()
            thread.join(PATIENCE)

    def __exit__(self, *exc_info: object) -> None:
        self._lock.release()


class ControlTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        conf = transports.make_conf('fake://', 'ns')
        self.addCleanup(transport.forget, conf)
        self.control = _Control(
            conf, transport.Role.ENGINE, messages.Peer('e.1', 'incarnation')
        )
        self.own = 'tfs-engine-e.1'

    def _open(self) -> None:
        """Have its thread wait, with nothing to do for a long time."""
        self.control.patience = 2 * PATIENCE
        self.addCleanup(self.control.close)
        self.control.open()
        self.control.post(control.nothing)
        self.assertEqual(self.own, self._turn())
        self.assertTrue(self.control.waits.wait(PATIENCE))

    def _turn(self) -> str:
        return self.control.turns.get(timeout=PATIENCE)

    def _in_thread(self, name: str, call: Callable[[], object]) -> None:
        thread = threading.Thread(target=call, name=name, daemon=True)
        thread.start()
        thread.join(PATIENCE)
        self.assertFalse(thread.is_alive())

    def test_who_brings_a_call_takes_the_turn(self) -> None:
        self._open()
        called: list[str] = []
        self._in_thread(
            'reader',
            lambda: self.control.do(
                lambda: called.append(threading.current_thread().name)
            ),
        )
        self.assertEqual(['reader'], called)
        self.assertEqual('reader', self._turn())

    def test_what_is_posted_the_control_thread_does(self) -> None:
        self._open()
        self.control.post(control.nothing)
        self.assertEqual(self.own, self._turn())

    def test_who_finds_somebody_at_it_leaves_the_call_there(self) -> None:
        self._open()
        go_on, called = threading.Event(), threading.Event()
        self.addCleanup(go_on.set)
        self.control.in_turn = lambda: go_on.wait(PATIENCE)
        first = threading.Thread(
            target=self.control.do, args=(control.nothing,), name='first'
        )
        first.start()
        self.assertEqual('first', self._turn())
        # Does not wait, though the turn of the first one does.
        self._in_thread('second', lambda: self.control.do(called.set))
        self.assertFalse(called.is_set())
        go_on.set()
        self.assertTrue(called.wait(PATIENCE))
        first.join(PATIENCE)
        self.assertEqual('first', self._turn())

    def test_a_call_is_not_left_where_no_turn_is_taken(self) -> None:
        self._open()
        called = threading.Event()
        held = _Held(lambda: self.control.do(called.set))
        self.control._turns = typing.cast(threading.Lock, held)
        self.control.post(control.nothing)
        self.assertTrue(called.wait(PATIENCE))

    def test_calls_are_made_one_at_a_time_and_in_their_order(self) -> None:
        self._open()
        made: list[tuple[int, int]] = []
        busy = threading.Lock()

        def call(number: int, count: int) -> None:
            self.assertTrue(busy.acquire(blocking=False))
            made.append((number, count))
            busy.release()

        def bring(number: int) -> None:
            for count in range(500):
                self.control.do(call, number, count)

        threads = [
            threading.Thread(target=bring, args=(number,))
            for number in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        # What the last one left to the control thread.
        self.control.finish(PATIENCE)
        self.assertEqual(2000, len(made))
        for number in range(4):
            mine = [count for who, count in made if who == number]
            self.assertEqual(list(range(500)), mine)

    def test_no_other_thread_is_kept_for_long(self) -> None:
        self._open()

        def again() -> None:
            if self.control.turns.qsize() < 10:
                self.control.post(control.nothing)

        self.control.in_turn = again
        self._in_thread('task', lambda: self.control.do(control.nothing))
        took = [self._turn() for _ in range(10)]
        self.assertEqual(['task'] * 3, took[:3])
        self.assertIn(self.own, took[3:])

    def test_a_turn_that_wants_another_soon_gets_it(self) -> None:
        self._open()

        def hurry() -> None:
            self.control.in_turn = control.nothing
            self.control.patience = 0.01

        self.control.in_turn = hurry
        self._in_thread('task', lambda: self.control.do(control.nothing))
        self.assertEqual(['task', self.own], [self._turn(), self._turn()])

    def test_a_fault_in_a_call_is_no_fault_of_who_brings_it(self) -> None:
        self._open()
        self._in_thread('reader', lambda: self.control.do(lambda: 1 / 0))
        self.assertEqual('reader', self._turn())

    def test_the_last_turn_is_over_when_it_is_finished(self) -> None:
        self._open()
        last: list[bool] = []
        self.control.in_turn = lambda: last.append(True)
        self.control.finish(PATIENCE)
        self.assertTrue(last)
        self.assertTrue(self.control.ended)
        # Who comes after it is not held up, and changes nothing.
        del last[:]
        self._in_thread('reader', lambda: self.control.do(last.append, True))
        self.assertEqual([], last)

    def test_a_turn_follows_for_what_waited_for_a_send(self) -> None:
        self._open()
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        sent = threading.Event()

        def look(message: messages.Message) -> messages.Message:
            sent.set()
            go_on.wait(PATIENCE)
            return message

        who = messages.Who(sender=self.control.peer, number=1)
        self.control.send(_PEER, who, last_look=look)
        self.assertTrue(sent.wait(PATIENCE))
        self.assertTrue(self.control.sending(_PEER))
        go_on.set()
        self.assertTrue(self._turn().startswith('tfs-send-'))
        self.assertFalse(self.control.sending(_PEER))

    def test_without_anything_that_waits_no_turn_follows(self) -> None:
        self._open()
        who = messages.Who(sender=self.control.peer, number=1)
        self.control.send(_PEER, who)
        self.control.endpoint.finish(PATIENCE)
        self.assertEqual(1, self.control.endpoint.sent)
        self.assertTrue(self.control.turns.empty())
