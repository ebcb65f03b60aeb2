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
"""Recorded databases in SQLite; servers are in the functional tests."""

from __future__ import annotations

import pathlib

from oslotest import base

from taskflow_service.persistence.backends.sqlalchemy import migration
from tests.conformance import upgrades


class SQLiteUpgradeTest(upgrades.UpgradeSuite, base.BaseTestCase):
    def make_url(self, path: pathlib.Path, version: str) -> str:
        return f'sqlite:///{path}'

    def test_every_version_was_recorded(self) -> None:
        self.assertEqual(
            sorted(migration._versions()),
            upgrades.RECORDED,
            'run python -m tests.recorded.schema',
        )
