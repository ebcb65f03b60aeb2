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

"""What errors say, and that they stay what they are."""

from __future__ import annotations

import inspect
import pickle

from oslotest import base

from taskflow_service import exceptions
from taskflow_service.types import failure


class CauseTest(base.BaseTestCase):
    """An error and what led to it are one text."""

    def test_raise_with_cause_takes_the_one_being_handled(self) -> None:
        try:
            try:
                raise KeyError('inner')
            except KeyError:
                exceptions.raise_with_cause(exceptions.NotFound, 'outer')
        except exceptions.NotFound as error:
            self.assertIsInstance(error.cause, KeyError)
            self.assertIs(error.cause, error.__cause__)
            self.assertEqual("outer\n  KeyError: 'inner'", str(error))
        else:
            self.fail('nothing was raised')

    def test_given_cause_takes_precedence(self) -> None:
        given = ValueError('given')
        try:
            raise KeyError('handled')
        except KeyError:
            error = self.assertRaises(
                exceptions.NotFound,
                exceptions.raise_with_cause,
                exceptions.NotFound,
                'outer',
                cause=given,
            )
        self.assertIs(given, error.cause)

    def test_other_classes_cannot_keep_a_cause(self) -> None:
        self.assertRaises(
            ValueError, exceptions.raise_with_cause, KeyError, 'x'
        )

    def test_pformat_indents_each_cause_further(self) -> None:
        error = exceptions.Empty(
            'a', cause=exceptions.NotFound('b', cause=ValueError('c'))
        )
        self.assertEqual(
            'Empty: a\n--NotFound: b\n----ValueError: c',
            error.pformat(indent_text='-', show_root_class=True),
        )
        self.assertRaises(ValueError, error.pformat, indent=-1)

    def test_a_circle_of_causes_ends(self) -> None:
        first = exceptions.Empty('first')
        second = exceptions.Empty('second', cause=first)
        first._cause = second
        self.assertEqual('first\n  Empty: second', str(first))


class TreeTest(base.BaseTestCase):
    """The tree is that of the docstring, and its leaves can travel."""

    def _classes(self) -> list[type]:
        return [
            cls
            for _, cls in inspect.getmembers(exceptions, inspect.isclass)
            if issubclass(cls, Exception)
            and cls.__module__ == exceptions.__name__
            and not cls.__name__.startswith('_')
        ]

    def test_docstring_draws_every_class_below_its_base(self) -> None:
        lines = (exceptions.__doc__ or '').splitlines()
        drawn: dict[str, str | None] = {}
        above: list[tuple[int, str]] = []
        for line in lines:
            words = line.split()
            if not words or not line.startswith('  '):
                continue
            margin = len(line) - len(line.lstrip())
            if margin > 30 or not hasattr(exceptions, words[0]):
                continue
            while above and above[-1][0] >= margin:
                above.pop()
            drawn[words[0]] = above[-1][1] if above else None
            above.append((margin, words[0]))
        for cls in self._classes():
            self.assertIn(cls.__name__, drawn)
            expected = drawn[cls.__name__]
            if expected is not None:
                bases = [base.__name__ for base in cls.__mro__[1:]]
                public = [name for name in bases if name[0] != '_']
                self.assertEqual(expected, public[0])

    def test_all_can_be_pickled_with_their_attributes(self) -> None:
        lost = exceptions.FlowOwnershipLost(
            'taken', flow_uuid='f', owner='host.0'
        )
        for error in (
            lost,
            exceptions.FlowEnded('over', flow_uuid='f'),
            exceptions.FlowHandedOver('left', flow_uuid='f'),
            exceptions.ValueTooLarge('big', size=3, task='t', key='result'),
            exceptions.DisallowedAccess('no', state='CLOSED'),
            exceptions.Cancelled('stop', reason='user'),
        ):
            twin = pickle.loads(pickle.dumps(error))
            self.assertIs(type(error), type(twin))
            self.assertEqual(vars(error), vars(twin))
            self.assertEqual(str(error), str(twin))

    def test_missing_dependencies_name_who_and_what(self) -> None:
        error = exceptions.MissingDependencies('task a', ['x'], method='undo')
        self.assertEqual(['x'], error.missing_requirements)
        for part in ('undo', 'task a', "['x']"):
            self.assertIn(part, str(error))

    def test_a_value_error_can_be_told_whose_value_it_is(self) -> None:
        error = exceptions.ValueTooLarge('too large', size=9, type_name='str')
        named = error.of('boot', 'progress')
        self.assertIsInstance(named, exceptions.ValueTooLarge)
        self.assertEqual(
            ('boot', 'progress', 9, 'str'),
            (named.task, named.key, named.size, named.type_name),
        )
        self.assertIn("'boot'", str(named))


def _failure(error: Exception) -> failure.Failure:
    return failure.Failure.from_exception(error)


class WrappedFailureTest(base.BaseTestCase):
    """Several failures raised as one."""

    def setUp(self) -> None:
        super().setUp()
        self.causes = [_failure(ValueError('a')), _failure(KeyError('b'))]
        self.wrapped = exceptions.WrappedFailure(self.causes)

    def test_iterates_over_its_failures(self) -> None:
        self.assertEqual(self.causes, list(self.wrapped))
        self.assertEqual(2, len(self.wrapped))

    def test_nested_ones_are_flattened(self) -> None:
        outer = exceptions.WrappedFailure(
            [_failure(self.wrapped), _failure(IndexError('c'))]
        )
        self.assertEqual(3, len(outer))

    def test_check_finds_classes_and_names(self) -> None:
        self.assertIs(ValueError, self.wrapped.check(OSError, ValueError))
        self.assertEqual('KeyError', self.wrapped.check('KeyError'))
        self.assertIsNone(self.wrapped.check(OSError))

    def test_text_shows_all(self) -> None:
        self.assertEqual(
            "WrappedFailure: [Failure: ValueError: a, Failure: KeyError: 'b']",
            str(self.wrapped),
        )
        self.assertEqual(
            str(self.wrapped), str(pickle.loads(pickle.dumps(self.wrapped)))
        )
