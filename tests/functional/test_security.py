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
"""Signed messages, and what the log says, with real workers and a broker."""

from __future__ import annotations

import pathlib
import signal
import threading
import time
import uuid

import ddt
import fixtures
from oslo_context import context as oslo_context
from oslotest import base

from taskflow_service import context
from taskflow_service import engines
from taskflow_service.messaging import codec
from taskflow_service.messaging import endpoint
from taskflow_service.messaging import signing
from taskflow_service.messaging import transport
from taskflow_service.patterns import linear_flow
from taskflow_service.protocol import messages
from tests import daemons
from tests import servers

LONG = 60
OLD, NEW, OTHER = 'o' * 32, 'n' * 32, 'x' * 32

TASKS = """
import logging, os
from taskflow_service import task

LOG = logging.getLogger('taskflow_service.told')

class Note(task.Task):
    def execute(self, path, line):
        with open(path, 'a') as file:
            file.write(f'{line}\\n')

class Gate(task.Task):
    def execute(self, path):
        open(f'{path}-{self.name}-seen', 'w').close()
        while not os.path.exists(f'{path}-{self.name}'):
            if task.current().cancellation.wait(0.02):
                raise RuntimeError('cancelled')

class Talk(task.Task):
    def execute(self, secret):
        LOG.info('I was given %s', {'password': secret})
        raise RuntimeError(f"password='{secret}'")
"""
NAMES = {f'told.{name.lower()}': f'told:{name}' for name in ('Note', 'Talk')}
NAMES['told.gate'] = 'told:Gate'


def signed(*keys):
    return f'[security]\nsigning_keys = {",".join(keys)}\n'


