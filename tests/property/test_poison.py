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

"""Random flows some of whose values the logbook refuses, and the model.

``TFS_RANDOM_POISON`` says how many (default 1,000); a seed that fails is in
the message, and is replayed with::

    python -m tests.property.test_poison SEED
"""

from __future__ import annotations

import collections
import os
import sys

from oslotest import base

from tests.property import poison

FLOWS = int(os.environ.get('TFS_RANDOM_POISON', '1000'))

#: What must have happened often, lest the flows be too tame.
HAPPENED = (
    'SUCCESS',
    'REVERTED',
    'FAILURE',
    'SUSPENDED',
    'cancel',
    'execute poisoned',
    'revert poisoned',
    'taken back',
    'reload',
)


class PoisonTest(base.BaseTestCase):
    def test_what_is_refused_is_as_what_failed(self) -> None:
        tally: collections.Counter[str] = collections.Counter()
        for seed in range(FLOWS):
            harness = poison.Harness(seed)
            harness.run()
            tally.update(harness.tally)
        for what in HAPPENED:
            self.assertGreater(tally[what], FLOWS // 200, what)


if __name__ == '__main__':
    poison.Harness(int(sys.argv[1])).run()
