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

"""Failures as values."""

from __future__ import annotations

import copy
import pickle
import traceback

from oslotest import base

from taskflow_service import exceptions
from taskflow_service.types import failure


class Broken(Exception):
    """One whose text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError('no text')


class Below(LookupError):
    """One of ours below one of Python's."""


def captured(error: Exception) -> failure.Failure:
    try:
        raise error
    except Exception:
        return failure.Failure()


def restored(original: failure.Failure) -> failure.Failure:
    return failure.Failure.from_dict(original.to_dict())


class CapturedTest(base.BaseTestCase):
    """A failure that still has its exception."""

    def setUp(self) -> None:
        super().setUp()
        self.error = ValueError('woot', 3)
        self.failure = captured(self.error)

    def test_has_what_the_exception_has(self) -> None:
        self.assertIs(self.error, self.failure.exception)
        self.assertEqual(('woot', 3), self.failure.exception_args)
        self.assertEqual(str(self.error), self.failure.exception_str)
        self.assertEqual(['ValueError', 'Exception'], list(self.failure))
        self.assertIs(ValueError, self.failure._exc_info[0])
        self.assertIn('in captured', self.failure.traceback_str)

    def test_reraises_the_very_exception_with_its_traceback(self) -> None:
        try:
            self.failure.reraise()
        except ValueError as error:
            self.assertIs(self.error, error)
            frames = traceback.extract_tb(error.__traceback__)
            self.assertIn('captured', [frame.name for frame in frames])

    def test_formats_with_and_without_traceback(self) -> None:
        self.assertEqual(
            'Failure: ValueError: a', str(captured(ValueError('a')))
        )
        text = self.failure.pformat(traceback=True)
        self.assertIn('\nTraceback (most recent call last):\n  File', text)
        without = failure.Failure.from_exception(ValueError('a'))
        self.assertEqual(
            'Failure: ValueError: a\nTraceback not available.',
            without.pformat(traceback=True),
        )

    def test_check_finds_the_first_of_classes_and_names(self) -> None:
        found = captured(Below('x'))
        self.assertIs(LookupError, found.check(ValueError, LookupError))
        self.assertEqual(f'{__name__}.Below', found.check(f'{__name__}.Below'))
        self.assertIsNone(found.check(KeyError, 'KeyError', BaseException))

    def test_equal_if_it_says_the_same(self) -> None:
        self.assertEqual(self.failure, captured(ValueError('woot', 3)))
        self.assertEqual(self.failure, self.failure.copy())
        self.assertNotEqual(self.failure, captured(ValueError('woot', 4)))
        self.assertNotEqual(self.failure, 'woot')
        self.assertRaises(TypeError, hash, self.failure)

    def test_matches_its_restored_form_but_is_not_equal_to_it(self) -> None:
        twin = restored(self.failure)
        self.assertNotEqual(self.failure, twin)
        self.assertTrue(self.failure.matches(twin))
        self.assertTrue(twin.matches(self.failure))
        self.assertEqual(twin, restored(self.failure))

    def test_survives_pickle_and_copy(self) -> None:
        for twin in (
            pickle.loads(pickle.dumps(self.failure)),
            copy.copy(self.failure),
            copy.deepcopy(self.failure),
        ):
            self.assertTrue(twin.matches(self.failure))
            self.assertRaises(ValueError, twin.reraise)

    def test_refuses_what_is_no_exception(self) -> None:
        self.assertRaises(TypeError, failure.Failure)
        self.assertRaises(
            TypeError, failure.Failure.from_exception, KeyboardInterrupt()
        )
        self.assertRaises(ValueError, failure.Failure, (ValueError,))

    def test_exception_without_a_text_still_makes_one(self) -> None:
        self.assertEqual(
            '<unprintable Broken object>', captured(Broken()).exception_str
        )

    def test_reraise_if_any(self) -> None:
        reraise = failure.Failure.reraise_if_any
        reraise([])
        self.assertRaises(ValueError, reraise, iter([self.failure]))
        error = self.assertRaises(
            exceptions.WrappedFailure, reraise, [self.failure] * 2
        )
        self.assertEqual(2, len(error))


