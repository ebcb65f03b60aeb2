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

"""A set in order of insertion."""

from __future__ import annotations

import pickle

from oslotest import base

from taskflow_service.types import sets


class OrderedSetTest(base.BaseTestCase):
    """A set to whoever compares, a list to whoever reads."""

    def setUp(self) -> None:
        super().setUp()
        self.letters = sets.OrderedSet('bcab')

    def test_keeps_order_and_drops_repetitions(self) -> None:
        self.assertEqual(['b', 'c', 'a'], list(self.letters))
        self.assertEqual("OrderedSet(['b', 'c', 'a'])", repr(self.letters))
        self.assertEqual('OrderedSet([])', repr(sets.OrderedSet()))

    def test_equal_to_any_set_alike_and_hashed_so(self) -> None:
        self.assertEqual({'a', 'b', 'c'}, self.letters)
        self.assertEqual(sets.OrderedSet('abc'), self.letters)
        self.assertEqual(hash(sets.OrderedSet('abc')), hash(self.letters))
        self.assertNotEqual(['b', 'c', 'a'], self.letters)

    def test_operations_keep_the_order(self) -> None:
        for found, expected in (
            (self.letters | {'z'}, 'bcaz'),
            (self.letters - {'c'}, 'ba'),
            (self.letters & ['a', 'b'], 'ab'),
            (self.letters.union('de', 'ef'), 'bcadef'),
            (self.letters.intersection('abz', 'ab'), 'ba'),
            (self.letters.difference('b', 'c'), 'a'),
            (self.letters.intersection(), 'bca'),
            (self.letters.copy(), 'bca'),
        ):
            self.assertIsInstance(found, sets.OrderedSet)
            self.assertEqual(expected, ''.join(found))

    def test_compares_with_any_iterable(self) -> None:
        self.assertTrue(self.letters.issubset('abcd'))
        self.assertFalse(self.letters.issubset('ab'))
        self.assertTrue(self.letters.issuperset('ab'))
        self.assertLess(self.letters, {'a', 'b', 'c', 'd'})

    def test_survives_pickle(self) -> None:
        twin = pickle.loads(pickle.dumps(self.letters))
        self.assertEqual(list(self.letters), list(twin))
