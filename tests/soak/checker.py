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

"""Compares what was done with what the logbook says was done.

    python -m tests.soak.checker EFFECTS DATABASE-URL [FLOWS]

It shares no code with what it judges: it reads the effects' file, which the
tasks wrote, and the tables of the logbook by SQL of its own. What it holds:

Nothing is stuck
    Every flow that was submitted has ended, and nobody owns it; no atom is
    RUNNING or REVERTING.

Nothing is lost
    Every flow that was submitted, or of which anything was done, is in the
    logbook. An atom is SUCCESS only with the result of a run that came to its
    end; in a flow that ended SUCCESS every atom is. Each run was given the
    result of a run that had ended before.

Nothing is doubled
    No attempt began twice, whatever the task promises. A task that is not
    idempotent began at most once in each try of its flow; one that has a
    probe began again only after the probe had found nothing. What is not
    idempotent was undone at most once in each try. No attempt began that the
    logbook does not know of.

What was to be undone is undone
    In a flow that is REVERTED every run that came to its end is followed by
    an undo of its atom. Where a worker was given up, or only suspected and
    the task is idempotent, the run may have ended after the undo; that is
    counted, and is allowed only then.

No other failure than it is said
    A flow is REVERTED only because a task failed on purpose, or a worker was
    lost with a task that may not run twice; FAILURE only because a worker was
    lost with an undo that may not run twice.
"""

from __future__ import annotations

import collections
import json
import pathlib
import re
import sys
import typing

import psycopg

from tests import instances
from tests.soak import effects as effects_mod

Effect = effects_mod.Effect


class Atom(typing.NamedTuple):
    """One row of ``tfs_atom_details``."""

    name: str
    state: str | None
    attempt: int
    losses: int
    results: str | None
    failure: str | None
    revert_failure: str | None


class Flow(typing.NamedTuple):
    """One row of ``tfs_flow_details``, with its atoms."""

    uuid: str
    name: str
    state: str | None
    owner: str | None
    created_at: float
    seconds: float | None
    atoms: dict[str, Atom]


#: The states of a flow that has ended.
ENDED = ('SUCCESS', 'REVERTED', 'FAILURE')
_INJECTOR = '_TaskFlow_INJECTOR'


def read_logbook(url: str) -> dict[str, Flow]:
    """Read all flows and their atoms, as they were at one time."""
    found: dict[str, Flow] = {}
    with psycopg.connect(instances.libpq(url)) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        for row in connection.execute(
            'SELECT uuid, name, state, owner, created_at,'
            ' ended_at - created_at'
            ' FROM tfs_flow_details'
        ):
            found[row[0]] = Flow(*row, {})
        for uuid, *row in connection.execute(
            'SELECT flow_uuid, name, state, attempt, losses, results,'
            ' failure, revert_failure FROM tfs_atom_details'
        ):
            found[uuid].atoms[row[0]] = Atom(*row)
    return found


