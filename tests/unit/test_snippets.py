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

"""Every piece of Python on a page runs as it stands.

Whole programs and parts of the example service are files that the pages
include; here is what a page shows by itself, in the order in which it does.
"""

from __future__ import annotations

import sys

import fixtures
from oslotest import base

from taskflow_service import demo
from taskflow_service import engines
from taskflow_service import fixture
from tests import documented

SERVICE = documented.ROOT / 'examples' / 'image_service'


class Volume:
    """A class of a reader's own."""

    def to_dict(self):
        return {}

    @classmethod
    def from_dict(cls, values):
        return cls()


class SnippetsTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.tools = self.useFixture(fixture.TaskflowFixture())
        self.useFixture(fixtures.MonkeyPatch('sys.argv', ['service']))
        self.useFixture(
            fixtures.MonkeyPatch('sys.path', [str(SERVICE), *sys.path])
        )
        self.addCleanup(self._forget)
        self.folder = self.useFixture(fixtures.TempDir()).path

    def _forget(self):
        for name in list(sys.modules):
            if name.partition('.')[0] == 'image_service':
                del sys.modules[name]

    def _names(self):
        """What a page takes for granted."""
        engine = self.tools.load(demo.hello_goodbye())
        return {
            'CONF': self.tools.conf,
            'Volume': Volume,
            'backend': self.tools.backend,
            'engines': engines,
            'flow': demo.hello_goodbye(),
            'uuid': engine.storage.flow_uuid,
        }

    def _run(self, folder):
        number = 0
        for page in sorted(documented.ROOT.glob(f'doc/source/{folder}/*.rst')):
            names = {}
            for language, text in documented.blocks(page):
                if language != 'python':
                    continue
                number += 1
                names |= self._names()
                text = text.replace('/tmp/', f'{self.folder}/')
                exec(compile(text, str(page), 'exec'), names)
                if 'serving' in names:
                    names.pop('serving').stop(graceful=False)
        self.assertNotEqual(0, number)

    def test_of_the_user_guide(self):
        self._run('user')

    def test_of_the_administration(self):
        self._run('admin')

    def test_of_the_configuration(self):
        self._run('configuration')
