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

"""Every example prints what its page in the documentation says it prints.

An example with its output beside it (``examples/NAME.out``) is run here; what
needs a worker or a server is run by the functional tests.
"""

from __future__ import annotations

import contextlib
import io
import pathlib
import runpy

from oslotest import base

ROOT = pathlib.Path(__file__).parents[2]
OUTPUTS = sorted((ROOT / 'examples').glob('*.out'))


class ExamplesTest(base.BaseTestCase):
    def test_each_prints_what_is_documented(self):
        for path in OUTPUTS:
            with self.subTest(path.stem):
                printed = io.StringIO()
                with contextlib.redirect_stdout(printed):
                    runpy.run_path(
                        str(path.with_suffix('.py')), run_name='__main__'
                    )
                self.assertEqual(path.read_text('utf-8'), printed.getvalue())

    def test_each_is_on_a_page(self):
        pages = ''.join(
            page.read_text('utf-8')
            for page in ROOT.glob('doc/source/**/*.rst')
        )
        for path in OUTPUTS:
            self.assertIn(f'/examples/{path.stem}.py', pages)
            self.assertIn(f'/examples/{path.name}', pages)
