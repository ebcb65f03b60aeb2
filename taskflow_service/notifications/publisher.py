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
"""Publish events: a bounded queue and one thread that sends.

Whoever has something to tell queues it and goes on. What cannot be sent is
dropped, counted and named in the log: once, then once a minute.
"""

from __future__ import annotations

import atexit
import collections
from collections.abc import Callable
from importlib import metadata
import os
import threading
import time
import typing

from oslo_config import cfg
from oslo_log import log as logging
import oslo_messaging
from oslo_messaging import transport as oslo_transport

from taskflow_service import exceptions
from taskflow_service.messaging import transport as transport_mod
from taskflow_service.notifications import events

LOG = logging.getLogger(__name__)

_GROUP = 'oslo_messaging_notifications'
_DRIVERS = 'oslo.messaging.notify.drivers'
#: Where ``driver`` and ``retry`` of that group say nothing. oslo.messaging
#: would send nothing, and try for ever.
DRIVER = 'messagingv2'
RETRY = 3
#: Seconds between two log lines about events that are dropped.
_REPEAT = 60.0
#: Seconds that the end of a program waits for what is queued.
_LAST_WORDS = 2.0


class _Transport(oslo_transport.NotificationTransport):
    """Keeps why a message was not taken.

    Left to its driver that is a traceback with the whole message in the log,
    each time, and nobody is told.
    """

    def __init__(self, made: typing.Any) -> None:
        super().__init__(made._driver)
        self.trouble: Exception | None = None

    def _send_notification(
        self, *args: typing.Any, **kwargs: typing.Any
    ) -> None:
        try:
            super()._send_notification(*args, **kwargs)
        except Exception as ex:
            self.trouble = ex


class Publisher:
    """Sends events as ``[oslo_messaging_notifications]`` says.

    Thread-safe. Connects to nothing before the first event.

    :param conf: ``[notifications]`` and oslo.messaging's groups
    :raises ConfigurationError: what is configured can carry no events
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = conf.notifications.queue_size
        self._clock = clock
        self._transport, self._notifier = _make(conf)
        self._queue: collections.deque[events.Event] = collections.deque()
        self._under_way: events.Event | None = None
        self._changed = threading.Condition()
        self._closing = False
        self._number = 0
        #: When it was last said that events are dropped, how many were since,
        #: and whether they still are as far as the log says.
        self._said = float('-inf')
        self._unsaid = 0
        self._troubled = False
        #: Events that were sent, and those that were not.
        self.published = 0
        self.dropped = 0
        self._thread = threading.Thread(
            target=self._run, name='tfs-notify', daemon=True
        )
        self._thread.start()

    def publish(self, event: events.Event) -> None:
        """Queue an event; never blocks, never raises."""
        with self._changed:
            self._number += 1
            event.payload['sequence'] = self._number
            if self._closing:
                self._drop(event, 'the program ends')
            elif len(self._queue) >= self._limit:
                self._drop(
                    event,
                    f'{self._limit} others wait, as many as [notifications] '
                    'queue_size allows',
                )
            else:
                self._queue.append(event)
                self._changed.notify_all()

    def flush(self, timeout: float = _LAST_WORDS) -> bool:
        """Wait until nothing is queued; False if something still is."""
        with self._changed:
            return self._changed.wait_for(self._is_idle, timeout)

    def close(self, timeout: float = _LAST_WORDS) -> None:
        """Send what is queued, and drop what takes longer than that."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout)
        with self._changed:
            left = [*self._queue]
            self._queue.clear()
            if self._under_way is not None:
                left.insert(0, self._under_way)
                self._under_way = None
            for event in left:
                self._drop(event, 'it could not be sent before the end')
            if self._unsaid:
                LOG.warning('%d events were dropped in all', self.dropped)
        if not self._thread.is_alive():
            # Kafka's driver waits, here, for a broker that is away.
            cleaning = threading.Thread(
                target=self._transport.cleanup, daemon=True
            )
            cleaning.start()
            cleaning.join(timeout)

    def _is_idle(self) -> bool:
        return not self._queue and self._under_way is None

    def _run(self) -> None:
        while True:
            with self._changed:
                self._under_way = None
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._queue or self._closing)
                if not self._queue:
                    return
                event = self._under_way = self._queue.popleft()
            trouble = self._send(event)
            with self._changed:
                # Else it was given up meanwhile.
                if self._under_way is event:
                    self._sent(event, trouble)

    def _send(self, event: events.Event) -> Exception | None:
        self._transport.trouble = None
        notifier = self._notifier.prepare(publisher_id=event.publisher)
        tell = (
            notifier.error
            if event.phase is events.Phase.ERROR
            else notifier.info
        )
        try:
            tell({}, event.type, event.payload)
        except Exception as ex:
            return ex
        return self._transport.trouble

    def _sent(self, event: events.Event, trouble: Exception | None) -> None:
        if trouble is not None:
            self._drop(event, str(trouble) or type(trouble).__name__)
            return
        self.published += 1
        if self._troubled:
            self._troubled = False
            LOG.info(
                'Events are published again; %d were dropped so far',
                self.dropped,
            )

    def _drop(self, event: events.Event, reason: str) -> None:
        self.dropped += 1
        self._unsaid += 1
        now = self._clock()
        if now - self._said >= _REPEAT:
            self._said, self._unsaid = now, 0
            self._troubled = True
            LOG.warning(
                'Event %s is dropped, %d so far: %s',
                event.type,
                self.dropped,
                reason,
            )


