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
"""What a worker says: reports to engines, announcements to all.

A report is a full projection of what the worker has from and for an engine,
so that no report depends on another one having arrived; only what was handed
back or disowned is said once, and is remembered as a promise.
"""

from __future__ import annotations

from taskflow_service import clock
from taskflow_service.protocol import messages
from taskflow_service.protocol.worker import records

#: Changes within this many seconds go into one announcement.
COALESCE = 1.0


class Reporting:
    """Builds what goes out; part of a Worker."""

    def __init__(
        self, book: records.Book, max_size: int, now: clock.Boottime
    ) -> None:
        self._book = book
        # Room for what frames the outcomes.
        self._max_size = max_size // 2
        self._beat = now
        self._announced: clock.Boottime = records.NEVER
        self._orphans: frozenset[str] = frozenset()
        #: Something that everyone should know has changed.
        self.changed = True

    def tick(self, now: clock.Boottime) -> None:
        """Make reports due at each heartbeat, to whom was heard lately."""
        book = self._book
        if now < self._beat:
            return
        # Without drift, however coarse the steps.
        self._beat = max(
            clock.Boottime(self._beat + book.timing.heartbeat), now
        )
        for party in book.parties.values():
            if not book.silent(party, now):
                party.due = party.beat = party.introduce = True

    def due(self) -> list[messages.Peer]:
        """List the engines for which a report waits to be built."""
        return [p.peer for p in self._book.parties.values() if p.due]

    def report(
        self, incarnation: str, now: clock.Boottime
    ) -> messages.Report | None:
        """Build the report for an engine; None if none is due."""
        book = self._book
        party = book.parties.get(incarnation)
        if party is None or not party.due:
            return None
        book.number += 1
        book.left[book.number] = now
        outcomes = self._outcomes(party, now)
        report = messages.Report(
            sender=book.me,
            to=incarnation,
            number=book.number,
            beat=party.beat,
            taken=party.taken,
            held=tuple(
                messages.Held(
                    entry.request_uuid,
                    entry.phase.value,
                    entry.started,
                    entry.cancelled,
                    entry.progress,
                )
                for entry in book.requests.values()
                if entry.party is party
            ),
            outcomes=outcomes,
            handed_back=tuple(party.handed_back),
            disowned=tuple(party.disowned),
            credit=(party.lent, party.lent_backlog),
            public=book.public if party.introduce else None,
        )
        if party.lent or party.lent_backlog:
            party.lent_in = book.number
            party.lent_at = now
        party.handed_back.clear()
        party.disowned.clear()
        party.told, party.told_backlog = report.credit
        party.beat = party.introduce = False
        return report

    def _outcomes(
        self, party: records.Party, now: clock.Boottime
    ) -> tuple[messages.Outcome, ...]:
        """Pick the outcomes to tell: new ones, and again each heartbeat."""
        heartbeat = self._book.timing.heartbeat
        chosen = [
            messages.Outcome(request_uuid, messages.End.DEAD)
            for request_uuid in party.dead
        ]
        party.dead.clear()
        room = self._max_size
        party.due = False
        for entry in self._book.requests.values():
            if (
                entry.party is not party
                or entry.outcome is None
                or now - entry.told < heartbeat
            ):
                continue
            room -= entry.outcome.size
            if room < 0 and chosen:
                party.due = True
                break
            entry.told = now
            chosen.append(entry.outcome)
        return tuple(chosen)

    def announcement(self, now: clock.Boottime) -> messages.Announce | None:
        """Build what everyone should know, if it is time to say it."""
        book = self._book
        orphans = [
            messages.Orphan(
                entry.request_uuid,
                entry.request.flow_uuid,
                entry.phase is records.Phase.DONE,
            )
            for entry in book.requests.values()
            if book.silent(entry.party, now)
        ]
        listed = frozenset(orphan.request_uuid for orphan in orphans)
        if not listed <= self._orphans:
            self.changed = True
        since = now - self._announced
        if not (
            (self.changed and since >= COALESCE)
            or (listed and since >= book.timing.lost_after)
        ):
            return None
        self.changed = False
        self._announced = now
        self._orphans = listed
        book.number += 1
        return messages.Announce(
            sender=book.me,
            number=book.number,
            public=book.public,
            orphans=tuple(orphans),
        )
