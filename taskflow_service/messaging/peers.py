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


"""An address of this process: strings that peers send arrive here.

oslo.messaging acknowledges a message before it dispatches it and starts its
listener with a call that blocks for as long as the broker is away. So the
listener starts in a thread of its own, and what arrives is handed over at
once, in order, by the thread that reads.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
import itertools
import threading
import typing

from oslo_log import log as logging

from taskflow_service.messaging import transport as transport_mod

LOG = logging.getLogger(__name__)

#: Seconds between attempts to listen, at most.
_LONGEST_PAUSE = 10
#: Seconds that closing waits for a listener to stop.
_LONGEST_STOP = 3.0


class Mailbox:
    """Receives, for one role of this process, what is sent to its name.

    :param receive: called with each string in the order of arrival, from a
        thread of the server; must not block
    """

    def __init__(
        self,
        transport: transport_mod.Transport,
        address: transport_mod.Address,
        receive: Callable[[str], None],
    ) -> None:
        if address.name is None:
            raise ValueError('a mailbox needs a name')
        self.address = address
        self._transport = transport
        self._make = lambda: transport.server(
            address.role, str(address.name), receive
        )
        self._server: typing.Any = None
        self._listening = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        #: Why the last attempt to listen failed.
        self.trouble: str | None = None

    def open(self) -> None:
        """Begin to listen; does not block."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._listen,
                name=f'tfs-listen-{self.address.name}',
                daemon=True,
            )
            self._thread.start()

    def wait(self, timeout: float) -> bool:
        """Wait until messages can arrive; False if they still cannot."""
        return self._listening.wait(timeout)

    def close(self) -> None:
        """Stop listening; what has arrived is still handed over.

        The rest of the closing takes a second and goes on behind this call;
        the transport waits for it before it closes. A listener that still
        waits for its broker is left behind in its daemon thread and closes
        if it ever gets there.
        """
        self._closed.set()
        if self._listening.is_set():
            self._stop()

    def _listen(self) -> None:
        for pause in itertools.chain(range(1, _LONGEST_PAUSE), _forever()):
            self._server = self._make()
            try:
                self._server.start(override_pool_size=1)
                break
            except Exception as ex:
                # Refused, say for a wrong password; a broker that is not
                # there blocks above instead.
                self.trouble = str(ex) or type(ex).__name__
                LOG.debug('Cannot listen', exc_info=True)
            if self._closed.wait(pause):
                return
        self.trouble = None
        self._listening.set()
        if self._closed.is_set():
            self._stop()

    def _stop(self) -> None:
        stopped = threading.Event()
        self._transport.finish(lambda: self._end(stopped))
        # With the broker away the listener does not hear of it.
        stopped.wait(_LONGEST_STOP)

    def _end(self, stopped: threading.Event) -> None:
        try:
            self._server.stop()
            stopped.set()
            self._server.wait()
        except Exception:
            LOG.exception('Cannot stop listening as %s', self.address.name)


def _forever() -> Iterator[int]:
    return itertools.repeat(_LONGEST_PAUSE)
