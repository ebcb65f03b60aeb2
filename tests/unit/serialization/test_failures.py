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

"""Failures in the logbook and on the wire."""

from __future__ import annotations

from collections.abc import Callable
import json
import traceback
from typing import Any

from oslotest import base

from taskflow_service import exceptions
from taskflow_service.serialization import envelope
from taskflow_service.types import failure
from tests.unit.serialization import samples


def captured(call: Callable[[], Any]) -> failure.Failure:
    try:
        call()
    except Exception:
        return failure.Failure()
    raise AssertionError('nothing was raised')


def raising(error: Exception) -> failure.Failure:
    def call() -> None:
        raise error

    return captured(call)


def back(original: Any) -> Any:
    return envelope.loads(envelope.dumps(original))


def renamed(original: failure.Failure) -> failure.Failure:
    """Return what another process reads that has not loaded the class."""
    text = envelope.dumps(original)
    return envelope.loads(text.replace(samples.__name__ + ':', 'nowhere:'))


class FailureTest(base.BaseTestCase):
    """A failure that comes back has its exception, where that can be."""

    def _assert_rebuilt(self, original: failure.Failure) -> Any:
        found = back(original)
        self.assertEqual(original, found)
        self.assertEqual(found, original)
        self.assertTrue(original.matches(found))
        self.assertIs(type(original.exception), type(found.exception))
        self.assertEqual(str(original.exception), str(found.exception))
        return found.exception

    def test_exceptions_of_python_come_back(self) -> None:
        for call in (
            lambda: 1 / 0,
            lambda: {}['k'],
            lambda: int('x'),
            lambda: open('/nonexistent/file'),
            lambda: b'\xff'.decode(),
            lambda: compile('a b', 'f', 'exec'),
            lambda: None.attribute,  # type: ignore[attr-defined]
        ):
            self._assert_rebuilt(captured(call))
        found = self._assert_rebuilt(captured(lambda: open('/nonexistent/x')))
        self.assertEqual('/nonexistent/x', found.filename)
        found = self._assert_rebuilt(raising(StopIteration(3)))
        self.assertEqual(3, found.value)

    def test_attributes_come_back_though_init_is_not_called(self) -> None:
        found = self._assert_rebuilt(
            raising(samples.Teapot(418, where={'kitchen'}))
        )
        self.assertEqual(418, found.code)
        self.assertEqual({'where': {'kitchen'}}, found.details)
        found = self._assert_rebuilt(raising(samples.Unpicklable(1, (2,))))
        self.assertEqual((1, (2,)), (found.first, found.second))

    def test_our_own_come_back_with_their_causes(self) -> None:
        original = raising(
            exceptions.NotFound('gone', cause=samples.Teapot(1))
        )
        found = self._assert_rebuilt(original)
        self.assertIsInstance(found.cause, samples.Teapot)
        self.assertEqual(1, found.cause.code)

    def test_wrapped_failures_come_back(self) -> None:
        inner = [raising(samples.Teapot(1)), raising(KeyError('k'))]
        found = self._assert_rebuilt(raising(exceptions.WrappedFailure(inner)))
        self.assertEqual(inner, list(found))
        self.assertIs(KeyError, found.check(KeyError))

    def test_exception_groups_come_back(self) -> None:
        group = ExceptionGroup('g', [ValueError(1), samples.Teapot(2)])
        found = self._assert_rebuilt(raising(group))
        self.assertEqual(
            [ValueError, samples.Teapot],
            [type(error) for error in found.exceptions],
        )

    def test_what_has_no_stored_form_is_replaced_by_its_text(self) -> None:
        class Secretive:
            def __repr__(self) -> str:
                raise RuntimeError('no repr')

        found = self._assert_rebuilt(
            raising(samples.Teapot(1, session=len, odd=Secretive()))
        )
        self.assertEqual(repr(len), found.details['session'])
        self.assertIn('Secretive', found.details['odd'])

    def test_raised_again_it_shows_where_it_came_from(self) -> None:
        found = back(raising(samples.Teapot(7)))
        for _ in range(2):
            try:
                found.reraise()
            except samples.Teapot as error:
                text = ''.join(traceback.format_exception(error))
        self.assertEqual(1, text.count('in captured'))

    def test_causes_come_back(self) -> None:
        error = ValueError('outer')
        error.__cause__ = samples.Teapot(3)
        error.__cause__.__cause__ = KeyError('k')
        found = back(raising(error))
        self.assertEqual(
            [samples.Teapot, KeyError],
            [cause.check(samples.Teapot, KeyError) for cause in found.causes],
        )
        self.assertEqual(1, len(found.causes[0].causes))

    def test_anywhere_in_a_value(self) -> None:
        value = [(1, {'task': raising(ValueError('x'))})]
        self.assertEqual(value, back(value))


class UnknownClassTest(base.BaseTestCase):
    """A failure whose exception's class is not here."""

    def setUp(self) -> None:
        super().setUp()
        self.original = raising(samples.Teapot(1))
        self.found = renamed(self.original)

    def test_is_known_by_names_and_raised_wrapped(self) -> None:
        self.assertIsNone(self.found.exception)
        self.assertIs(samples.Teapot, self.found.check(samples.Teapot))
        self.assertEqual(self.original, self.found)
        self.assertRaises(exceptions.WrappedFailure, self.found.reraise)

    def test_stored_again_it_can_still_be_rebuilt_elsewhere(self) -> None:
        text = envelope.dumps(self.found)
        self.assertEqual(
            envelope.dumps(self.original),
            text.replace('nowhere:', samples.__name__ + ':'),
        )

    def test_unknown_cause_stands_for_itself(self) -> None:
        found = renamed(
            raising(exceptions.NotFound('gone', cause=samples.Teapot(1)))
        )
        self.assertIn('teapot 1', str(found.exception))

    def test_local_exception_is_stored(self) -> None:
        class Local(Exception):
            pass

        found = back(raising(Local('x')))
        self.assertIsNone(found.exception)
        self.assertIsNotNone(found.check(Local))


class SizeTest(base.BaseTestCase):
    """A failure can always be stored."""

    def test_too_large_one_loses_arguments_and_most_of_its_text(self) -> None:
        original = raising(ValueError('x' * 100_000, 'y' * 100_000))
        text = envelope.dumps(original, max_size=20_000)
        found = envelope.loads(text)
        self.assertIs(ValueError, found.check(ValueError))
        self.assertIn('left out', found.exception_str)
        self.assertTrue(found.exception_str.startswith("('xxx"))

    def test_long_chain_of_nested_causes_stays_small(self) -> None:
        def chain(depth: int) -> None:
            try:
                if depth:
                    chain(depth - 1)
                raise ValueError(depth)
            except Exception as error:
                raise exceptions.NotFound(str(depth), cause=error) from error

        text = envelope.dumps(captured(lambda: chain(20)))
        self.assertLess(len(text), 200_000)
        self.assertEqual(21, len(json.loads(text)['d']['$failure']['causes']))
