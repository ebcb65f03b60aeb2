#!/usr/bin/env python3
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
"""Count the tests of all stages: ``count_tests.py CHECKOUT EXIT_CODE``.

Reads every run that stestr kept, one for each stage, and prints one line,
``N passed, N failed, N skipped``.  Exits with 1 if a test failed, if none ran,
or if the stages together exited with another code than 0.
"""

from __future__ import annotations

import sys

from stestr.repository import file as repositories
import testtools


def summaries(checkout: str) -> list[testtools.StreamSummary]:
    """Return a summary of each recorded run."""
    found = []
    repository = repositories.RepositoryFactory().open(checkout)
    for number in range(repository.count()):
        summary = testtools.StreamSummary()
        summary.startTestRun()
        repository.get_test_run(number).get_test().run(summary)
        summary.stopTestRun()
        found.append(summary)
    return found


def main(argv: list[str]) -> int:
    passed = failed = skipped = 0
    for summary in summaries(argv[0]):
        bad = len(summary.failures) + len(summary.errors)
        bad += len(summary.unexpectedSuccesses)
        failed += bad
        skipped += len(summary.skipped)
        passed += summary.testsRun - bad - len(summary.skipped)
    code = int(argv[1])
    if code and not failed:
        print(f'no test failed, but the stages exited with {code}')
    print(f'{passed} passed, {failed} failed, {skipped} skipped')
    return 1 if failed or code or not passed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
