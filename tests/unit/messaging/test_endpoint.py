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
"""Refused messages: all are counted, few are named."""

from __future__ import annotations

import fixtures
from oslotest import base

from taskflow_service.messaging import endpoint
from taskflow_service.messaging import transport
from tests.conformance import transports


class RefusalTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.log = self.useFixture(fixtures.FakeLogger('taskflow_service'))
        self.now = 1000.0
        conf = transports.make_conf('fake://', 'ns')
        conf.set_override('signing_keys', ['k' * 32], 'security')
        self.addCleanup(transport.forget, conf)
        self.endpoint = endpoint.Endpoint(
            conf,
            transport.Role.WORKER,
            'w.1',
            self.fail,
            clock=lambda: self.now,
        )
        self.addCleanup(self.endpoint.finish, 5.0)

    def _arrive(self, *texts: object) -> int:
        """Have texts arrive; return how many lines there are by now."""
        for text in texts:
            self.endpoint._arrived(text)
        return self.log.output.count('w.1 refuses a message')

    @staticmethod
    def _from(name: str) -> str:
        return f'{{"sender":{{"name":"{name}","incarnation":"i"}},"to":"x"}}'

    def test_each_sender_is_named_once_a_minute(self) -> None:
        texts = [self._from('a'), self._from('b')] * 3
        self.assertEqual(2, self._arrive(*texts))
        self.now += 61
        self.assertEqual(3, self._arrive(self._from('a')))
        self.assertEqual(
            {'refused: not signed': 7}, dict(self.endpoint.refusals)
        )
        self.assertIn('names b as its sender', self.log.output)

    def test_forged_names_do_not_fill_the_log_or_the_memory(self) -> None:
        names = [self._from(f'n{number}') for number in range(500)]
        self.assertEqual(100, self._arrive(*names))
        self.now += 61
        self.assertEqual(200, self._arrive(*names))
        self.assertEqual(1000, self.endpoint.refused)

    def test_a_forger_writes_nothing_into_the_log(self) -> None:
        self._arrive(self._from('a\nERROR all is lost'), 7, 'x' * 20_000_000)
        self.assertNotIn('all is lost', self.log.output)
        self.assertEqual(3, self.endpoint.refused)
