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
"""The demonstration is what the entry points say, and wires itself."""

from __future__ import annotations

import datetime
import importlib.metadata

import fixtures
from oslotest import base

from taskflow_service import demo


class DemoTest(base.BaseTestCase):
    """What a new installation can run."""

    def test_is_registered(self) -> None:
        found = {
            (point.group.rpartition('.')[2], point.name): point.load()
            for point in importlib.metadata.entry_points(
                module='taskflow_service.demo'
            )
        }
        self.assertEqual(
            {
                ('tasks', 'demo.hello'): demo.Hello,
                ('tasks', 'demo.goodbye'): demo.Goodbye,
                ('flows', 'demo.hello_goodbye'): demo.hello_goodbye,
            },
            found,
        )

    def test_both_greet(self) -> None:
        log = self.useFixture(fixtures.FakeLogger('taskflow_service.demo'))
        said = demo.Hello().execute()
        left = demo.Goodbye().execute(hi_happened=said)
        self.assertIsInstance(said, datetime.datetime)
        self.assertGreaterEqual(left, said)
        self.assertEqual(
            f'hello world\ngoodbye world (hi said on {said})\n', log.output
        )

    def test_the_flow_wires_itself(self) -> None:
        flow = demo.hello_goodbye()
        self.assertEqual(
            ['demo.hello', 'demo.goodbye'], [atom.name for atom in flow]
        )
        self.assertEqual(set(), set(flow.requires))
        self.assertEqual(
            {'hi_happened', 'goodbye_happened'}, set(flow.provides)
        )