def _make(conf: cfg.ConfigOpts) -> tuple[_Transport, typing.Any]:
    """Make the notifier of a configuration, or say what is wrong with it."""
    transport_mod.register_opts(conf)
    try:
        made = oslo_messaging.get_notification_transport(conf)
        options = conf[_GROUP]
        drivers = list(options.driver)
    except (oslo_messaging.DriverLoadFailure, ImportError) as ex:
        # The import is that of a driver's own library.
        raise exceptions.ConfigurationError(
            f'[{_GROUP}] transport_url: no driver can be loaded: {ex}; use '
            'rabbit://, or kafka:// with taskflow-service[kafka]',
            option=f'[{_GROUP}] transport_url',
        ) from None
    except (oslo_messaging.InvalidTransportURL, cfg.Error, ValueError) as ex:
        raise exceptions.ConfigurationError(
            f'[{_GROUP}] transport_url cannot be read: {ex}',
            option=f'[{_GROUP}] transport_url',
        ) from None
    known = metadata.entry_points(group=_DRIVERS).names
    for name in drivers:
        # oslo.messaging would log a warning, and send nothing for ever.
        if name not in known:
            raise exceptions.ConfigurationError(
                f'[{_GROUP}] driver: there is no driver {name!r}; known: '
                f'{", ".join(sorted(known))}',
                option=f'[{_GROUP}] driver',
            )
    place = conf.get_location('retry', _GROUP)
    unset = place is None or place.location is cfg.Locations.opt_default
    transport = _Transport(made)
    return transport, oslo_messaging.Notifier(
        transport,
        driver=None if drivers else DRIVER,
        retry=RETRY if unset else None,
    )


def shared(conf: cfg.ConfigOpts) -> Publisher | None:
    """Return the process's publisher, made if need be; None if not enabled.

    :raises ConfigurationError: what is configured can carry no events
    """
    if not conf.notifications.enabled:
        return None
    with _lock:
        publisher = _shared.get(id(conf))
        if publisher is None:
            publisher = _shared[id(conf)] = Publisher(conf)
    return publisher


def forget(conf: cfg.ConfigOpts) -> None:
    """Close what :func:`shared` made for a configuration."""
    with _lock:
        publisher = _shared.pop(id(conf), None)
    if publisher is not None:
        publisher.close()


def _close_all() -> None:
    with _lock:
        publishers = list(_shared.values())
        _shared.clear()
    for publisher in publishers:
        publisher.close()


_lock = threading.Lock()
_shared: dict[int, Publisher] = {}

atexit.register(_close_all)
# A child has its parent's queue, and no thread that sends it.
os.register_at_fork(after_in_child=_shared.clear)
