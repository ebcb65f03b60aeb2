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

"""A wait that can be cut short."""

from __future__ import annotations

from collections.abc import Callable
import threading
from typing import Any


class Timeout:
    """A number of seconds to wait, and what ends the wait early.

    Thread-safe.  Raises ValueError if the number is negative.
    """

    def __init__(
        self,
        value: float,
        event_factory: Callable[[], Any] = threading.Event,
    ) -> None:
        if value < 0:
            raise ValueError(f'A timeout is zero or more, not {value!r}')
        self._value = value
        self._event = event_factory()

    @property
    def value(self) -> float:
        """How long a wait takes, in seconds."""
        return self._value

    def interrupt(self) -> None:
        """End the wait, and all later ones at once, until reset()."""
        self._event.set()

    def is_stopped(self) -> bool:
        """Tell whether it was interrupted."""
        return bool(self._event.is_set())

    def wait(self) -> bool:
        """Block until the time is over or somebody interrupts.

        Returns whether somebody did.
        """
        return bool(self._event.wait(self._value))

    def reset(self) -> None:
        """Forget an interruption."""
        self._event.clear()


def convert_to_timeout(
    value: Timeout | float | str | None = None,
    default_value: Timeout | float | str | None = None,
    event_factory: Callable[[], Any] = threading.Event,
) -> Timeout:
    """Return a timeout of a number, or a timeout as it is.

    Raises ValueError if there is neither a value nor a default.
    """
    if value is None:
        value = default_value
    if isinstance(value, Timeout):
        return value
    if value is None:
        raise ValueError('A timeout is a number of seconds, not None')
    try:
        seconds = float(value)
    except TypeError as error:
        raise ValueError(
            f'A timeout is a number of seconds, not {value!r}'
        ) from error
    return Timeout(seconds, event_factory=event_factory)
