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

"""Values as text and back."""

from __future__ import annotations

import collections
import datetime
import decimal
import http
import json
import math
import threading
from typing import Any
import uuid
import zoneinfo

from oslotest import base

from taskflow_service import exceptions
from taskflow_service import states
from taskflow_service.serialization import encoder
from taskflow_service.serialization import envelope
from tests.unit.serialization import samples

BERLIN = zoneinfo.ZoneInfo('Europe/Berlin')

# The texts of version 1, which rows hold: they are read for ever.
VERSION_1: tuple[tuple[Any, str], ...] = (
    (None, 'null'),
    ({'a': [1, 2.5, True, 'x']}, '{"a":[1,2.5,true,"x"]}'),
    ('\0é\ud800', r'"\u0000\u00e9\ud800"'),
    ('\ud83d\ude00', '{"$str":"eda0bdedb880"}'),
    ((1, ()), '{"$tuple":[1,{"$tuple":[]}]}'),
    ({1}, '{"$set":[1]}'),
    (frozenset('a'), '{"$frozenset":["a"]}'),
    ({1: 2}, '{"$dict":[[1,2]]}'),
    ({'$tuple': []}, '{"$dict":[["$tuple",[]]]}'),
    (
        collections.OrderedDict([('a', 1)]),
        '{"$ordereddict":[["a",1]]}',
    ),
    (math.inf, '{"$float":"inf"}'),
    (b'\0\xff', '{"$bytes":"AP8="}'),
    (bytearray(b'a'), '{"$bytearray":"YQ=="}'),
    (1 - 2j, '{"$complex":["1.0","-2.0"]}'),
    (decimal.Decimal('1.50'), '{"$decimal":"1.50"}'),
    (
        uuid.UUID(int=1),
        '{"$uuid":"00000000-0000-0000-0000-000000000001"}',
    ),
    (
        datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC),
        '{"$datetime":"2026-01-02T03:04:05+00:00"}',
    ),
    (
        datetime.datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
        '{"$datetime":["2026-10-25T02:30:00","Europe/Berlin",1]}',
    ),
    (
        datetime.datetime(
            2026,
            1,
            2,
            tzinfo=datetime.timezone(datetime.timedelta(microseconds=7)),
        ),
        '{"$datetime":["2026-01-02T00:00:00",7,0]}',
    ),
    (
        datetime.datetime(2026, 1, 2, fold=1),
        '{"$datetime":["2026-01-02T00:00:00",null,1]}',
    ),
    (datetime.date(2026, 1, 2), '{"$date":"2026-01-02"}'),
    (datetime.time(1, 2), '{"$time":"01:02:00"}'),
    (datetime.timedelta(1, 2, 3), '{"$timedelta":[1,2,3]}'),
    (
        http.HTTPStatus.OK,
        '{"$enum":["http:HTTPStatus","OK"]}',
    ),
    (
        samples.Rights.READ,
        '{"$flag":["tests.unit.serialization.samples:Rights",1]}',
    ),
    (
        samples.Pair(1, b''),
        '{"$namedtuple":["tests.unit.serialization.samples:Pair",'
        '[1,{"$bytes":""}]]}',
    ),
)

OTHERS: tuple[Any, ...] = (
    -0.0,
    10**5000,
    -(2**2047),
    2**2048,
    '😀 한국어 {"$',
    {'$a': 1, 'b': 2},
    {'$': {'$': 1}},
    {'\ud83d\ude00': 1, 'x': (2,)},
    {None: 1, (1, 'a'): {2: {3}}, b'k': frozenset({(1,)})},
    complex(-0.0, -math.inf),
    decimal.Decimal('-0E+3'),
    decimal.Decimal('Infinity'),
    datetime.datetime(1, 1, 1, fold=1),
    datetime.datetime(9999, 12, 31, 23, 59, 59, 999999),
    datetime.datetime(
        2026,
        1,
        1,
        tzinfo=datetime.timezone(datetime.timedelta(hours=-5, seconds=7)),
    ),
    datetime.time(1, tzinfo=BERLIN),
    datetime.time(1, fold=1, tzinfo=datetime.UTC),
    datetime.timedelta.min,
    samples.Colour.ROUGE,
    samples.Rights(0),
    samples.Rights.READ | samples.Rights.WRITE,
    samples.Level.LOW,
    samples.Old('n', 1),
    states.FlowState.RUNNING,
)


class RoundTripTest(base.BaseTestCase):
    """What comes back is equal, and of the same type."""

    def _assert_comes_back(self, value: Any) -> None:
        text = envelope.dumps(value)
        self.assertTrue(text.isascii())
        json.loads(text)
        found = envelope.loads(text)
        self.assertEqual(value, found)
        self.assertIs(type(value), type(found))
        if not isinstance(value, int):
            self.assertEqual(repr(value), repr(found))

    def test_texts_of_version_1_stay(self) -> None:
        for value, text in VERSION_1:
            self.assertEqual(f'{{"v":1,"d":{text}}}', envelope.dumps(value))
            self._assert_comes_back(value)

    def test_values_come_back(self) -> None:
        for value in OTHERS:
            self._assert_comes_back(value)

    def test_nan_comes_back(self) -> None:
        (found,) = envelope.loads(envelope.dumps([math.nan]))
        self.assertTrue(math.isnan(found))
        found = envelope.loads(envelope.dumps(decimal.Decimal('sNaN12')))
        self.assertEqual('sNaN12', str(found))

    def test_order_of_dictionaries_stays(self) -> None:
        for value in ({'b': 1, 'a': 2}, {2: 1, 1: 2}):
            found = envelope.loads(envelope.dumps(value))
            self.assertEqual(list(value), list(found))

    def test_plain_values_are_told_from_others(self) -> None:
        plain = {'a': [1, 'x', None, {'b': 2.5}], '$a': 1}
        self.assertTrue(encoder.is_plain(plain))
        for value in ((), {1: 2}, {'$a': 1}, [[()]], {'a': {'b': set()}}):
            self.assertFalse(encoder.is_plain(value))

    def test_deepest_value_that_is_taken_comes_back(self) -> None:
        value: Any = 1
        for _ in range(encoder.MAX_DEPTH):
            value = {(): value}
        self._assert_comes_back(value)