class CausesTest(base.BaseTestCase):
    """What led to a failure."""

    def _chained(self, length: int) -> failure.Failure:
        error: Exception = ValueError(length)
        for number in range(length - 1, -1, -1):
            outer = ValueError(number)
            outer.__cause__ = error
            error = outer
        return captured(error)

    def test_nearest_first_each_with_those_after_it(self) -> None:
        found = self._chained(2)
        self.assertEqual(
            [(1,), (2,)], [c.exception_args for c in found.causes]
        )
        self.assertEqual([found.causes[1]], list(found.causes[0].causes))

    def test_context_counts_unless_it_is_suppressed(self) -> None:
        try:
            try:
                raise KeyError('context')
            except KeyError:
                raise ValueError('error')  # noqa: B904 - it is the point
        except ValueError as error:
            with_context = failure.Failure.from_exception(error)
        self.assertEqual(
            ['KeyError'], [next(iter(c)) for c in with_context.causes]
        )
        try:
            raise ValueError('error') from None
        except ValueError as error:
            self.assertEqual((), failure.Failure.from_exception(error).causes)

    def test_circle_ends(self) -> None:
        first, second = ValueError(1), ValueError(2)
        first.__cause__, second.__cause__ = second, first
        self.assertEqual(1, len(captured(first).causes))

    def test_long_chain_is_cut_and_costs_no_more_than_its_length(self) -> None:
        found = self._chained(100)
        twin = restored(found)
        self.assertEqual(32, len(found.causes))
        self.assertEqual(len(found.causes), len(twin.causes))
        self.assertEqual(31, len(twin.causes[0].causes))

    def test_restored_ones_keep_theirs(self) -> None:
        twin = restored(self._chained(3))
        self.assertEqual(
            [(1,), (2,), (3,)], [c.exception_args for c in twin.causes]
        )
        self.assertEqual(2, len(twin.causes[0].causes))


class RestoredTest(base.BaseTestCase):
    """A failure of which only data is left."""

    def setUp(self) -> None:
        super().setUp()
        self.original = captured(Below('gone'))
        self.failure = restored(self.original)

    def test_is_known_by_names(self) -> None:
        self.assertIsNone(self.failure.exception)
        self.assertIsNone(self.failure.exc_info)
        self.assertIs(Below, self.failure.check(Below))
        self.assertEqual(str(self.original), str(self.failure))
        self.assertEqual(
            self.original.pformat(traceback=True),
            self.failure.pformat(traceback=True),
        )

    def test_reraises_as_a_wrapped_failure(self) -> None:
        error = self.assertRaises(
            exceptions.WrappedFailure, self.failure.reraise
        )
        self.assertEqual([self.failure], list(error))

    def test_without_arguments_only_texts_are_left(self) -> None:
        data = self.original.to_dict(include_args=False)
        self.assertEqual((), data['exc_args'])
        self.assertEqual('gone', data['exception_str'])

    def test_validate_accepts_what_to_dict_makes(self) -> None:
        failure.Failure.validate(self.original.to_dict())

    def test_validate_names_what_is_wrong(self) -> None:
        good = self.original.to_dict()
        for key, value in (
            ('exception_str', 3),
            ('traceback_str', None),
            ('exc_type_names', []),
            ('exc_type_names', ['Alien']),
            ('exc_args', 'text'),
            ('version', -1),
            ('causes', {}),
        ):
            error = self.assertRaises(
                exceptions.InvalidFormat,
                failure.Failure.validate,
                {**good, key: value},
            )
            self.assertIn(key, str(error))
        for key in ('exception_str', 'traceback_str', 'exc_type_names'):
            bad = {k: v for k, v in good.items() if k != key}
            self.assertRaises(
                exceptions.InvalidFormat,
                failure.Failure.validate,
                {**good, 'causes': [bad]},
            )
        self.assertRaises(
            exceptions.InvalidFormat, failure.Failure.validate, None
        )

    def test_other_versions_and_parts_are_refused(self) -> None:
        data = self.original.to_dict()
        self.assertRaises(
            ValueError, failure.Failure.from_dict, {**data, 'version': 2}
        )
        self.assertRaises(
            TypeError, failure.Failure.from_dict, {**data, 'alien': 2}
        )
