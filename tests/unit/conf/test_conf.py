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

"""A bad value stops the start with the option's name."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import ddt
import fixtures
from oslo_config import cfg
from oslotest import base

from taskflow_service import conf as service_conf
from taskflow_service import exceptions
from taskflow_service.conf import opts

GOOD_KEY = '0123456789abcdef' * 2


class Case(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        directory = self.useFixture(fixtures.TempDir()).path
        self.file = pathlib.Path(directory) / 'service.conf'

    def _read(self, text):
        self.file.write_text(text)
        conf = cfg.ConfigOpts()
        service_conf.register_opts(conf)
        conf(['--config-file', str(self.file)], default_config_dirs=[])
        return conf

    def _refused(self, text):
        conf = self._read(text)
        error = self.assertRaises(
            exceptions.ConfigurationError, service_conf.validate, conf
        )
        return error.args[0]


@ddt.ddt
class ValidationTest(Case):
    def test_the_defaults_are_good(self):
        service_conf.validate(self._read(''))

    @ddt.data(
        ('worker', 'slots', 'many'),
        ('worker', 'slots', '0'),
        ('worker', 'executor', 'fibres'),
        ('worker', 'start_method', 'clone'),
        ('worker', 'name', 'a/b'),
        ('worker', 'tasks', ''),
        ('worker', 'graceful_shutdown_timeout', '-1'),
        ('engine', 'lease', '4.9'),
        ('engine', 'max_workers', '0'),
        ('engine', 'claim_timeout', '-1'),
        ('remote', 'lease', '4.9'),
        ('remote', 'lost_after', '20'),
        ('remote', 'namespace', 'two words'),
        ('remote', 'max_worker_losses', '0'),
        ('remote', 'max_message_size', '4194304'),
        ('persistence', 'max_value_size', '1'),
        ('notifications', 'enabled', 'perhaps'),
        ('database', 'max_retries', 'often'),
    )
    @ddt.unpack
    def test_a_bad_value_is_refused_by_name(self, group, name, value):
        message = self._refused(f'[{group}]\n{name} = {value}\n')
        self.assertIn(f'[{group}] {name}', message)
        self.assertNotIn('\n', message)

    @ddt.data(
        ('worker', 'slots', 'many', "an integer from 1 to 10000, not 'many'"),
        ('worker', 'slots', '0', 'an integer from 1 to 10000'),
        ('worker', 'cancel_grace', 'x', "a number of at least 0, not 'x'"),
        ('notifications', 'enabled', 'no way', "true or false, not 'no way'"),
    )
    @ddt.unpack
    def test_what_is_wanted_is_said_plainly(self, group, name, value, wanted):
        message = self._refused(f'[{group}]\n{name} = {value}\n')
        self.assertEqual(f'[{group}] {name}: it has to be {wanted}', message)

    def test_a_short_key_is_refused_and_not_shown(self):
        message = self._refused('[security]\nsigning_keys = hunter2\n')
        self.assertIn('[security] signing_keys', message)
        self.assertNotIn('hunter2', message)

    def test_a_key_that_cannot_be_read_is_not_shown(self):
        message = self._refused('[security]\nsigning_keys = $hunter2\n')
        self.assertIn('[security] signing_keys', message)
        self.assertNotIn('hunter2', message)

    def test_good_keys_are_taken(self):
        text = f'[security]\nsigning_keys = {GOOD_KEY}, {GOOD_KEY[::-1]}\n'
        conf = self._read(text)
        service_conf.validate(conf)
        self.assertEqual(
            [GOOD_KEY, GOOD_KEY[::-1]], conf.security.signing_keys
        )


class RegistrationTest(Case):
    def test_registering_twice_is_registering_once(self):
        conf = cfg.ConfigOpts()
        service_conf.register_opts(conf)
        service_conf.register_opts(conf)

    def test_a_state_path_of_the_host_is_used_as_it_is(self):
        conf = cfg.ConfigOpts()
        conf.register_opt(cfg.StrOpt('state_path', default='/var/lib/nova'))
        service_conf.register_opts(conf)
        conf([], default_config_files=[], default_config_dirs=[])
        self.assertEqual('/var/lib/nova', conf.state_path)
        service_conf.validate(conf)

    def test_the_global_configuration_is_left_alone(self):
        service_conf.register_opts(cfg.ConfigOpts())
        self.assertNotIn('remote', cfg.CONF)

    def test_registering_loads_no_database_and_no_bus(self):
        code = (
            'import sys, taskflow_service.conf\n'
            'print({"sqlalchemy", "oslo_messaging"} & set(sys.modules))'
        )
        output = subprocess.check_output([sys.executable, '-c', code])
        self.assertEqual(b'set()\n', output)

    def test_the_names_that_clients_rely_on(self):
        conf = self._read('')
        names = {
            None: 'state_path',
            'database': 'connection',
            'persistence': 'backend max_value_size',
            'serialization': 'allowed_modules',
            'engine': (
                'type executor max_workers lease claim_timeout listeners'
            ),
            'worker': (
                'topics tasks slots processes executor start_method name '
                'setup startup_timeout graceful_shutdown_timeout cancel_grace'
            ),
            'remote': (
                'namespace lease lost_after start_timeout '
                'max_worker_losses max_message_size'
            ),
            'security': 'signing_keys',
            'notifications': 'enabled',
        }
        for group, options in names.items():
            scope = conf if group is None else conf[group]
            for name in options.split():
                self.assertIn(name, scope)

    def test_every_option_has_sentences_for_help(self):
        for group, options in opts.list_opts():
            for option in options:
                name = f'{getattr(group, "name", group)}.{option.name}'
                text = option.help.strip()
                self.assertRegex(text, r'^[A-Z]', name)
                self.assertIn('.', text, name)

    def test_what_the_generator_gets_is_its_own(self):
        opts.list_opts()[0][1][0].help = 'changed'
        self.assertNotEqual('changed', opts.list_opts()[0][1][0].help)
