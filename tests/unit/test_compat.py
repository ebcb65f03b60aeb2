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

"""Programs written for TaskFlow 6.5 do the same with this package.

One test for each program of ``tests/compat/programs``.
"""

from __future__ import annotations

import pathlib
import re

from oslotest import base

from tests.compat import transcripts

_PAGE = (
    pathlib.Path(__file__).parents[2]
    / 'doc/source/user/coming_from_taskflow.rst'
)


class TestPrograms(base.BaseTestCase):
    """What a program prints is what it printed with TaskFlow."""

    maxDiff = None

    def _compare(self, name: str) -> None:
        on_purpose = transcripts.DIFFERS / f'{name}.txt'
        recorded = transcripts.EXPECTED / f'{name}.txt'
        if on_purpose.exists():
            self.assertNotEqual(
                recorded.read_text(),
                on_purpose.read_text(),
                'It does the same after all: remove it from differs/',
            )
            recorded = on_purpose
        self.assertEqual(
            recorded.read_text(),
            transcripts.transcript(name, 'taskflow_service'),
        )


class TestDifferences(base.BaseTestCase):
    """What differs on purpose is in the documentation, with its reason."""

    def test_the_page_lists_every_program_that_differs(self):
        listed = re.findall(r'``programs/(\w+)\.py``', _PAGE.read_text())
        self.assertEqual(
            sorted(path.stem for path in transcripts.DIFFERS.glob('*.txt')),
            sorted(listed),
        )

    def test_every_program_was_recorded(self):
        self.assertEqual(
            transcripts.names(),
            sorted(path.stem for path in transcripts.EXPECTED.glob('*.txt')),
        )


def _add(name: str) -> None:
    def test(self: TestPrograms) -> None:
        self._compare(name)

    test.__name__ = f'test_{name}'
    setattr(TestPrograms, test.__name__, test)


for _name in transcripts.names():
    _add(_name)
