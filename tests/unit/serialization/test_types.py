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

"""Types of one's own."""

from __future__ import annotations

from typing import Any

from oslotest import base

from taskflow_service import exceptions
from taskflow_service.serialization import envelope
from taskflow_service.serialization import types
from tests.unit.serialization import samples


class RegisterTest(base.BaseTestCase):
    """Giving a type a stored form."""

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(types.unregister, samples.Point)

    def _register(self, name: str = 'tests.Point') -> None:
        types.register(
            samples.Point,
            name,
            lambda point: (point.x, point.y),
            lambda data: samples.Point(*data),
        )

    def test_registered_type_comes_back_anywhere(self) -> None:
        self._register()
        value = {1: [samples.Point(b'x', samples.Point(1, {2}))]}
        self.assertEqual(value, envelope.loads(envelope.dumps(value)))

    def test_place_in_a_registered_value_is_named(self) -> None:
        self._register()
        error = self.assertRaises(
            exceptions.ValueNotStorable,
            envelope.dumps,
            [samples.Point(1, object())],
        )
        self.assertEqual('[0].<tests.Point>[1]', error.path)

    def test_subclass_is_another_type(self) -> None:
        self._register()

        class Point3(samples.Point):
            pass

        self.assertRaises(
            exceptions.ValueNotStorable, envelope.dumps, Point3(1, 2)
        )

    def test_unknown_name_says_what_to_do(self) -> None:
        self._register()
        text = envelope.dumps(samples.Point(1, 2))
        types.unregister(samples.Point)
        error = self.assertRaises(
            exceptions.ValueUnreadable, envelope.loads, text
        )
        self.assertIn('tests.Point', str(error))
        self.assertIn('register', str(error))

    def test_names_and_types_are_taken_once(self) -> None:
        self._register()
        self.assertRaises(exceptions.Duplicate, self._register)
        self.assertRaises(exceptions.Duplicate, self._register, 'tests.Other')
        self.assertIsNone(types.of_name('tests.Other'))
        for taken in (int, tuple, dict, bytes):
            self.assertRaises(
                exceptions.Duplicate,
                types.register,
                taken,
                'tests.taken',
                repr,
                eval,
            )

    def test_name_without_a_package_is_refused(self) -> None:
        for name in ('tuple', '$tuple', '', 'a.', 'a b.c'):
            self.assertRaises(ValueError, self._register, name)

    def test_failing_codec_is_named(self) -> None:
        def fail(value: Any) -> Any:
            raise ZeroDivisionError('codec')

        types.register(samples.Point, 'tests.Bad', fail, fail)
        error = self.assertRaises(
            exceptions.ValueNotStorable,
            envelope.dumps,
            {'k': samples.Point(1, 2)},
        )
        self.assertEqual("['k']", error.path)
        self.assertIn('tests.Bad', error.reason)
        self.assertIsInstance(error.__cause__, ZeroDivisionError)
        self.assertRaises(
            exceptions.ValueUnreadable,
            envelope.loads,
            '{"v":1,"d":{"$tests.Bad":1}}',
        )
