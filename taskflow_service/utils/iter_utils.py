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

"""TaskFlow's small helpers around iterators."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
import itertools
import typing

_T = typing.TypeVar('_T')


def _iterable(it: typing.Any) -> None:
    if not isinstance(it, Iterable):
        raise ValueError(f"Iterable expected, but '{it}' is not iterable")


def fill(
    it: Iterable[typing.Any], desired_len: int, filler: typing.Any = None
) -> Iterator[typing.Any]:
    """Iterate over so many elements, with fillers where there are less."""
    _iterable(it)
    return itertools.islice(
        itertools.chain(it, itertools.repeat(filler)), max(0, desired_len)
    )


def count(it: Iterable[typing.Any]) -> int:
    """Count the elements, which are gone then."""
    _iterable(it)
    return sum(1 for _element in it)


def generate_delays(
    delay: float, max_delay: float, multiplier: float = 2
) -> Iterator[float]:
    """Iterate for ever over delays that grow, up to a limit."""
    if max_delay < 0:
        raise ValueError(f'max_delay must be zero or more, not {max_delay}')
    if delay < 0:
        raise ValueError(f'delay must be zero or more, not {delay}')
    if multiplier < 1.0:
        raise ValueError(f'multiplier must be one or more, not {multiplier}')

    def delays() -> Iterator[float]:
        now = delay
        while True:
            yield min(now, max_delay)
            now = min(now * multiplier, max_delay)

    return delays()


def unique_seen(
    its: Iterable[Iterable[_T]],
    seen_selector: Callable[[_T], typing.Any] | None = None,
) -> Iterator[_T]:
    """Iterate over the elements of all, each but once.

    :param seen_selector: what of an element must not have been seen
    """
    its = list(its)
    for it in its:
        _iterable(it)

    def unseen() -> Iterator[_T]:
        seen = set()
        for element in itertools.chain.from_iterable(its):
            key = seen_selector(element) if seen_selector else element
            if key not in seen:
                seen.add(key)
                yield element

    return unseen()


def find_first_match(
    it: Iterable[_T],
    matcher: Callable[[_T], object],
    not_found_value: typing.Any = None,
) -> typing.Any:
    """Return the first element that the matcher takes."""
    _iterable(it)
    return next(filter(matcher, it), not_found_value)


def while_is_not(it: Iterable[_T], stop_value: typing.Any) -> Iterator[_T]:
    """Iterate up to the first element that is this one, and it, too."""
    _iterable(it)

    def elements() -> Iterator[_T]:
        for element in it:
            yield element
            if element is stop_value:
                return

    return elements()


def iter_forever(limit: int) -> Iterator[int]:
    """Count from zero up to a limit, for ever if that is negative."""
    return itertools.count() if limit < 0 else iter(range(limit))
