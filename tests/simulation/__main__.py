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
"""Replay a seed of the simulation, with everything that happened in it."""

from __future__ import annotations

import contextlib
import sys

from tests.simulation import mutations
from tests.simulation import scenarios


def main() -> None:
    seed, scenario, rule = [
        *sys.argv[1:],
        *('0', 'chaos', '')[len(sys.argv) - 1 :],
    ]
    with mutations.broken(rule) if rule else contextlib.nullcontext():
        sim = scenarios.run(scenario, int(seed), trace=True)
    for line in sim.log or ():
        print(line)
    for violation in sim.ledger.violations:
        print('VIOLATION', violation)


if __name__ == '__main__':
    main()
