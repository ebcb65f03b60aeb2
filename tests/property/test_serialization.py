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

"""Any value comes back as it was, or is refused; any text is read or refused.

Beside ``test_values`` this has every type with a stored form, failures with
any arguments, and texts that were damaged.
"""

from __future__ import annotations

import collections
import datetime
import json
import math
from typing import Any

import hypothesis
from hypothesis import strategies as st
from oslotest import base

from taskflow_service import exceptions
from taskflow_service import states
from taskflow_service.serialization import encoder
from taskflow_service.serialization import envelope
from taskflow_service.serialization import types
from taskflow_service.types import failure
from tests.unit.serialization import samples

# Any code point, lone surrogates and pairs of them included.
TEXT = st.text(
    st.characters(exclude_categories=())
    | st.sampled_from(['\ud83d', '\ude00', '\0', '$', '😀'])
)

OFFSETS = st.timedeltas(
    datetime.timedelta(hours=-23), datetime.timedelta(hours=23)
).map(datetime.timezone)
ZONES = st.none() | st.timezones() | OFFSETS

ENUMS = st.sampled_from(
    [
        *samples.Colour,
        *samples.Level,
        *states.TaskState,
        samples.Rights(0),
        samples.Rights(3),
    ]
)

HASHABLE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(0, 3000).map(lambda bits: -(1 << bits)),
    st.floats(allow_nan=False),
    st.complex_numbers(allow_nan=False),
    TEXT,
    st.binary(),
    st.decimals(allow_nan=False),
    st.uuids(),
    st.dates(),
    st.datetimes(timezones=ZONES),
    st.times(timezones=ZONES),
    st.timedeltas(),
    ENUMS,
)

VALUES = st.recursive(
    HASHABLE | st.binary().map(bytearray),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.sets(HASHABLE, max_size=4),
        st.frozensets(HASHABLE, max_size=4),
        st.dictionaries(TEXT, inner, max_size=4),
        st.dictionaries(HASHABLE, inner, max_size=4),
        st.dictionaries(HASHABLE, inner, max_size=4).map(
            collections.OrderedDict
        ),
        st.builds(samples.Pair, inner, inner),
        st.builds(samples.Point, inner, inner),
    ),
    max_leaves=25,
)

ERRORS = st.one_of(
    st.builds(ValueError, VALUES, VALUES),
    st.builds(KeyError, VALUES),
    st.builds(OSError, st.integers(1, 130), TEXT, TEXT),
    st.builds(samples.Teapot, st.integers(), extra=VALUES),
    st.builds(samples.Unpicklable, VALUES, st.builds(object)),
    st.builds(exceptions.NotFound, TEXT, st.builds(ValueError, VALUES)),
)


def typed(value: Any) -> Any:
    """Return a value with the type of each of its parts beside it."""
    kind = type(value)
    if isinstance(value, list | tuple):
        return kind, [typed(part) for part in value]
    if isinstance(value, set | frozenset):
        return kind, frozenset((type(part), part) for part in value)
    if isinstance(value, dict):
        return kind, [(typed(k), typed(part)) for k, part in value.items()]
    if isinstance(value, samples.Point):
        return kind, typed(value.x), typed(value.y)
    if isinstance(value, float):
        return kind, math.copysign(1, value), value
    if isinstance(value, datetime.datetime | datetime.time):
        # Equality looks past these where the offset is the same.
        return kind, value.isoformat(), value.fold
    return kind, value


class SerializationTest(base.BaseTestCase):
    """Round trips, and what is not one."""

    def setUp(self) -> None:
        super().setUp()
        types.register(
            samples.Point,
            'tests.Point',
            lambda point: {'x': point.x, 'y': point.y},
            lambda data: samples.Point(**data),
        )
        self.addCleanup(types.unregister, samples.Point)

    @hypothesis.settings(max_examples=1500, deadline=None)
    @hypothesis.given(VALUES)
    def test_value_comes_back_with_all_its_types(self, value: Any) -> None:
        text = envelope.dumps(value)
        self.assertTrue(text.isascii())
        # JSON to every other reader too.
        json.loads(text, parse_constant=self.fail)
        self.assertEqual(typed(value), typed(envelope.loads(text)))

    @hypothesis.settings(max_examples=500, deadline=None)
    @hypothesis.given(VALUES)
    def test_short_cut_writes_what_the_encoder_writes(
        self, value: Any
    ) -> None:
        if encoder.is_plain(value):
            tree = json.dumps(encoder.encode(value), separators=(',', ':'))
            self.assertEqual(f'{{"v":1,"d":{tree}}}', envelope.dumps(value))

    @hypothesis.settings(max_examples=500, deadline=None)
    @hypothesis.given(ERRORS, st.booleans())
    def test_failure_is_always_stored(
        self, error: Exception, raised: bool
    ) -> None:
        if raised:
            try:
                raise error
            except Exception as caught:
                error = caught
        original = failure.Failure.from_exception(error)
        found = envelope.loads(envelope.dumps(original))
        self.assertEqual(original, found)
        self.assertIs(type(error), type(found.exception))
        self.assertEqual(envelope.dumps(original), envelope.dumps(found))

    @hypothesis.settings(max_examples=300, deadline=None)
    @hypothesis.given(VALUES, st.integers(0, 200))
    def test_bound_is_kept(self, value: Any, bound: int) -> None:
        size = len(envelope.dumps(value))
        try:
            text = envelope.dumps(value, max_size=bound)
        except exceptions.ValueTooLarge as error:
            self.assertEqual(size, error.size)
            self.assertGreater(size, bound)
        else:
            self.assertLessEqual(len(text), bound)

    @hypothesis.settings(max_examples=1500, deadline=None)
    @hypothesis.given(
        VALUES | ERRORS.map(failure.Failure.from_exception),
        st.integers(0),
        st.integers(0, 40),
        st.text('{}[]":,$abcdev019.-', max_size=8),
    )
    def test_damaged_text_is_a_value_or_refused(
        self, value: Any, place: int, length: int, instead: str
    ) -> None:
        text = envelope.dumps(value)
        start = place % len(text)
        damaged = text[:start] + instead + text[start + length :]
        try:
            envelope.loads(damaged)
        except exceptions.ValueUnreadable:
            pass
