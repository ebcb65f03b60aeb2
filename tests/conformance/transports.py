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


"""What the protocol asks of a transport, whichever it is.

A test class mixes this in, beside ``oslotest.base.BaseTestCase``, and sets
``url`` and ``namespace`` before its ``setUp`` calls ours.
"""

from __future__ import annotations

import queue
import threading
import typing
import uuid

from oslo_config import cfg

import taskflow_service.conf
from taskflow_service.messaging import endpoint
from taskflow_service.messaging import transport

#: Seconds after which a message that has not arrived is a failure.
LONG = 10.0
#: Seconds in which a message that must not arrive would have.
SHORT = 0.3


def make_conf(url: str, namespace: str) -> cfg.ConfigOpts:
    """Make a configuration of its own for a bus."""
    conf = cfg.ConfigOpts()
    taskflow_service.conf.register_opts(conf)
    transport.register_opts(conf)
    conf([], project='taskflow_service', default_config_files=[])
    conf.set_override('transport_url', url)
    conf.set_override('namespace', namespace, 'remote')
    return conf


class TransportSuite:
    """The cases; each gets a name space of its own."""

    url: str
    namespace: str | None = None

    def setUp(self) -> None:
        super().setUp()  # type: ignore[misc]
        namespace = self.namespace or f'tfs-{uuid.uuid4().hex[:12]}'
        self.conf = make_conf(self.url, namespace)
        test = typing.cast(typing.Any, self)
        test.addCleanup(transport.forget, self.conf)
        self._closing: list[threading.Thread] = []
        test.addCleanup(self._close)

    def _close(self) -> None:
        for thread in self._closing:
            thread.start()
        for thread in self._closing:
            thread.join()

    def _endpoint(
        self,
        role: transport.Role,
        name: str,
        conf: cfg.ConfigOpts | None = None,
    ) -> tuple[endpoint.Endpoint, queue.SimpleQueue[str]]:
        texts: queue.SimpleQueue[str] = queue.SimpleQueue()
        made = endpoint.Endpoint(conf or self.conf, role, name, texts.put)
        test = typing.cast(typing.Any, self)
        closing = threading.Thread(target=made.close)
        # Each takes a second: all begin to close before the first is
        # waited for.
        self._closing.append(closing)
        made.open()
        test.assertTrue(made.wait(LONG))
        return made, texts

    def test_texts_arrive_in_order_at_the_name_they_are_for(self) -> None:
        engine, _ = self._endpoint(transport.Role.ENGINE, 'a.1')
        _, first = self._endpoint(transport.Role.WORKER, 'b.1')
        _, second = self._endpoint(transport.Role.WORKER, 'b.2')
        for number in range(20):
            for name in ('b.1', 'b.2'):
                engine.send(
                    transport.Address(transport.Role.WORKER, name),
                    lambda text=f'{name} {number}': text,
                )
        test = typing.cast(typing.Any, self)
        for name, texts in (('b.1', first), ('b.2', second)):
            test.assertEqual(
                [f'{name} {number}' for number in range(20)],
                [texts.get(timeout=LONG) for _ in range(20)],
            )

    def test_a_fan_out_reaches_all_of_a_role_and_no_other(self) -> None:
        worker, texts = self._endpoint(transport.Role.WORKER, 'b.1')
        _, one = self._endpoint(transport.Role.ENGINE, 'a.1')
        _, other = self._endpoint(transport.Role.ENGINE, 'a.2')
        worker.send(transport.Address(transport.Role.ENGINE), lambda: 'here')
        test = typing.cast(typing.Any, self)
        test.assertEqual('here', one.get(timeout=LONG))
        test.assertEqual('here', other.get(timeout=LONG))
        test.assertRaises(queue.Empty, texts.get, timeout=SHORT)

    def test_one_reaches_oneself(self) -> None:
        worker, texts = self._endpoint(transport.Role.WORKER, 'b.1')
        worker.send(worker.address, lambda: 'mirror')
        test = typing.cast(typing.Any, self)
        test.assertEqual('mirror', texts.get(timeout=LONG))

    def test_another_name_space_is_another_world(self) -> None:
        conf = make_conf(self.url, f'tfs-{uuid.uuid4().hex[:12]}')
        test = typing.cast(typing.Any, self)
        test.addCleanup(transport.forget, conf)
        _, texts = self._endpoint(transport.Role.WORKER, 'b.1')
        _, foreign = self._endpoint(transport.Role.WORKER, 'b.1', conf)
        engine, _ = self._endpoint(transport.Role.ENGINE, 'a.1', conf)
        engine.send(
            transport.Address(transport.Role.WORKER, 'b.1'), lambda: 'secret'
        )
        test.assertEqual('secret', foreign.get(timeout=LONG))
        test.assertRaises(queue.Empty, texts.get, timeout=SHORT)

    def test_what_is_no_text_of_ours_does_no_harm(self) -> None:
        worker, texts = self._endpoint(transport.Role.WORKER, 'b.1')
        client = worker.transport.client(worker.address, 1)
        client.cast({}, 'another', message='x')
        client.cast({}, transport.METHOD, text='x')
        client.cast({}, transport.METHOD, message='x', more='x')
        client.cast({}, transport.METHOD, message=7)
        client.cast({}, transport.METHOD, message='after it')
        test = typing.cast(typing.Any, self)
        test.assertEqual('after it', texts.get(timeout=LONG))
        test.assertEqual({'refused: no text': 1}, dict(worker.refusals))

    def test_a_text_arrives_where_messages_are_traced(self) -> None:
        self.conf.set_override(
            'tracing_enabled', True, 'oslo_messaging_tracing'
        )
        engine, texts = self._endpoint(transport.Role.ENGINE, 'a.1')
        engine.send(engine.address, lambda: 'traced')
        test = typing.cast(typing.Any, self)
        test.assertEqual('traced', texts.get(timeout=LONG))

    def test_the_sender_is_told_when_the_bus_has_it(self) -> None:
        engine, _ = self._endpoint(transport.Role.ENGINE, 'a.1')
        told: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
        engine.send(engine.address, lambda: 'x', told.put)
        test = typing.cast(typing.Any, self)
        test.assertIsNone(told.get(timeout=LONG))

    def test_a_large_text_arrives_whole(self) -> None:
        engine, texts = self._endpoint(transport.Role.ENGINE, 'a.1')
        text = 'x' * (2 * 1024 * 1024)
        engine.send(engine.address, lambda: text)
        test = typing.cast(typing.Any, self)
        test.assertEqual(text, texts.get(timeout=LONG))

    def test_a_text_over_the_limit_is_refused_and_the_next_taken(
        self,
    ) -> None:
        engine, _ = self._endpoint(transport.Role.ENGINE, 'a.1')
        self.conf.set_override('max_message_size', 64 * 1024, 'remote')
        worker, texts = self._endpoint(transport.Role.WORKER, 'b.1')
        engine.send(worker.address, lambda: 'x' * (64 * 1024 + 1))
        engine.send(worker.address, lambda: 'fits')
        test = typing.cast(typing.Any, self)
        test.assertEqual('fits', texts.get(timeout=LONG))
        test.assertEqual(1, worker.refused)

    def test_w12_only_signed_texts_are_taken_where_keys_are_set(self) -> None:
        signed = make_conf(self.url, self.conf.remote.namespace)
        signed.set_override('signing_keys', ['k' * 32], 'security')
        test = typing.cast(typing.Any, self)
        test.addCleanup(transport.forget, signed)
        worker, texts = self._endpoint(transport.Role.WORKER, 'b.1', signed)
        stranger, _ = self._endpoint(transport.Role.ENGINE, 'a.1')
        friend, _ = self._endpoint(transport.Role.ENGINE, 'a.2', signed)
        done: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
        stranger.send(worker.address, lambda: 'forged', done.put)
        done.get(timeout=LONG)
        friend.send(worker.address, lambda: 'signed')
        test.assertEqual('signed', texts.get(timeout=LONG))
        test.assertEqual(1, worker.refused)
