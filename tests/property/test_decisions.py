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

"""Random flows, driven through an engine and a naive model in lockstep.

``TFS_RANDOM_FLOWS`` says how many (default 10,000); a seed that fails is in
the message, and is replayed with::

    python -m tests.property.test_decisions SEED
"""

from __future__ import annotations

import collections
import os
import sys

import hypothesis
from hypothesis import strategies as st
from oslotest import base

from tests.property import lockstep

FLOWS = int(os.environ.get('TFS_RANDOM_FLOWS', '10000'))

#: What must have happened many times, lest the flows be too tame.
HAPPENED = (
    'SUCCESS',
    'REVERTED',
    'FAILURE',
    'SUSPENDED',
    'cancel',
    'execute failed',
    'revert failed',
    'reload',
    'skip',
)


class _Slice(base.BaseTestCase):
    """A share of the flows: each class may have a process of its own."""

    share = 0

    def agree(self, seed):
        harness = lockstep.Harness(seed)
        harness.run()
        return harness

    def check_share(self):
        tally = collections.Counter()
        for seed in range(self.share, FLOWS, 2):
            tally.update(self.agree(seed).tally)
        for what in HAPPENED:
            self.assertGreater(tally[what], FLOWS // 1000, what)


class EvenSeedsTest(_Slice):
    def test_engine_and_model_agree(self):
        self.check_share()

    def test_same_seed_same_outcome(self):
        for seed in range(100):
            once, again = self.agree(seed), self.agree(seed)
            self.assertEqual(once.tally, again.tally)
            self.assertEqual(once.model.state, again.model.state)
            self.assertEqual(once.model.sequence, again.model.sequence)


class OddSeedsTest(_Slice):
    share = 1

    def test_engine_and_model_agree(self):
        self.check_share()

    @hypothesis.settings(
        max_examples=300, deadline=None, derandomize=True, database=None
    )
    @hypothesis.given(
        st.integers(min_value=10**6, max_value=10**12),
        st.integers(min_value=1, max_value=24),
    )
    def test_flows_of_any_size(self, seed, size):
        lockstep.Harness(seed, size).run()


if __name__ == '__main__':
    lockstep.Harness(int(sys.argv[1])).run()
