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


"""What carries messages in one process, and what is refused at start."""

from __future__ import annotations

import subprocess
import sys

from oslotest import base

from taskflow_service import exceptions
from taskflow_service.messaging import transport
from tests.conformance import transports


class FakeTransportTest(transports.TransportSuite, base.BaseTestCase):
    url = 'fake://'


class KombuMemoryTransportTest(transports.TransportSuite, base.BaseTestCase):
    url = 'kombu+memory://'


class UrlTest(base.BaseTestCase):
    def _refusal(self, url: str) -> str:
        conf = transports.make_conf(url, 'ns')
        error = self.assertRaises(
            exceptions.ConfigurationError, transport.shared, conf
        )
        text = str(error)
        self.assertIn('transport_url', text)
        self.assertNotIn('\n', text)
        return text

    def test_kafka_carries_no_requests(self) -> None:
        self.assertIn('notifications only', self._refusal('kafka://host/'))

    def test_an_unknown_driver_is_named(self) -> None:
        self.assertIn('pigeon', self._refusal('pigeon://host/'))

    def test_what_is_no_url_is_refused(self) -> None:
        self._refusal('nonsense')

    def test_a_port_that_is_no_number_is_refused(self) -> None:
        self._refusal('rabbit://guest:s3cret@host:port/')

    def test_an_option_that_the_driver_does_not_have_is_refused(self) -> None:
        self.assertIn('nonsense', self._refusal('rabbit://host/?nonsense=1'))

    def test_a_refusal_does_not_tell_the_password(self) -> None:
        text = self._refusal('rabbit://guest:s3cret@host:port/')
        self.assertNotIn('s3cret', text)

    def test_the_url_that_is_logged_has_no_password(self) -> None:
        conf = transports.make_conf('rabbit://me:s3cret@h:5672/v', 'ns')
        self.addCleanup(transport.forget, conf)
        self.assertEqual('rabbit://h:5672/v', transport.shared(conf).url)

    def test_one_transport_per_configuration(self) -> None:
        conf = transports.make_conf('fake://', 'ns')
        self.addCleanup(transport.forget, conf)
        self.assertIs(transport.shared(conf), transport.shared(conf))

    def test_what_taskflow_calls_memory_is_in_memory(self) -> None:
        url = transport.url_from('memory', None)
        conf = transports.make_conf('rabbit://', 'ns')
        self.addCleanup(transport.forget, conf)
        self.assertTrue(transport.shared(conf, url).in_memory)

    def test_kombus_words_for_rabbitmq_are_understood(self) -> None:
        self.assertEqual(
            'rabbit://guest:guest@host:5672//',
            transport.url_from('amqp', 'amqp://guest:guest@host:5672//'),
        )
        self.assertEqual('fake://', transport.url_from(None, 'memory://'))
        self.assertEqual(
            'rabbit://host/', transport.url_from('memory', 'rabbit://host/')
        )
        self.assertIsNone(transport.url_from(None, None))

    def test_the_filesystem_transport_is_refused(self) -> None:
        self.assertRaises(
            exceptions.ConfigurationError,
            transport.url_from,
            'filesystem',
            None,
        )

    def test_eventlet_stays_out(self) -> None:
        self.assertNotIn('eventlet', sys.modules)

    def test_a_user_sees_no_warning_about_eventlet(self) -> None:
        done = subprocess.run(
            [sys.executable, '-c', 'import taskflow_service.messaging'],
            capture_output=True,
            text=True,
            check=True,
        )
        self.assertEqual('', done.stderr)