class _Daemons(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.broker = self.useFixture(servers.RabbitMQ())
        self.path = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.ledger = self.path / 'ledger'
        self.ledger.touch()

    def _daemon(self, text='', **worker):
        return self.useFixture(
            daemons.Daemon(
                self.broker,
                modules={'told': TASKS},
                tasks=NAMES,
                text=text,
                **worker,
            )
        )


class _Engine:
    """An engine's place on the bus, used by somebody who knows the protocol.

    It asks a worker for credit, as engines do, and sends what it likes.
    """

    def __init__(self, test, conf):
        self._conf = conf
        self._codec = codec.Codec(conf)
        self._arrived = threading.Event()
        self.report = None
        self.peer = messages.Peer('evil.1', str(uuid.uuid4()))
        self._seq = 0
        self._endpoint = endpoint.Endpoint(
            conf, transport.Role.ENGINE, self.peer.name, self._take
        )
        self._endpoint.open()
        test.addCleanup(self._endpoint.close)
        assert self._endpoint.wait(LONG)

    def _take(self, text):
        message = messages.from_wire(text)
        if isinstance(message, messages.Report):
            self.report = message
            self._arrived.set()

    def ask_for_credit(self):
        demand = (messages.Demand('told.note', 9),)
        who = messages.Who(sender=self.peer, number=1, demand=demand)
        self._endpoint.send(
            transport.Address(transport.Role.WORKER),
            lambda: messages.to_wire(who),
        )
        assert self._arrived.wait(LONG)

    def orders(self, path, line, sender=None):
        """Write orders that a worker would obey."""
        self._seq += 1
        request = messages.Request(
            request_uuid=uuid.uuid4().hex,
            flow_uuid=str(uuid.uuid4()),
            atom=line,
            task='told.note',
            grant=self.report.number,
            constructor=self._codec.encode([[line], {}]),
            arguments=self._codec.encode({'path': str(path), 'line': line}),
        )
        orders = messages.Orders(
            sender=sender or self.peer,
            to=self.report.sender.incarnation,
            seq=self._seq,
            seen=self.report.number,
            execute=(request,),
        )
        return messages.to_wire(orders)

    def cast(self, text):
        address = transport.Address(
            transport.Role.WORKER, self.report.sender.name
        )
        client = transport.shared(self._conf).client(address, 1)
        client.cast({}, transport.METHOD, message=text)


class SigningTest(_Daemons):
    def _lines(self):
        return self.ledger.read_text().split()

    def _await_line(self, line):
        deadline = time.monotonic() + LONG
        pause = threading.Event()
        while line not in self._lines():
            self.assertLess(time.monotonic(), deadline, self._lines())
            pause.wait(0.05)

    def test_what_is_not_ours_is_not_run_and_said_once(self):
        # It cannot wait for an engine of the test's to record anything.
        daemon = self._daemon(signed(NEW), graceful_shutdown_timeout=1)
        program = daemon.start()
        daemon.await_ready()
        engine = _Engine(self, daemon.conf)
        engine.ask_for_credit()
        ours = signing.Signer(daemon.conf)
        past = signing.Signer(daemon.conf, lambda: time.time() - 400)
        daemon.conf.set_override('signing_keys', [OTHER], 'security')
        theirs = signing.Signer(daemon.conf)
        forger = messages.Peer('forger.1', 'f')
        forged = theirs.seal(engine.orders(self.ledger, 'forged', forger))
        daemon.conf.clear_override('signing_keys', 'security')
        tampered = ours.seal(engine.orders(self.ledger, 'tamperee'))
        self.assertIn('tamperee', tampered)
        for text in (
            engine.orders(self.ledger, 'unsigned'),
            forged,
            tampered.replace('tamperee', 'tampered'),
            past.seal(engine.orders(self.ledger, 'replayed')),
        ):
            engine.cast(text)
            engine.cast(text)
        # Nothing but the signature was wrong with them.
        engine.cast(ours.seal(engine.orders(self.ledger, 'ours')))
        self._await_line('ours')
        self.assertEqual(['ours'], self._lines())
        daemon.drain(program)
        log = daemon.read_log()
        for sender, count, reason in (
            ('evil.1', 1, 'it is not signed'),
            ('forger.1', 1, 'no key in [security] signing_keys verifies it'),
            ('evil.1', 3, 'no key in [security] signing_keys verifies it'),
            ('evil.1', 1, 'its time is 40'),
        ):
            line = (
                f'refuses a message that names {sender} as its sender '
                f'({count} refused for this reason so far): {reason}'
            )
            self.assertEqual(1, log.count(line), f'{line}\n{log}')
        self.assertEqual(4, log.count('refuses a message'), log)

    def test_a_worker_without_the_key_gets_nothing_and_is_named(self):
        keyed = self._daemon(signed(NEW))
        without = self._daemon(name='stranger')
        log = self.useFixture(fixtures.FakeLogger('taskflow_service'))
        program, stranger = keyed.start(), None
        keyed.await_ready()
        stranger = without.start()
        without.await_ready()
        told = keyed.import_module('told')
        flow = linear_flow.Flow('f')
        for number in range(6):
            flow.add(told.Note(f'n{number}', inject={'line': f'{number}'}))
        engines.run(flow, conf=keyed.conf, store={'path': str(self.ledger)})
        self.assertEqual(list('012345'), self._lines())
        without.await_log(stranger, 'signing_keys is empty')
        keyed.drain(program)
        without.drain(stranger)
        self.assertEqual(
            1, log.output.count('names stranger.1 as its sender'), log.output
        )
        self.assertEqual(1, without.read_log().count('refuses a message'))
        self.assertNotIn('stranger.1', keyed.read_log().replace('told', ''))
        self.assertNotIn('Start execute', without.read_log())


class RotationTest(_Daemons):
    def _write_keys(self, daemon, before, after):
        text = daemon.file.read_text()
        self.assertIn(signed(*before), text)
        daemon.file.write_text(text.replace(signed(*before), signed(*after)))

    def _pass(self, number):
        """Let a gate open; return when the flow stands before the next."""
        (self.path / f'gate-g{number}').touch()
        self._await(self.path / f'gate-g{number + 1}-seen')

    def _await(self, path):
        deadline = time.monotonic() + LONG
        pause = threading.Event()
        while not path.exists():
            self.assertLess(time.monotonic(), deadline, path)
            pause.wait(0.02)

    def _report(self, program, *words):
        """Have the worker write reports; return one that has these.

        A report is of the moment of its signal, and of two that come within
        a second the later stands in the place of the earlier.
        """
        deadline = time.monotonic() + LONG
        pause = threading.Event()
        texts = []
        while time.monotonic() < deadline:
            program.send_signal(signal.SIGUSR2)
            pause.wait(2)
            texts = [
                path.read_text(errors='replace')
                for path in (self.path / 'reports').iterdir()
            ]
            for text in texts:
                if all(word in text for word in words):
                    return text
        self.fail('\n'.join(texts) or 'no report was written')

    def test_keys_rotate_under_a_flow(self):
        (self.path / 'reports').mkdir()
        daemon = self._daemon(
            signed(OLD) + f'[oslo_reports]\nlog_dir = {self.path}/reports\n'
        )
        log = self.useFixture(fixtures.FakeLogger('taskflow_service'))
        program = daemon.start()
        daemon.await_ready()
        told = daemon.import_module('told')
        flow = linear_flow.Flow('f')
        flow.add(*(told.Gate(f'g{number}') for number in range(8)))
        engine = engines.load(
            flow, conf=daemon.conf, store={'path': str(self.path / 'gate')}
        )
        loop = engines.Loop(daemon.conf)
        # Not waited for, in case the flow stands at one of its gates.
        self.addCleanup(loop.close, False)
        future = loop.submit(engine)
        self._pass(0)
        # What runs, and the configuration in use, without its secrets.
        report = self._report(
            program,
            'execute g1 (told.gate) attempt 1 of flow',
            'signing_keys = ***',
        )
        self.assertNotIn(OLD, report)
        steps = ((OLD,), (OLD, NEW), (NEW, OLD), (NEW,))
        for number, before in enumerate(steps[:-1]):
            after = steps[number + 1]
            self._write_keys(daemon, before, after)
            program.send_signal(signal.SIGHUP)
            daemon.await_log(
                program, 'has read its configuration', 2 * (number + 1)
            )
            # The worker is a step ahead, then both are there.
            self._pass(2 * number + 1)
            daemon.conf.mutate_config_files()
            self.assertEqual(list(after), daemon.conf.security.signing_keys)
            self._pass(2 * number + 2)
        (self.path / 'gate-g7').touch()
        future.result(LONG)
        daemon.drain(program)
        self.assertNotIn('refuses', log.output)
        self.assertNotIn('refuses', daemon.read_log())
        for key in (OLD, NEW):
            self.assertNotIn(key, daemon.read_log())
        # It is the new key alone that holds the two together now.
        self.assertEqual([NEW], daemon.conf.security.signing_keys)


@ddt.ddt
class LogTest(_Daemons):
    @ddt.data('threads', 'processes')
    def test_lines_carry_the_request_and_no_secret(self, executor):
        daemon = self._daemon(executor=executor, slots=1)
        daemon.file.write_text(
            daemon.file.read_text().replace(
                '[DEFAULT]\n', '[DEFAULT]\ndebug = true\n', 1
            )
        )
        program = daemon.start()
        daemon.await_ready()
        told = daemon.import_module('told')
        self.addCleanup(context.set_current, None)
        asked = oslo_context.RequestContext(user_id='u-1', project_id='p-1')
        error = self.assertRaises(
            RuntimeError,
            engines.run,
            linear_flow.Flow('f').add(told.Talk('talk')),
            conf=daemon.conf,
            store={'secret': 'hunter2'},
        )
        # What the caller gets is what was raised.
        self.assertIn('hunter2', str(error))
        daemon.drain(program)
        log = daemon.read_log()
        lines = log.splitlines()
        said = [line for line in lines if 'I was given' in line]
        said += [line for line in lines if 'Start execute of talk' in line]
        self.assertEqual(2, len(said), log)
        self.assertIn("{'password': '***'}", said[0])
        for line in said:
            for word in (asked.request_id, 'u-1', 'p-1'):
                self.assertIn(word, line)
        self.assertNotIn('hunter2', log)
