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


"""What a program gets that loads a flow from a bad configuration."""

from __future__ import annotations

import socket

import ddt
import fixtures
from oslo_config import cfg
from oslotest import base

from taskflow_service import conf as service_conf
from taskflow_service import demo
from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import identity
from taskflow_service.messaging import transport


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return int(listener.getsockname()[1])


@ddt.ddt
class ConfiguredTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.path = self.useFixture(fixtures.TempDir()).path

    def _conf(self, text):
        path = f'{self.path}/service.conf'
        with open(path, 'w') as file:
            file.write(f'[DEFAULT]\nstate_path = {self.path}\n{text}')
        conf = cfg.ConfigOpts()
        service_conf.register_opts(conf)
        transport.register_opts(conf)
        conf(['--config-file', path], default_config_dirs=[])
        self.addCleanup(transport.forget, conf)
        self.addCleanup(identity.forget, conf)
        return conf

    def _refusal(self, text):
        conf = self._conf(text)
        error = self.assertRaises(
            exceptions.TaskFlowException,
            lambda: engines.load(demo.hello_goodbye(), conf=conf).run(),
        )
        self.assertNotIn('\n', str(error))
        return str(error)

    @ddt.data(
        ('[engine]\ntype = steam', '[engine] type', "'steam'", 'workers'),
        ('[engine]\nlisteners = ear', '[engine] listeners', "'ear'"),
        (
            'transport_url = carrier://host/\n[engine]\ntype = workers',
            'transport_url',
            'carrier',
            'rabbit://',
        ),
        (
            'transport_url = nonsense\n[engine]\ntype = workers',
            'transport_url',
            'rabbit://',
        ),
        (
            'transport_url = kafka://host/\n[engine]\ntype = workers',
            'transport_url',
            'kafka://',
            'notifications only',
        ),
        ('[persistence]\nbackend = stone', '[persistence] backend', 'stone'),
        (
            '[persistence]\nbackend = sqlalchemy\n'
            '[database]\nconnection = oracle9://host/x',
            '[database] connection',
            "'oracle9'",
            'postgresql',
        ),
        (
            '[persistence]\nbackend = sqlalchemy\n'
            '[database]\nconnection = nonsense',
            '[database] connection',
            'dialect',
        ),
    )
    def test_one_line_names_the_option_and_what_to_do(self, case):
        text, *words = case
        refusal = self._refusal(text)
        for word in words:
            self.assertIn(word, refusal)

    @ddt.data('postgresql+psycopg', 'mysql+pymysql')
    def test_a_database_that_is_not_there(self, dialect):
        port = _free_port()
        refusal = self._refusal(
            '[persistence]\nbackend = sqlalchemy\n[database]\n'
            f'connection = {dialect}://user:s3cret@127.0.0.1:{port}/x'
        )
        self.assertIn('[database] connection', refusal)
        self.assertIn(f'127.0.0.1:{port}', refusal)
        self.assertNotIn('s3cret', refusal)
