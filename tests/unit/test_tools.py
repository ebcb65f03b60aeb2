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
"""The tools that continuous integration relies on."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import fixtures
from oslotest import base
from stestr.repository import file as repositories

ROOT = pathlib.Path(__file__).parents[2]


def _run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *args],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


class CountTest(base.BaseTestCase):
    """One line over all stages, and an exit code that cannot be overlooked."""

    def setUp(self) -> None:
        super().setUp()
        self.checkout = self.useFixture(fixtures.TempDir()).path
        self.repository = repositories.RepositoryFactory().initialise(
            self.checkout
        )

    def _stage(self, number: int, *results: str) -> None:
        run = self.repository.get_inserter()
        run.startTestRun()
        for index, result in enumerate(results):
            name = f'stage{number}.test{index}'
            run.status(test_id=name, test_status='inprogress')
            if result != 'inprogress':
                run.status(test_id=name, test_status=result)
        run.stopTestRun()

    def _count(self, code: int = 0) -> tuple[str, int]:
        done = _run('tools/count_tests.py', self.checkout, str(code))
        return done.stdout.splitlines()[-1], done.returncode

    def test_sums_all_stages(self) -> None:
        self._stage(0, 'success', 'success', 'skip')
        self._stage(1, 'success')
        self.assertEqual(('3 passed, 0 failed, 1 skipped', 0), self._count())

    def test_a_failure_and_a_test_that_never_ended_both_fail(self) -> None:
        self._stage(0, 'success', 'fail', 'inprogress')
        self.assertEqual(('1 passed, 2 failed, 0 skipped', 1), self._count())

    def test_a_stage_that_could_not_run_fails(self) -> None:
        self._stage(0, 'success')
        self.assertEqual(
            ('1 passed, 0 failed, 0 skipped', 1), self._count(code=3)
        )

    def test_no_test_at_all_fails(self) -> None:
        self.assertEqual(('0 passed, 0 failed, 0 skipped', 1), self._count())


class ReadmeTest(base.BaseTestCase):
    """The two commands by which a newcomer judges the project."""

    def _command(self, number: int) -> str:
        return _run(
            'tools/readme_command.py', 'README.rst', str(number)
        ).stdout.strip()

    def test_each_is_one_line_and_complete(self) -> None:
        for number in (1, 2):
            command = self._command(number)
            self.assertEqual(1, len(command.splitlines()))
            self.assertTrue(command.startswith('python3 -m venv .venv && '))

    def test_the_first_runs_a_flow_the_second_all_stages(self) -> None:
        self.assertIn('examples/hello_remote.py', self._command(1))
        self.assertIn('py3,property,crash,functional', self._command(2))
