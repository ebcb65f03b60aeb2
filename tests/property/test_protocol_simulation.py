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
"""The protocol under every fault that we can think of, by seeds.

Both sides run in one thread under a virtual clock, over a bus and a database
that misbehave.  Checked in every seed: each flow ends; nothing starts that
was not committed; no request and no attempt runs twice; a task that is not
idempotent is never run beside itself or again; a result is accepted only for
the current request; at the end no worker holds anything.

``TFS_SIMULATION_SEEDS`` says how many seeds are run in all (default 400; the
gate runs 10,000), ``TFS_SIMULATION_FIRST`` where they start.  A failure names
its seed; replay it with ``python -m tests.simulation SEED SCENARIO``.
"""

from __future__ import annotations

import os

from oslotest import base

from tests.simulation import mutations
from tests.simulation import scenarios

SEEDS = int(os.environ.get('TFS_SIMULATION_SEEDS', '400'))
FIRST = int(os.environ.get('TFS_SIMULATION_FIRST', '0'))

#: Which share of the seeds each scenario gets, in parts of a hundred.
SHARES = {
    'chaos': 60,
    'loss_alone': 4,
    'crowd': 6,
    'pauses': 6,
    'cut_off': 4,
    'blips': 4,
    'handover': 4,
    'echoes': 4,
    'absence': 2,
    'poison': 2,
    'stalls': 4,
}
#: Tests per scenario, so that they can run side by side.
SHARDS = {'chaos': 16}

#: Where the removal of each rule shows, within so many seeds.
LIMIT = 1000
CAUGHT_BY = {
    'request_uuid_ignored': 'chaos',
    'epoch_ignored': 'chaos',
    'seq_ignored': 'crowd',
    'number_ignored': 'echoes',
    'grant_ignored': 'pauses',
    'promises_forgotten': 'handover',
    'never_fenced': 'cut_off',
    'never_sent_again': 'loss_alone',
    'never_attached': 'chaos',
    'lease_ignored': 'pauses',
    'claims_ignored': 'pauses',
    'outcomes_told_once': 'chaos',
    'silence_means_dead': 'cut_off',
    'credit_unbounded': 'chaos',
    'recorded_too_early': 'pauses',
    'turns_used_twice': 'stalls',
    'own_link_ignored': 'blips',
    'fenced_by_reports_alone': 'absence',
    'losses_uncounted': 'poison',
}


def replay(scenario: str, seed: int, rule: str = '') -> str:
    return f'python -m tests.simulation {seed} {scenario} {rule}'.rstrip()


class _SeedsTest(base.BaseTestCase):
    """Random seeds: no promise is broken in any of them."""

    def check(self, scenario: str, seeds: range) -> None:
        for seed in seeds:
            sim = scenarios.run(scenario, seed)
            self.assertEqual(
                [],
                sim.ledger.violations,
                f'replay with: {replay(scenario, seed)}',
            )


class ChaosTest(_SeedsTest):
    """Everything at once; stestr runs it beside the scenarios."""


class ScenariosTest(_SeedsTest):
    """Faults of one sort each, in doses that reach the rarer rules."""

    def test_a_seed_replays(self):
        one, other = (scenarios.run('chaos', 3, trace=True) for _ in 'ab')
        self.assertEqual(one.log, other.log)


class BrokenRulesTest(base.BaseTestCase):
    """Each rule is there for a reason: without it, something shows."""

    def check(self, rule: str) -> None:
        scenario = CAUGHT_BY[rule]
        with mutations.broken(rule):
            for seed in range(LIMIT):
                if scenarios.run(scenario, seed).ledger.violations:
                    return
        self.fail(f'{LIMIT} seeds of {scenario} do not miss {rule}')

    def test_every_broken_rule_has_its_scenario(self):
        self.assertEqual(set(mutations.RULES), set(CAUGHT_BY))


def _add_seed_tests() -> None:
    for scenario, share in SHARES.items():
        shards = SHARDS.get(scenario, 1)
        count = max(1, SEEDS * share // 100 // shards)
        for shard in range(shards):
            first = FIRST + shard * count

            def test(self, scenario=scenario, first=first, count=count):
                self.check(scenario, range(first, first + count))

            name = f'test_{scenario}' + (f'_{shard:02}' if shard else '')
            case = ChaosTest if scenario == 'chaos' else ScenariosTest
            setattr(case, name, test)


def _add_rule_tests() -> None:
    for rule in CAUGHT_BY:

        def test(self, rule=rule):
            self.check(rule)

        setattr(BrokenRulesTest, f'test_{rule}', test)


_add_seed_tests()
_add_rule_tests()
