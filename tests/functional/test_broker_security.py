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
"""A broker that trusts nobody: TLS, and a user who may do what is needed.

What ``doc/source/admin/security.rst`` says of both is what is tried here.
"""

from __future__ import annotations

import pathlib
import re
import shlex
import subprocess
import unittest
import uuid

import fixtures
from oslotest import base

from taskflow_service import demo
from taskflow_service import engines
from tests import daemons
from tests import documented
from tests import instances
from tests import servers

PAGE = documented.ROOT / 'doc' / 'source' / 'admin' / 'security.rst'


class Authority(fixtures.Fixture):
    """A certificate authority of our own, and what it has signed."""

    def _setUp(self) -> None:
        self.path = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        # The broker runs as somebody else.
        for folder in (self.path, self.path.parent):
            mode = folder.stat().st_mode
            # The parent may be everybody's, and not ours to change.
            if mode & 0o055 != 0o055:
                folder.chmod(mode | 0o055)
        self._openssl(
            'req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca '
            '-keyout ca.key -out ca.pem'
        )
        for name in ('server', 'client'):
            (self.path / 'names').write_text(
                'subjectAltName=DNS:localhost,IP:127.0.0.1\n'
            )
            self._openssl(
                f'req -newkey rsa:2048 -nodes -subj /CN={name} '
                f'-keyout {name}.key -out {name}.csr'
            )
            self._openssl(
                f'x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key '
                f'-CAcreateserial -days 2 -extfile names -out {name}.pem'
            )
            (self.path / f'{name}.key').chmod(0o644)

    def _openssl(self, arguments: str) -> None:
        subprocess.run(
            [instances.find_binary('openssl'), *arguments.split()],
            cwd=self.path,
            check=True,
            capture_output=True,
            timeout=60,
        )


class BrokerTest(base.BaseTestCase):
    """One broker, with a port for TLS and one without."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            instances.find_binary('openssl')
        except instances.NotInstalled as missing:
            raise unittest.SkipTest(str(missing)) from None
        cls.ours = cls._use(Authority()).path
        cls.port = instances.free_port()
        settings = (
            f'listeners.ssl.local = 127.0.0.1:{cls.port}',
            f'ssl_options.cacertfile = {cls.ours}/ca.pem',
            f'ssl_options.certfile = {cls.ours}/server.pem',
            f'ssl_options.keyfile = {cls.ours}/server.key',
            'ssl_options.verify = verify_peer',
            'ssl_options.fail_if_no_peer_cert = true',
        )
        broker = servers.RabbitMQ(private=True)
        broker.instance = type(
            'Configured', (instances.RabbitMQ,), {'settings': settings}
        )
        cls.broker = cls._use(broker)
        cls.plain = broker.url

    @classmethod
    def _use(cls, fixture):
        fixture.setUp()
        cls.addClassCleanup(fixture.cleanUp)
        return fixture

    def setUp(self):
        super().setUp()
        self.broker.url = self.plain
        self.broker.namespace = f'tfs_{uuid.uuid4().hex}'

    def _daemon(self, text='', **worker):
        return self.useFixture(
            daemons.Daemon(self.broker, text=text, **worker)
        )

    def _run_a_flow(self, daemon):
        program = daemon.start()
        daemon.await_ready()
        results = engines.run(demo.hello_goodbye(), conf=daemon.conf)
        self.assertIn('goodbye_happened', results)
        daemon.drain(program)

    def _assert_refused(self, daemon, *words):
        program = daemon.start()
        self.assertEqual(1, program.wait(daemons.DEADLINE))
        line = program.stderr.read()
        self.assertEqual(1, line.count('\n'), line)
        for word in words:
            self.assertIn(word, line)

    def test_engines_and_workers_speak_tls(self):
        self.broker.url = re.sub(r':\d+/', f':{self.port}/', self.plain)
        self._run_a_flow(self._daemon(_tls(self.ours)))
        # Somebody else's authority is not trusted, and that is said.
        theirs = self.useFixture(Authority()).path
        self._assert_refused(
            self._daemon(_tls(theirs), startup_timeout=2),
            'transport_url',
            'certificate',
        )

    def test_a_user_who_may_touch_our_names_only_is_enough(self):
        # The page's commands as they stand, user, name space and all.
        for command in documented.console_commands(PAGE):
            program, *words = shlex.split(command.text)
            self.assertEqual('rabbitmqctl', program)
            self.broker.server.control(*words)
        self.broker.namespace = 'taskflow'
        self.broker.url = self.plain.replace('guest:guest', 'taskflow:secret')
        self._run_a_flow(self._daemon())
        # Names of others are out of reach, which is what it is for.
        self.broker.namespace = 'elsewhere'
        self._assert_refused(
            self._daemon(startup_timeout=2),
            'transport_url',
            'ACCESS_REFUSED',
        )


def _tls(path):
    """The lines of the page, with the names of its files replaced."""
    (block,) = re.findall(
        r'^    \[oslo_messaging_rabbit\]\n(?:    ssl[^\n]*\n)+',
        PAGE.read_text(),
        re.MULTILINE,
    )
    text = re.sub(r'(?m)^    ', '', block)
    return text.replace('/etc/taskflow_service/', f'{path}/')
