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

"""Which classes a stored name may lead to."""

from __future__ import annotations

import pathlib
import sys

import fixtures
from oslotest import base

from taskflow_service import exceptions
from taskflow_service.serialization import classes
from taskflow_service.serialization import envelope
from tests.unit.serialization import samples

COLOURS = 'import enum\nclass Colour(enum.Enum):\n    RED = 1\n'


class AllowedTest(base.BaseTestCase):
    """Loaded classes, and those below what the operator allows."""

    def setUp(self) -> None:
        super().setUp()
        path = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        (path / 'tfs_allowed').mkdir()
        (path / 'tfs_allowed' / '__init__.py').write_text('')
        (path / 'tfs_allowed' / 'colours.py').write_text(COLOURS)
        (path / 'tfs_broken.py').write_text('1 / 0\n')
        sys.path.insert(0, str(path))
        self.addCleanup(sys.path.remove, str(path))
        self.addCleanup(self._forget)

    @staticmethod
    def _forget() -> None:
        for name in ('tfs_allowed', 'tfs_allowed.colours', 'tfs_broken'):
            sys.modules.pop(name, None)

    def _unreadable(self, allowed: classes.Allowed, path: str) -> str:
        return str(
            self.assertRaises(exceptions.ValueUnreadable, allowed.find, path)
        )

    def test_loaded_class_is_found(self) -> None:
        path = classes.path_of(samples.Colour)
        self.assertIs(samples.Colour, classes.LOADED.find(path))

    def test_nothing_is_imported_unless_it_is_allowed(self) -> None:
        path = 'tfs_allowed.colours:Colour'
        for allowed in (
            classes.LOADED,
            classes.Allowed(['tfs_allow', 'tfs_allowed.colours.deeper']),
        ):
            message = self._unreadable(allowed, path)
            self.assertIn('allowed_modules', message)
            self.assertNotIn('tfs_allowed.colours', sys.modules)

    def test_allowed_module_is_imported(self) -> None:
        text = '{"v":1,"d":{"$enum":["tfs_allowed.colours:Colour","RED"]}}'
        self.assertRaises(exceptions.ValueUnreadable, envelope.loads, text)
        found = envelope.loads(text, allowed=classes.Allowed(['tfs_allowed']))
        self.assertEqual('RED', found.name)
        self.assertEqual(text, envelope.dumps(found))

    def test_module_that_cannot_be_imported_is_named(self) -> None:
        allowed = classes.Allowed(['tfs_broken', 'tfs_absent'])
        for path in ('tfs_broken:X', 'tfs_absent:X'):
            self.assertIn(path, self._unreadable(allowed, path))

    def test_only_classes_under_their_own_name_are_found(self) -> None:
        for path in (
            'os:system',
            'os:nothing',
            'os',
            '',
            'sys:modules',
            # Another module's class, reached through this one.
            f'{__name__}:samples.Colour',
            f'{samples.__name__}:enum.Enum',
        ):
            self._unreadable(classes.LOADED, path)

    def test_class_that_cannot_be_found_again_has_no_path(self) -> None:
        class Local:
            pass

        self.assertRaises(LookupError, classes.path_of, Local)
        twin = type('Colour', (), {'__module__': samples.__name__})
        self.assertRaises(LookupError, classes.path_of, twin)
