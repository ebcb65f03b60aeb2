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
import hashlib
import hmac
import time

from oslo_config import cfg

_MARK = 'hmac'


class Refused(Exception):
    """A message that is not from one of ours, or too old."""


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
        return f'{_MARK}:{sent}:{_digest(keys[0], sent, text)}:{text}'

    def open(self, sealed: str) -> str:
        """Return the text of a message that may be trusted.

        :raises Refused: unsigned though keys are configured, signed with an
            unknown key, altered, or outside of the time window
        """
        keys = self._conf.security.signing_keys
        if not keys:
            if sealed.startswith(_MARK + ':'):
                raise Refused(
                    'it is signed, and [security] signing_keys is empty'
                )
            return sealed
        parts = sealed.split(':', 3)
        if len(parts) != 4 or parts[0] != _MARK:
            raise Refused('it is not signed')
        _, sent, digest, text = parts
        if not any(
            hmac.compare_digest(_digest(key, sent, text), digest)
            for key in keys
        ):
            raise Refused('no key in [security] signing_keys verifies it')
        try:
            age = abs(self._clock() - int(sent))
        except ValueError:
            raise Refused('its time cannot be read') from None
        if age > self._conf.security.signing_window:
            raise Refused(
                f'its time is {age:.0f} s off, more than [security] '
                'signing_window'
            )
        return text


def _digest(key: str, sent: str, text: str) -> str:
    mac = hmac.new(key.encode(), f'{sent}:'.encode(), hashlib.sha256)
    mac.update(text.encode())
    return mac.hexdigest()
