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
"""Directive ``protocol-rules``: each rule, and who misses it.

It reads ``tests/simulation/mutations.py``, which takes the rules away one by
one, and the tests that expect a broken promise then.
"""

from __future__ import annotations

import inspect
from typing import Any

from docutils import nodes
from docutils.parsers import rst
from docutils.statemachine import StringList

from tests.property import test_protocol_simulation as simulation
from tests.simulation import mutations


class Rules(rst.Directive):
    """Print what goes wrong without each rule, and where that shows."""

    def run(self) -> list[nodes.Node]:
        lines = [
            '.. list-table::',
            '   :header-rows: 1',
            '   :widths: 28 52 20',
            '',
            '   * - Taken away',
            '     - What is left',
            '     - Broken in',
        ]
        for name, rule in mutations.RULES.items():
            said = inspect.getdoc(rule) or ''
            first = ' '.join(said.split('\n\n')[0].split())
            lines += [
                f'   * - ``{name}``',
                f'     - {first}',
                f'     - ``{simulation.CAUGHT_BY[name]}``',
            ]
        box = nodes.container()
        self.state.nested_parse(StringList(lines, 'rules'), 0, box)
        return list(box.children)


def setup(app: Any) -> dict[str, Any]:
    app.add_directive('protocol-rules', Rules)
    return {'version': '1', 'parallel_read_safe': True}
