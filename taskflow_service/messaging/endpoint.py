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


"""One role of this process on the bus: texts out, texts in.

This is all that is asked of a transport: send a text to a peer, or to all
of a role, and hand over what arrives. What is too large, not signed as it
should be, or no text at all is counted and goes no further.
"""

from __future__ import annotations

import collections
from collections.abc import Callable
import re
import time

from oslo_config import cfg
from oslo_log import log as logging

from taskflow_service.messaging import peers
from taskflow_service.messaging import sender
from taskflow_service.messaging import signing
from taskflow_service.messaging import transport as transport_mod

LOG = logging.getLogger(__name__)

#: Seconds between two log lines about refused messages of one sender.
_REPEAT = 60.0
#: Senders that are told apart in that time; any name can be forged.
_MOST_SAID = 100
#: Where a message names its sender, and how far that is looked for.
_SENDER = re.compile(r'"sender":\{"name":"([A-Za-z0-9._-]{1,255})"')
_HEAD = 1000


class Endpoint:
    """Sends and receives the texts of one role under one name.

    :param receive: gets each text in order, from a thread of the bus; must
        not block
    :param url: instead of ``[DEFAULT] transport_url``
    :raises ConfigurationError: what is configured can carry no requests
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        role: transport_mod.Role,
        name: str,
        receive: Callable[[str], None],
        url: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.transport = transport_mod.shared(conf, url)
        self.address = transport_mod.Address(role, name)
        self._receive = receive
        self._signer = signing.Signer(conf)
        self._max_size = conf.remote.max_message_size
        self._mailbox = peers.Mailbox(
            self.transport, self.address, self._arrived
        )
        self._sender = sender.Sender(self.transport, clock=clock)
        self._clock = clock
        self._said: dict[tuple[str, str], float] = {}
        #: Messages that were not handed over, by the reason.
        self.refusals: collections.Counter[str] = collections.Counter()

    @property
    def sent(self) -> int:
        """Messages that the broker took."""
        return self._sender.sent

    @property
    def trouble(self) -> str | None:
        """Why messages cannot be sent or received, None if they can."""
        return self._mailbox.trouble or self._sender.trouble

    @property
    def refused(self) -> int:
        """Messages that were not handed over."""
        return self.refusals.total()

    def open(self) -> None:
        """Begin to listen; does not block."""
        self._mailbox.open()

    def wait(self, timeout: float) -> bool:
        """Wait until texts can arrive; False if they still cannot."""
        return self._mailbox.wait(timeout)

    def send(
        self,
        address: transport_mod.Address,
        build: Callable[[], str | None],
        done: Callable[[Exception | None], None] | None = None,
    ) -> None:
        """Queue a text; it is built, and ``done`` told, in a sender thread.

        ``done`` gets None once the broker has it, else the error.
        """
        self._sender.send(address, lambda: self._seal(build()), done)

    def finish(self, timeout: float) -> None:
        """Send what is queued, and nothing more."""
        self._sender.close(timeout)

    def close(self, timeout: float = 5.0) -> None:
        """As :meth:`finish`, and stop listening; takes a second or more."""
        self._sender.close(timeout)
        self._mailbox.close()

    def _seal(self, text: str | None) -> str | None:
        return None if text is None else self._signer.seal(text)

    def _arrived(self, sealed: object) -> None:
        if not isinstance(sealed, str):
            return self._refuse('no text', 'it is not a text')
        if len(sealed) > self._max_size + signing.OVERHEAD:
            return self._refuse_large(len(sealed))
        refused: signing.Refused | None = None
        try:
            text = self._signer.open(sealed)
        except signing.Refused as ex:
            refused = ex
        if refused is not None:
            # Not above: oslo.log adds the exception to lines of a handler.
            return self._refuse(refused.reason, str(refused), sealed)
        if len(text) > self._max_size:
            return self._refuse_large(len(text))
        self._receive(text)

    def _refuse_large(self, size: int) -> None:
        self._refuse(
            'too large',
            f'it has {size} bytes, more than [remote] max_message_size',
        )

    def _refuse(self, reason: str, text: str, sealed: str = '') -> None:
        """Count it, and say it: once a minute for each who claims to send."""
        self.refusals[f'refused: {reason}'] += 1
        named = _SENDER.search(sealed, 0, _HEAD)
        key = reason, named[1] if named else 'nobody'
        now = self._clock()
        if now - self._said.get(key, float('-inf')) < _REPEAT:
            return
        if len(self._said) >= _MOST_SAID and key not in self._said:
            self._said = {
                key: said
                for key, said in self._said.items()
                if now - said < _REPEAT
            }
            if len(self._said) >= _MOST_SAID:
                return
        self._said[key] = now
        LOG.warning(
            '%s refuses a message that names %s as its sender (%d refused '
            'for this reason so far): %s',
            self.address.name,
            key[1],
            self.refusals[f'refused: {reason}'],
            text,
        )
