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


"""Signing of messages: HMAC-SHA256 over the text and the time of sending.

A signed text is ``hmac:<seconds>:<hex digest>:<text>``. The first of the
configured keys signs, each of them verifies, so that keys can be rotated one
host at a time. What the time window lets through twice is harmless: the
protocol drops what it has seen.
"""

from __future__ import annotations

from collections.abc import Callable
import enum
import hashlib
import hmac
import time

from oslo_config import cfg

_MARK = 'hmac'
#: Characters that a signature adds, at most.
OVERHEAD = 100


class Reason(enum.StrEnum):
    """Why a message is refused; also the key under which it is counted."""

    UNSIGNED = 'not signed'
    NO_KEYS = 'signed, and no keys here'
    WRONG_KEY = 'signed with no key of ours, or altered'
    OLD = 'outside of the time window'


class Refused(Exception):
    """A message that is not from one of ours, or too old."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Signer:
    """Signs and verifies by ``[security]``, read anew for each message."""

    def __init__(
        self, conf: cfg.ConfigOpts, clock: Callable[[], float] = time.time
    ) -> None:
        self._conf = conf
        self._clock = clock

    def seal(self, text: str) -> str:
        """Return the text signed, or as it is if no key is configured."""
        keys = self._conf.security.signing_keys
        if not keys:
            return text
        sent = str(int(self._clock()))
        digest = _digest(keys[0], sent, text).decode()
        return f'{_MARK}:{sent}:{digest}:{text}'

    def open(self, sealed: str) -> str:
        """Return the text of a message that may be trusted.

        :raises Refused: unsigned though keys are configured, signed with an
            unknown key, altered, or outside of the time window
        """
        keys = self._conf.security.signing_keys
        if not keys:
            if sealed.startswith(_MARK + ':'):
                raise Refused(
                    Reason.NO_KEYS,
                    'it is signed, and [security] signing_keys is empty',
                )
            return sealed
        parts = sealed.split(':', 3)
        if len(parts) != 4 or parts[0] != _MARK:
            raise Refused(Reason.UNSIGNED, 'it is not signed')
        _, sent, digest, text = parts
        if not any(
            hmac.compare_digest(_digest(key, sent, text), _bytes(digest))
            for key in keys
        ):
            raise Refused(
                Reason.WRONG_KEY,
                'no key in [security] signing_keys verifies it',
            )
        try:
            age = abs(self._clock() - int(sent))
        except ValueError:
            raise Refused(Reason.OLD, 'its time cannot be read') from None
        if age > self._conf.security.signing_window:
            raise Refused(
                Reason.OLD,
                f'its time is {age:.0f} s off, more than [security] '
                'signing_window',
            )
        return text


def _digest(key: str, sent: str, text: str) -> bytes:
    mac = hmac.new(key.encode(), _bytes(f'{sent}:'), hashlib.sha256)
    mac.update(_bytes(text))
    return mac.hexdigest().encode()


def _bytes(text: str) -> bytes:
    # A forger's text may be one that has no UTF-8, or no ASCII.
    return text.encode('utf-8', 'surrogatepass')
