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
"""How each end judges its own connection, and with which times.

Silence of a peer means something only while one's own link is good.  A cast
to oneself that comes back proves that it is; one that does not, or a control
thread that did not run, is a *gap*, and after a gap everyone is given time.
"""

from __future__ import annotations

import dataclasses

from taskflow_service import clock


@dataclasses.dataclass(frozen=True, slots=True)
class Timing:
    """The lengths of time that the protocol goes by, in seconds."""

    #: After that much silence a worker is suspect.
    lease: float = 15.0
    #: After that much it is lost; longer than a broker takes to restart.
    lost_after: float = 120.0
    #: The longest that the driver waits between two attempts to reconnect.
    reconnect: float = 30.0

    @property
    def heartbeat(self) -> float:
        """How often a worker reports."""
        return self.lease / 3

    @property
    def margin(self) -> float:
        """What is taken off a lease to allow for clocks and scheduling."""
        return max(1.0, self.lease / 10)

    @property
    def grace(self) -> float:
        """How long nobody is suspected after a gap."""
        return max(self.lease, self.reconnect + 1)


class Link:
    """One's own connection to the bus; driven by one thread.

    The shell calls :meth:`tick` at least once a second and sends the number
    that it returns, if any, to its own address; when the number arrives
    there it calls :meth:`returned`.
    """

    def __init__(self, timing: Timing, now: clock.Boottime) -> None:
        self._timing = timing
        #: When the last cast that came back was sent.
        self.confirmed = now
        #: The end of the last gap: silence counts from here at the earliest.
        self.resumed = now
        #: Until then nobody is suspected.
        self.graced = now
        self._ticked = now
        self._number = 0
        self._sent: dict[int, clock.Boottime] = {}
        self._unanswered: clock.Boottime | None = None
        #: In a gap: the first cast whose return ends it.
        self._gap: int | None = None

    @property
    def good(self) -> bool:
        """Whether what others do not say means anything."""
        return self._gap is None

    def proven(self, now: clock.Boottime) -> bool:
        """Whether it was good a moment ago, so that others may be judged.

        That it is not known to be bad is too little: that takes two
        heartbeats to show, and with the one in which a peer last spoke they
        make a lease.
        """
        return self.good and now - self.confirmed < self._timing.heartbeat

    def tick(self, now: clock.Boottime, urgent: bool = False) -> int | None:
        """Take note of the time; return the number to cast, if one is due.

        ``urgent`` is whether somebody waits for a proof.
        """
        heartbeat = self._timing.heartbeat
        slept = now - self._ticked >= heartbeat
        unanswered = (
            self._unanswered is not None
            and now - self._unanswered >= heartbeat
        )
        if slept or (unanswered and self._gap is None):
            self._gap = self._number + 1
        self._ticked = now
        last = self._sent.get(self._number, self.confirmed)
        # One lost cast is not yet a bad link: try again sooner.
        calm = self._unanswered is None and not urgent
        wait = heartbeat if calm else heartbeat / 3
        if self._number and now - last < wait and not slept:
            return None
        self._number += 1
        self._sent[self._number] = now
        self._sent.pop(self._number - 64, None)
        if self._unanswered is None:
            self._unanswered = now
        return self._number

    def returned(self, number: int, now: clock.Boottime) -> None:
        """Take note that a cast came back."""
        sent = self._sent.pop(number, None)
        if sent is None or sent < self.confirmed:
            return
        self.confirmed = sent
        later = [at for at in self._sent.values() if at > sent]
        self._unanswered = min(later, default=None)
        if self._gap is not None and number >= self._gap:
            self._gap = None
            self.resumed = now
            self.graced = clock.Boottime(now + self._timing.grace)
