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
"""What comes back from the logbook equals what was stored, type and all."""

from __future__ import annotations

import datetime
from typing import Any

import hypothesis
from hypothesis import strategies as st
from oslotest import base

from taskflow_service import exceptions
from taskflow_service.serialization import envelope

_TEXT = st.text(st.characters(codec='utf-8'))
_ZONES = st.none() | st.timezones() | st.just(datetime.UTC)
_HASHABLE = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | _TEXT
    | st.binary()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.dates()
    | st.datetimes(timezones=_ZONES)
    | st.timedeltas()
)
_VALUES = st.recursive(
    _HASHABLE | st.binary().map(bytearray),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.sets(_HASHABLE, max_size=5)
        | st.frozensets(_HASHABLE, max_size=5)
        | st.dictionaries(_HASHABLE, inner, max_size=5)
    ),
    max_leaves=20,
)


def _typed(value: Any) -> Any:
    """Return a value with the type of each of its parts beside it."""
    if isinstance(value, list | tuple):
        return type(value), [_typed(part) for part in value]
    if isinstance(value, set | frozenset):
        return type(value), frozenset((type(part), part) for part in value)
    if isinstance(value, dict):
        return type(value), [
            (_typed(key), _typed(part)) for key, part in value.items()
        ]
    return type(value), value


class RoundTripTest(base.BaseTestCase):
    """Text and back, for any value that the documentation names."""

    @hypothesis.settings(max_examples=1000, deadline=None)
    @hypothesis.given(_VALUES)
    def test_a_value_comes_back_equal(self, value: Any) -> None:
        text = envelope.dumps(value)
        self.assertTrue(text.isascii())
        self.assertEqual(_typed(value), _typed(envelope.loads(text)))

    @hypothesis.settings(max_examples=1000, deadline=None)
    @hypothesis.given(_TEXT)
    def test_other_text_is_refused_never_misread(self, text: str) -> None:
        self.assertRaises(exceptions.ValueUnreadable, envelope.loads, text)
