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


"""Sending: a few threads over one queue per peer.

A peer gets one message at a time, so that order is kept and what becomes
ready meanwhile can go out in the next message. The text of a message is
built at the moment it is sent, in the sending thread. A send gives up after
a bounded number of tries: the protocol sends again, nothing here does.
"""

from __future__ import annotations

import collections
from collections.abc import Callable
import queue
import threading
import time
import typing

from oslo_log import log as logging

from taskflow_service.messaging import transport as transport_mod

LOG = logging.getLogger(__name__)

#: Tries after the first: one finds out that a pooled connection is dead.
_RETRY = 1
#: Clients kept for peers; a peer beyond them costs one more small object.
_MAX_CLIENTS = 4096
#: Seconds between two log lines about the same outage.
_REPEAT = 60.0
#: What RabbitMQ answers to a fan-out for which nobody made a queue.
_NOBODY = 'NOT_FOUND - no exchange'


class Job(typing.NamedTuple):
    """One message to send.

    ``build`` returns its text, or None if there is nothing left to say.
    ``done`` gets None, or the error that kept the message from the broker.
    """

    build: Callable[[], str | None]
    done: Callable[[Exception | None], None] | None


class _Lane:
    """What waits for one address."""

    __slots__ = ('address', 'jobs', 'busy', 'client')

    def __init__(
        self, address: transport_mod.Address, client: typing.Any
    ) -> None:
        self.address = address
        self.jobs: collections.deque[Job] = collections.deque()
        self.busy = False
        self.client = client


class Sender:
    """Sends strings to addresses; thread-safe, never blocks its callers."""

    def __init__(
        self,
        transport: transport_mod.Transport,
        threads: int = 2,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self._lanes: dict[transport_mod.Address, _Lane] = {}
        self._work: queue.SimpleQueue[_Lane | None] = queue.SimpleQueue()
        self._outage = _Outage(transport.url, clock)
        self._threads = [
            threading.Thread(
                target=self._run, name=f'tfs-send-{index}', daemon=True
            )
            for index in range(threads)
        ]
        for thread in self._threads:
            thread.start()
        #: Messages given to the broker, and those that it did not take.
        self.sent = 0
        self.failed = 0
        #: Why the last message was not taken, None if it was.
        self.trouble: str | None = None

    def send(
        self,
        address: transport_mod.Address,
        build: Callable[[], str | None],
        done: Callable[[Exception | None], None] | None = None,
    ) -> None:
        """Queue one message; both callables run in a sending thread."""
        with self._lock:
            lane = self._lanes.get(address)
            if lane is None:
                lane = self._new_lane(address)
            lane.jobs.append(Job(build, done))
            if lane.busy:
                return
            lane.busy = True
        self._work.put(lane)

    def close(self, timeout: float) -> bool:
        """Send what is queued and end the threads; False if some still run.

        :param timeout: seconds to wait; with the broker away a send takes
            some time to give up
        """
        for _ in self._threads:
            self._work.put(None)
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _new_lane(self, address: transport_mod.Address) -> _Lane:
        if len(self._lanes) >= _MAX_CLIENTS:
            idle = [a for a, lane in self._lanes.items() if not lane.busy]
            for key in idle:
                del self._lanes[key]
        lane = _Lane(address, self._transport.client(address, _RETRY))
        self._lanes[address] = lane
        return lane

    def _run(self) -> None:
        while True:
            lane = self._work.get()
            if lane is None:
                return
            while True:
                with self._lock:
                    if not lane.jobs:
                        lane.busy = False
                        break
                    job = lane.jobs.popleft()
                error = self._send(lane, job)
                if job.done is not None:
                    job.done(error)

    def _send(self, lane: _Lane, job: Job) -> Exception | None:
        try:
            message = job.build()
            if message is None:
                return None
            lane.client.cast({}, transport_mod.METHOD, message=message)
        except Exception as ex:
            # Of oslo.messaging, or of kombu and amqp untranslated, or a bug
            # in build(): none of them may end this thread.
            if lane.address.name is None and _NOBODY in str(ex):
                # Nobody of that role has ever listened: that is no outage.
                return None
            return self._refused(ex)
        self.sent += 1
        self.trouble = None
        self._outage.over()
        return None

    def _refused(self, error: Exception) -> Exception:
        self.failed += 1
        self.trouble = str(error) or type(error).__name__
        self._outage.say(error)
        return error


class _Outage:
    """Says once that the broker is away, then once a minute."""

    def __init__(self, url: str, clock: Callable[[], float]) -> None:
        self._url = url
        self._clock = clock
        self._since: float | None = None
        self._said = 0.0

    def say(self, error: Exception) -> None:
        now = self._clock()
        if self._since is None:
            self._since = self._said = now
            LOG.warning(
                'Cannot send over %s, messages wait and are sent again: %s',
                self._url,
                error,
            )
        elif now - self._said >= _REPEAT:
            self._said = now
            LOG.warning(
                'Still cannot send over %s, for %d s: %s',
                self._url,
                now - self._since,
                error,
            )

    def over(self) -> None:
        since = self._since
        if since is not None:
            self._since = None
            LOG.info(
                'Can send over %s again, after %d s',
                self._url,
                self._clock() - since,
            )
