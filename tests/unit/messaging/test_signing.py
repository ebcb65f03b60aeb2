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

from oslotest import base

from taskflow_service.messaging import signing
from tests.conformance import transports

OLD = 'o' * 32
NEW = 'n' * 32


class SigningTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.now = 1000.0

    def _signer(self, *keys: str) -> signing.Signer:
        conf = transports.make_conf('fake://', 'ns')
        conf.set_override('signing_keys', list(keys), 'security')
        return signing.Signer(conf, lambda: self.now)

    def test_without_keys_a_text_travels_as_it_is(self) -> None:
        signer = self._signer()
        self.assertEqual('{"a":1}', signer.seal('{"a":1}'))
        self.assertEqual('{"a":1}', signer.open('{"a":1}'))

    def test_a_signed_text_comes_back(self) -> None:
        signer = self._signer(NEW)
        self.assertEqual('a:b', signer.open(signer.seal('a:b')))

    def test_every_step_of_a_rotation_is_understood(self) -> None:
        steps = [(OLD,), (OLD, NEW), (NEW, OLD), (NEW,)]
        for before, after in zip(steps, steps[1:], strict=False):
            one, other = self._signer(*before), self._signer(*after)
            self.assertEqual('t', one.open(other.seal('t')))
            self.assertEqual('t', other.open(one.seal('t')))

    def test_what_cannot_be_trusted_is_refused(self) -> None:
        signer = self._signer(NEW)
        sealed = signer.seal('pay 1')
        for bad in (
            'pay 1',
            sealed.replace('pay 1', 'pay 9'),
            sealed.replace(':1000:', ':1001:'),
            self._signer(OLD).seal('pay 1'),
            'hmac:',
            # What no digest and no time can be, and what has no UTF-8.
            'hmac:1000:\u00e9:pay 1',
            'hmac:1000:\ud800:\ud800',
            'hmac:\ud800::pay 1',
        ):
            self.assertRaises(signing.Refused, signer.open, bad)

    def test_an_old_text_is_refused(self) -> None:
        signer = self._signer(NEW)
        sealed = signer.seal('t')
        self.now += 301.0
        self.assertRaises(signing.Refused, signer.open, sealed)

    def test_a_signed_text_needs_a_key_to_be_read(self) -> None:
        sealed = self._signer(NEW).seal('t')
        self.assertRaises(signing.Refused, self._signer().open, sealed)

    def test_it_adds_no_more_than_it_says(self) -> None:
        # Or a message of the greatest size would be sent, and never taken.
        self.now = 99_999_999_999.0
        added = len(self._signer(NEW).seal('text')) - len('text')
        self.assertLessEqual(added, signing.OVERHEAD)
