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

"""The generated sample file is a configuration that works.

Run in processes of their own: the generator changes defaults of libraries
for the whole process, as it does in a real run.
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import fixtures
from oslotest import base

ROOT = pathlib.Path(__file__).parents[3]
GENERATOR = ROOT / 'etc' / 'taskflow_service' / 'config-generator.conf'
DEADLINE = 120

_LOAD = """
import sys
from taskflow_service.cmd import program
from taskflow_service.messaging import transport
arguments = ['--config-file', sys.argv[1]]
program.load_conf('taskflow-worker', arguments, [transport.register_opts])
"""


def _uncomment(sample: str) -> str:
    """Give every option that has a value that value.

    Options without a default are shown as ``<None>``; numbers and names of
    files cannot be that.
    """
    lines = []
    for line in sample.splitlines():
        option = re.match(r'^#([a-z][a-z0-9_-]*) = ?(.*)$', line)
        lines.append(line[1:] if option else line)
    return '\n'.join(lines) + '\n'


class SampleTest(base.BaseTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        directory = fixtures.TempDir()
        directory.setUp()
        cls.addClassCleanup(directory.cleanUp)
        cls.directory = pathlib.Path(directory.path)
        cls.sample = cls.directory / 'sample.conf'
        cls._run(
            'oslo_config.generator',
            '--config-file',
            str(GENERATOR),
            '--output-file',
            str(cls.sample),
        )

    @staticmethod
    def _run(module, *arguments):
        code = f'import sys; from {module} import main; sys.exit(main())'
        done = subprocess.run(
            [sys.executable, '-c', code, *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
        if done.returncode:
            raise AssertionError(done.stdout + done.stderr)
        return done.stdout + done.stderr

    def _uncommented(self, skip_unset=False):
        text = _uncomment(self.sample.read_text())
        if skip_unset:
            text = re.sub(r'(?m)^[a-z0-9_-]+ = <None>$', '', text)
        path = self.directory / f'uncommented-{skip_unset}.conf'
        path.write_text(text)
        return path

    def test_the_validator_accepts_every_option(self):
        output = self._run(
            'oslo_config.validator',
            '--config-file',
            str(GENERATOR),
            '--input-file',
            str(self._uncommented()),
        )
        self.assertNotIn('ERROR', output)
        self.assertNotIn('WARNING', output)

    def test_every_group_of_ours_is_in_it(self):
        text = self.sample.read_text()
        for group in (
            'engine',
            'worker',
            'remote',
            'persistence',
            'serialization',
            'security',
            'notifications',
            'database',
        ):
            self.assertIn(f'\n[{group}]\n', text)

    def test_no_option_of_ours_is_shown_as_none(self):
        text = self.sample.read_text()
        ours = text[text.index('\n[engine]\n') : text.index('\n[oslo_')]
        self.assertNotIn('<None>', ours)

    def test_our_programs_load_it_with_every_option_given(self):
        done = subprocess.run(
            [sys.executable, '-c', _LOAD, str(self._uncommented(True))],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
        self.assertEqual((0, ''), (done.returncode, done.stderr))