class SubclassTest(base.BaseTestCase):
    """The two rules for subclasses of plain types."""

    def test_scalars_come_back_plain_and_equal(self) -> None:
        value = samples.Text('original')
        found = envelope.loads(envelope.dumps({'k': [value]}))
        self.assertEqual({'k': ['original']}, found)
        self.assertIs(str, type(found['k'][0]))

    def test_containers_are_refused_with_what_to_do(self) -> None:
        error = self.assertRaises(
            exceptions.ValueNotStorable,
            envelope.dumps,
            collections.defaultdict(list),
        )
        self.assertIn('dict()', str(error))
        self.assertEqual('collections.defaultdict', error.type_name)


class RefusalTest(base.BaseTestCase):
    """Values that would not come back, and texts that are none."""

    def _refused(self, value: Any) -> exceptions.ValueNotStorable:
        return self.assertRaises(
            exceptions.ValueNotStorable, envelope.dumps, value
        )

    def test_place_and_type_are_named(self) -> None:
        lock = threading.Lock()
        for value, path in (
            (lock, ''),
            ({'a': [0, 1, 2, samples.Pair(lock, 1)]}, "['a'][3].x"),
            ((1, {2: lock}), '[1][2]'),
            ([b'x', {'y': (1, lock)}], "[1]['y'][1]"),
        ):
            error = self._refused(value)
            self.assertEqual(path, error.path)
            self.assertEqual('_thread.lock', error.type_name)
            self.assertIn(path, str(error))
            self.assertIn('register', error.reason)
        self.assertIn('lock', self._refused({1, lock}).path)

    def test_value_in_itself_is_refused(self) -> None:
        circle: dict[str, Any] = {}
        circle['again'] = [circle]
        error = self._refused(circle)
        self.assertIn('contains itself', error.reason)
        self.assertLess(len(str(error)), 500)

    def test_too_deep_value_is_refused(self) -> None:
        value: list[Any] = []
        for _ in range(5000):
            value = [value]
        self.assertIn('nested deeper', self._refused(value).reason)

    def test_exceptions_are_stored_as_failures(self) -> None:
        self.assertIn('Failure', self._refused([ValueError()]).reason)

    def test_local_class_is_refused(self) -> None:
        local = samples.enum.Enum('local', 'A')
        self.assertIn('lead back', self._refused(local.A).reason)

    def test_too_large_value_says_how_large(self) -> None:
        error = self.assertRaises(
            exceptions.ValueTooLarge, envelope.dumps, 'x' * 100, max_size=50
        )
        self.assertEqual((114, 'str'), (error.size, error.type_name))
        self.assertEqual(114, len(envelope.dumps('x' * 100, max_size=114)))

    def test_texts_that_are_no_values_are_refused(self) -> None:
        for text in (
            '',
            '{',
            'null',
            '[1]',
            '{}',
            '{"v":1}',
            '{"d":1}',
            '{"v":1,"d":1,"z":"zlib"}',
            '{"v":1,"d":NaN}',
            '{"v":1,"d":' + '[' * 5000 + ']' * 5000 + '}',
            None,
            b'\xff',
        ):
            self.assertRaises(exceptions.ValueUnreadable, envelope.loads, text)

    def test_trees_that_no_value_made_are_refused(self) -> None:
        for tree in (
            '{"$alien":1}',
            '{"$tuple":1}',
            '{"$dict":[[1]]}',
            '{"$set":[[]]}',
            '{"$uuid":"zz"}',
            '{"$datetime":["2026-01-01T00:00:00","No/Where",0]}',
            '{"$enum":3}',
            '{"$enum":["http:HTTPStatus","NONE"]}',
            '{"$enum":["builtins:int","real"]}',
            '{"$flag":["http:HTTPStatus",200]}',
            '{"$namedtuple":["builtins:tuple",[]]}',
            '{"$namedtuple":["tests.unit.serialization.samples:Pair",[1]]}',
            '{"$failure":{}}',
            '{"$failure":[1]}',
        ):
            self.assertRaises(
                exceptions.ValueUnreadable,
                envelope.loads,
                f'{{"v":1,"d":{tree}}}',
            )

    def test_later_version_is_named(self) -> None:
        error = self.assertRaises(
            exceptions.ValueUnreadable, envelope.loads, '{"v":2,"d":1}'
        )
        self.assertIn('version 2', str(error))

    def test_otherwise_formatted_envelope_is_read(self) -> None:
        self.assertEqual(
            (3,), envelope.loads('{ "d": {"$tuple": [3]}, "v": 1 }')
        )
