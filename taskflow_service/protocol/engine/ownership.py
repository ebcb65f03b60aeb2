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
"""Whether this engine may still speak for its flows, and who may claim.

An engine that was paused may have lost its flows without knowing.  Two
things keep it silent until it knows: its own lease, which must have been
renewed a short while ago, and the counter ``claims`` in its row, which every
claim against it raises in the claim's own transaction.  A flag that somebody
clears would not do: a stalled clear would open the hole again.
"""

from __future__ import annotations

import dataclasses
import typing

from taskflow_service import clock


class Ownership:
    """The owner lease of a process, as far as sending depends on it."""

    def __init__(self, lease: float) -> None:
        self._lease = lease
        self._margin = max(1.0, lease / 10)
        self._renewed: clock.Boottime | None = None
        self._seen: int | None = None
        self._verified: int | None = None

    def renewed(self, began: clock.Boottime, claims: int | None) -> bool:
        """Take a renewal that succeeded; say whether to verify the flows.

        ``began`` is when the renewal was begun, ``claims`` what the row
        holds now, or None if the row was missing and is inserted anew.
        """
        self._renewed = began
        if claims is None:
            self._verified, claims = None, 0
        self._seen = claims
        return self._verified != claims

    def verified(self, claims: int) -> None:
        """Take note that the flows were read, and the lost ones dropped.

        ``claims`` is the number that :meth:`renewed` was given before the
        read began.
        """
        self._verified = claims

    def may_bind(self, now: clock.Boottime) -> bool:
        """Say whether orders that need a proven owner may go out."""
        return (
            self._renewed is not None
            and now - self._renewed < self._lease - self._margin
            and self._seen == self._verified
        )


class Unowned(Ownership):
    """Of a process that keeps its flows in memory: nobody can claim them."""

    def __init__(self) -> None:
        super().__init__(0)

    def may_bind(self, now: clock.Boottime) -> bool:
        """Say yes: there is nobody else."""
        return True


@dataclasses.dataclass(slots=True)
class Watch:
    """One owner's row, watched from outside; None is a missing row."""

    value: typing.Any
    since: clock.Boottime
    read: clock.Boottime


class Watches:
    """Which owners have let their lease pass, by one's own clock alone."""

    def __init__(self, heartbeat: float) -> None:
        self._heartbeat = heartbeat
        self._watches: dict[str, Watch] = {}

    def read(
        self,
        owner: str,
        value: typing.Any,
        began: clock.Boottime,
        now: clock.Boottime,
    ) -> None:
        """Take a good read of an owner's row.

        ``value`` is what each renewal changes, or None if there is no row;
        ``began`` and ``now`` are when the read began and ended. The watch
        starts again if the value moved, or if two reads lie so far apart
        that a renewal may have failed for the same reason as they did.
        """
        watch = self._watches.get(owner)
        if (
            watch is None
            or watch.value != value
            or began - watch.read > self._heartbeat
        ):
            self._watches[owner] = Watch(value, now, now)
        else:
            watch.read = now

    def silent(
        self, owner: str, lease: float, now: clock.Boottime
    ) -> Watch | None:
        """Return the watch of an owner that was silent for its lease.

        The claim must check in its own transaction that the row still holds
        the watch's value (or is still missing).
        """
        watch = self._watches.get(owner)
        if (
            watch is None
            or watch.read - watch.since < lease
            or now - watch.read > self._heartbeat
        ):
            return None
        return watch

    def forget(self, owner: str) -> None:
        """Stop watching an owner."""
        self._watches.pop(owner, None)