class Checker:
    """Judges a run by its effects and its logbook."""

    def __init__(
        self,
        effects: typing.Iterable[Effect],
        logbook: dict[str, Flow],
        submitted: set[str],
    ) -> None:
        self.logbook = logbook
        self.submitted = submitted
        self.violations: list[str] = []
        self.counts: collections.Counter[str] = collections.Counter()
        self._ended: dict[str, Effect] = {}
        self._by_flow: dict[str, list[Effect]] = collections.defaultdict(list)
        for effect in effects:
            self._by_flow[effect.flow].append(effect)

    def check(self) -> None:
        """Judge everything; what is wrong is in ``violations``."""
        for uuid in self.submitted | self._by_flow.keys():
            if uuid not in self.logbook:
                self._violate('lost', uuid, 'is not in the logbook')
        for flow in self.logbook.values():
            self.counts[f'flows {flow.state or "stored only"}'] += 1
            self._check_flow(flow, self._by_flow.get(flow.uuid, []))

    def longest_pause(self) -> float:
        """Give the seconds for which any flow saw nothing begin or end.

        Its creation is the first thing that it saw.
        """
        longest = 0.0
        for uuid, effects in self._by_flow.items():
            last = self.logbook[uuid].created_at
            for effect in effects:
                longest = max(longest, effect.time - last)
                last = effect.time
        return longest

    def _violate(self, kind: str, uuid: str, *words: object) -> None:
        self.counts[f'VIOLATION {kind}'] += 1
        self.violations.append(
            f'{kind}: flow {uuid}: ' + ' '.join(map(str, words))
        )

    def _check_flow(self, flow: Flow, effects: list[Effect]) -> None:
        if flow.state is None and flow.uuid not in self.submitted:
            # Its program was killed before it had promised anything.
            if effects:
                self._violate('lost', flow.uuid, 'ran and is not started')
            return
        if flow.state not in ENDED or flow.owner is not None:
            self._violate(
                'stuck', flow.uuid, flow.name, flow.state, flow.owner
            )
            return
        self._check_order(flow, effects)
        by_atom = collections.defaultdict(list)
        for effect in effects:
            by_atom[effect.atom].append(effect)
        lost = False
        for atom in flow.atoms.values():
            if atom.name == _INJECTOR or atom.name.endswith('_retry'):
                continue
            self._check_begins(flow, atom, by_atom[atom.name])
            self._check_state(flow, atom, by_atom[atom.name])
            if flow.state == 'REVERTED':
                self._check_undone(flow, atom, by_atom[atom.name])
            lost = lost or _was_lost(atom)
            if _was_lost(atom):
                self.counts[f'tasks lost with {_worker(atom)}'] += 1
            self.counts['worker losses'] += atom.losses
        if flow.state != 'SUCCESS' and not lost:
            purpose = flow.name == 'undone' and flow.state == 'REVERTED'
            if not purpose:
                self._violate('failed', flow.uuid, flow.name, flow.state)
        if lost:
            self.counts[f'flows {flow.state} with a lost worker'] += 1

    def _check_order(self, flow: Flow, effects: list[Effect]) -> None:
        """Each run is given the result of one that has ended."""
        ended = {'first'}
        for effect in effects:
            if effect.what == 'do' and effect.phase == 'end':
                ended.add(effect.run)
            elif effect.what == 'do' and effect.phase == 'begin':
                if effect.given not in ended:
                    self._violate('wrong', flow.uuid, 'was given', effect)

    def _check_begins(
        self, flow: Flow, atom: Atom, effects: list[Effect]
    ) -> None:
        attempts: set[int] = set()
        tries: collections.Counter[tuple[str, int]] = collections.Counter()
        probed: dict[int, bool] = {}
        for effect in effects:
            self.counts[f'{effect.what} {effect.phase}'] += 1
            if effect.what == 'probe':
                if effect.phase == 'end':
                    probed[effect.try_number] = effect.given is None
                continue
            if effect.phase != 'begin':
                continue
            if effect.attempt in attempts:
                self._violate('doubled', flow.uuid, 'an attempt', effect)
            if effect.attempt > atom.attempt:
                self._violate('doubled', flow.uuid, 'not known', effect)
            attempts.add(effect.attempt)
            key = (effect.what, effect.try_number)
            tries[key] += 1
            if tries[key] > 1:
                self.counts[f'again: {effect.what} {effect.promise}'] += 1
                if effect.promise == 'idempotent' or (
                    effect.promise == 'probed'
                    and effect.what == 'do'
                    and probed.pop(effect.try_number, False)
                ):
                    continue
                self._violate('doubled', flow.uuid, atom.name, effect)

    def _check_state(
        self, flow: Flow, atom: Atom, effects: list[Effect]
    ) -> None:
        if atom.state in ('RUNNING', 'REVERTING'):
            self._violate('stuck', flow.uuid, atom.name, atom.state)
        if flow.state == 'SUCCESS' and atom.state != 'SUCCESS':
            self._violate('lost', flow.uuid, atom.name, atom.state)
        if atom.state == 'SUCCESS':
            result = json.loads(atom.results or '{}').get('d')
            runs = {
                effect.run
                for effect in effects
                if (effect.what, effect.phase) == ('do', 'end')
            }
            if result not in runs:
                self._violate(
                    'lost', flow.uuid, atom.name, 'has the result', result
                )
        if atom.state == 'REVERT_FAILURE' and not _was_lost(atom):
            self._violate('failed', flow.uuid, atom.name, atom.revert_failure)
        if atom.state == 'REVERT_FAILURE' and flow.state != 'FAILURE':
            self._violate('failed', flow.uuid, atom.name, flow.state)

    def _check_undone(
        self, flow: Flow, atom: Atom, effects: list[Effect]
    ) -> None:
        """Whoever came to an end is followed by an undo that did too."""
        open_runs = []
        for effect in effects:
            if (effect.what, effect.phase) == ('do', 'end'):
                open_runs.append(effect)
            elif (effect.what, effect.phase) == ('undo', 'end'):
                open_runs.clear()
        undone = any(effect.what == 'undo' for effect in effects)
        last = max(
            (effect.attempt for effect in effects if effect.what == 'do'),
            default=0,
        )
        for run in open_runs:
            # Its worker was suspected, or proven dead after all.
            given_up = run.attempt < last or atom.losses
            if undone and given_up:
                self.counts['ended after its undo (worker given up)'] += 1
            else:
                self._violate('not undone', flow.uuid, atom, run)


def _was_lost(atom: Atom) -> bool:
    failures = (atom.failure or '') + (atom.revert_failure or '')
    return 'WorkerLost' in failures


def _worker(atom: Atom) -> str:
    failures = (atom.failure or '') + (atom.revert_failure or '')
    found = re.search(r'Worker ([\w.-]+)\.\d+ \(', failures)
    return found.group(1) if found else 'nobody'


def check(
    effects: pathlib.Path, url: str, flows: pathlib.Path | None = None
) -> Checker:
    """Judge a run by its files."""
    submitted = set()
    if flows is not None:
        for line in flows.read_text().splitlines():
            word, uuid, *_rest = line.split()
            if word == 'submitted':
                submitted.add(uuid)
    made = Checker(effects_mod.read(effects), read_logbook(url), submitted)
    made.check()
    return made


def main(effects: str, url: str, flows: str | None = None) -> int:
    """Print what was found, as JSON; return 1 if anything is wrong."""
    made = check(
        pathlib.Path(effects), url, pathlib.Path(flows) if flows else None
    )
    seconds = sorted(
        flow.seconds for flow in made.logbook.values() if flow.seconds
    )
    print(
        json.dumps(
            {
                'violations': made.violations,
                'counts': dict(sorted(made.counts.items())),
                'seconds': {
                    name: round(seconds[int(len(seconds) * part)], 2)
                    for name, part in (('50%', 0.5), ('99%', 0.99))
                    if seconds
                }
                | ({'longest': round(seconds[-1], 2)} if seconds else {}),
            },
            indent=1,
        )
    )
    return bool(made.violations)


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
