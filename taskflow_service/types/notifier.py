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

"""Who wants to hear of what, and telling them.

A flow has a notifier and every task may have one, but few have anyone who
listens: an unheard notifier has no table, and notifying it is one comparison.
There is no lock: each change is one operation of a dict or a list, which
Python does whole, and whoever notifies takes a copy first.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import copy
import logging
from typing import Any
from typing import Self

from taskflow_service import masking

LOG = logging.getLogger(__name__)

_Callback = Callable[..., Any]
_Filter = Callable[[dict[str, Any]], Any]


class Listener:
    """A callback with what it wants to be called with, and when."""

    __slots__ = ('_args', '_callback', '_details_filter', '_kwargs')

    def __init__(
        self,
        callback: _Callback,
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        details_filter: _Filter | None = None,
    ) -> None:
        self._callback = callback
        self._details_filter = details_filter
        self._args = tuple(args) if args else ()
        self._kwargs = dict(kwargs) if kwargs else {}

    @property
    def callback(self) -> _Callback:
        """What is called, as ``callback(event_type, *args, **kwargs)``."""
        return self._callback

    @property
    def details_filter(self) -> _Filter | None:
        """What is asked, with the details, whether to call at all."""
        return self._details_filter

    @property
    def kwargs(self) -> dict[str, Any]:
        """Keywords that the callback gets besides ``details``."""
        return self._kwargs.copy()

    @property
    def args(self) -> tuple[Any, ...]:
        """Arguments that the callback gets after the event's type."""
        return self._args

    def __call__(self, event_type: str, details: dict[str, Any]) -> None:
        wanted = self._details_filter
        if wanted is not None and not wanted(details):
            return
        self._callback(
            event_type, *self._args, **{**self._kwargs, 'details': details}
        )

    def __repr__(self) -> str:
        text = f'<Listener of {self._callback!r}'
        if self._details_filter is not None:
            text += f' where {self._details_filter!r}'
        return text + '>'

    def is_equivalent(
        self, callback: _Callback, details_filter: _Filter | None = None
    ) -> bool:
        """Tell whether it calls this callback under this filter."""
        return (
            self._callback == callback
            and self._details_filter == details_filter
        )

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Listener):
            return self.is_equivalent(other._callback, other._details_filter)
        return NotImplemented

    # Equality follows callbacks, which need not be hashable.
    __hash__ = None  # type: ignore[assignment]


