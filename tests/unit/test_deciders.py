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

"""How far a decider's no reaches."""

from __future__ import annotations

from oslotest import base

from taskflow_service import deciders

Depth = deciders.Depth


class DepthTest(base.BaseTestCase):
    def test_a_name_in_any_case_will_do(self):
        self.assertIs(Depth.ALL, Depth.translate('all'))
        self.assertIs(Depth.NEIGHBORS, Depth.translate('Neighbors'))
        self.assertIs(Depth.ATOM, Depth.translate(Depth.ATOM))

    def test_anything_else_is_refused(self):
        self.assertRaisesRegex(
            ValueError, "'bogus'.*'FLOW'", Depth.translate, 'bogus'
        )
        self.assertRaises(TypeError, Depth.translate, None)
        self.assertRaises(TypeError, Depth.translate, 3)

    def test_the_widest_wins(self):
        self.assertIs(
            Depth.FLOW, deciders.pick_widest([Depth.ATOM, Depth.FLOW])
        )
        self.assertIs(Depth.ALL, deciders.pick_widest(reversed(Depth)))
        self.assertRaises(ValueError, deciders.pick_widest, [])
        self.assertRaises(ValueError, deciders.pick_widest, ['all'])
