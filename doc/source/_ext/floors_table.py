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
"""Directive ``floors``: the table that holds the imports, as a table.

It reads ``tests/floors.py``, which the tests read too: the page cannot say
what the tests do not hold.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.parsers import rst
from docutils.statemachine import StringList

from tests import floors


class Floors(rst.Directive):
    """Print the floors from the top to the ground."""

    def run(self) -> list[nodes.Node]:
        lines = [
            '.. list-table::',
            '   :header-rows: 1',
            '   :widths: 8 46 46',
            '',
            '   * - Floor',
            '     - Rooms',
            '     - What for',
        ]
        for floor in floors.FLOORS:
            lines += [
                f'   * - {floor.number}',
                '     - ' + ', '.join(f'``{room}``' for room in floor.rooms),
                f'     - {floor.purpose}',
            ]
        box = nodes.container()
        self.state.nested_parse(StringList(lines, 'floors'), 0, box)
        return list(box.children)


def setup(app: Any) -> dict[str, Any]:
    app.add_directive('floors', Floors)
    return {'version': '1', 'parallel_read_safe': True}