class Notifier:
    """Calls those who registered for an event, or for any. Thread-safe.

    Its length is the number of its listeners.
    """

    #: Who registers for this hears of every event.
    ANY = '*'

    #: Keywords that every callback gets and no listener may bring.
    RESERVED_KEYS = ('details',)

    # A table of its own is made by the first who registers.
    _topics: dict[str, list[Listener]] | None = None

    def __len__(self) -> int:
        return sum(map(len, (self._topics or {}).values()))

    def __bool__(self) -> bool:
        # Being there is one thing, being heard another.
        return True

    @property
    def heard(self) -> bool:
        """Whether anybody listens, so that an event is worth making."""
        topics = self._topics
        # Who listened and went has left an empty list.
        return topics is not None and any((*topics.values(),))

    def is_registered(
        self,
        event_type: str,
        callback: _Callback,
        details_filter: _Filter | None = None,
    ) -> bool:
        """Tell whether a callback is registered for an event."""
        return any(
            listener.is_equivalent(callback, details_filter)
            for listener in (self._topics or {}).get(event_type, ())
        )

    def reset(self) -> None:
        """Forget all listeners."""
        vars(self).pop('_topics', None)

    def notify(
        self, event_type: str, details: Mapping[str, Any] | None
    ) -> None:
        """Call who listens to any event, then who listens to this one.

        Each gets a copy of the details, in this thread, in the order of
        registration.  What one raises is logged and keeps nothing from the
        others.
        """
        topics = self._topics
        if not topics:
            return
        if not self.can_trigger_notification(event_type):
            LOG.debug('%r is not an event that can happen', event_type)
            return
        listeners = topics.get(self.ANY, ()), topics.get(event_type, ())
        for listener in (*listeners[0], *listeners[1]):
            try:
                listener(event_type, dict(details or ()))
            except Exception:
                LOG.warning(
                    '%r failed when told of %r (details: %s)',
                    listener,
                    event_type,
                    masking.Masked(details),
                    exc_info=True,
                )

    def register(
        self,
        event_type: str,
        callback: _Callback,
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        details_filter: _Filter | None = None,
    ) -> None:
        """Have a callback called when an event happens.

        It is called as ``callback(event_type, *args, details=..., **kwargs)``
        if the filter, called with the details, returns true.  Raises
        ValueError if this cannot be registered or already is, KeyError if a
        keyword is reserved.
        """
        if not callable(callback):
            raise ValueError(f'{callback!r} cannot be called back')
        if details_filter is not None and not callable(details_filter):
            raise ValueError(f'{details_filter!r} cannot be called to filter')
        if not self.can_be_registered(event_type):
            raise ValueError(f'Nobody can register for {event_type!r}')
        for key in self.RESERVED_KEYS:
            if kwargs and key in kwargs:
                raise KeyError(f'Keyword {key!r} is reserved')
        if self.is_registered(event_type, callback, details_filter):
            raise ValueError(
                f'{callback!r} is already registered for {event_type!r}'
                ' with an equivalent filter'
            )
        listener = Listener(callback, args, kwargs, details_filter)
        self._own_topics().setdefault(event_type, []).append(listener)

    def _own_topics(self) -> dict[str, list[Listener]]:
        topics = self._topics
        if topics is None:
            # Of two who come first one makes it, and both get the same.
            topics = vars(self).setdefault('_topics', {})
        return topics

    def deregister(
        self,
        event_type: str,
        callback: _Callback,
        details_filter: _Filter | None = None,
    ) -> bool:
        """Take a callback back; return whether it was there."""
        listeners = (self._topics or {}).get(event_type, [])
        for listener in (*listeners,):
            if listener.is_equivalent(callback, details_filter):
                listeners.remove(listener)
                return True
        return False

    def deregister_event(self, event_type: str) -> int:
        """Take back all callbacks of an event; return how many there were."""
        return len((self._topics or {}).pop(event_type, ()))

    def copy(self) -> Self:
        """Return a notifier with the same listeners and a life of its own."""
        twin = copy.copy(self)
        if self._topics is not None:
            twin._topics = dict(self.listeners_iter())
        return twin

    def listeners_iter(self) -> Iterator[tuple[str, list[Listener]]]:
        """Iterate over the events and their listeners."""
        for event_type, listeners in (*(self._topics or {}).items(),):
            if listeners:
                yield event_type, list(listeners)

    def can_be_registered(self, event_type: str) -> bool:
        """Tell whether one may register for an event."""
        return True

    def can_trigger_notification(self, event_type: str) -> bool:
        """Tell whether an event can happen."""
        return event_type != self.ANY


class RestrictedNotifier(Notifier):
    """A notifier for which only some events exist."""

    def __init__(
        self, watchable_events: Iterable[str], allow_any: bool = True
    ) -> None:
        self._events = tuple(watchable_events)
        self._allow_any = allow_any

    def events_iter(self) -> Iterator[str]:
        """Iterate over the events that one may register for."""
        yield from dict.fromkeys(self._events)

    def can_be_registered(self, event_type: str) -> bool:
        """Tell whether one may register for an event."""
        if event_type == self.ANY:
            return self._allow_any
        return event_type in self._events


@contextlib.contextmanager
def register_deregister(
    notifier: Notifier,
    event_type: str,
    callback: _Callback | None = None,
    args: Iterable[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    details_filter: _Filter | None = None,
) -> Iterator[None]:
    """Have a callback registered while a block runs; None does nothing."""
    if callback is None:
        yield
        return
    notifier.register(event_type, callback, args, kwargs, details_filter)
    try:
        yield
    finally:
        notifier.deregister(event_type, callback, details_filter)
