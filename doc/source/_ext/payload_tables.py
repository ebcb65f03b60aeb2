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
"""``payload-tables``: the fields of notifications, from their schemas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docutils import nodes
from docutils.parsers import rst
from docutils.statemachine import StringList

from taskflow_service.notifications import events


class PayloadTables(rst.Directive):
    """Print each payload: its events, its fields, what they may be."""

    def run(self) -> list[nodes.Node]:
        lines: list[str] = []
        for subject in events.Subject:
            lines += _table(subject)
        box = nodes.container()
        self.state.nested_parse(StringList(lines, 'payloads'), 0, box)
        return list(box.children)


def _table(subject: events.Subject) -> Iterator[str]:
    schema = events.schema(subject)
    types = (f'``taskflow.{subject}.{phase}``' for phase in events.Phase)
    yield from (f'**{schema["title"]}**', '', ', '.join(types), '')
    yield from (
        '.. list-table::',
        '   :header-rows: 1',
        '   :widths: 18 16 66',
        '',
        '   * - Field',
        '     - Type',
        '     - What it says',
    )
    for name, field in _fields('', schema):
        yield f'   * - ``{name}``'
        yield f'     - {_type(field)}'
        yield f'     - {field["description"]}'
    yield ''


def _fields(
    prefix: str, schema: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, field in schema['properties'].items():
        yield prefix + name, field
        inner = [field.get('items', {}), *field.get('anyOf', ())]
        for each in inner:
            if 'properties' in each:
                yield from _fields(f'{prefix}{name}.', each)


def _type(field: dict[str, Any]) -> str:
    if 'const' in field:
        return f'``{field["const"]}``'
    if 'anyOf' in field:
        return ' or '.join(_type(each) for each in field['anyOf'])
    kind = field['type']
    return kind if isinstance(kind, str) else ' or '.join(kind)


def setup(app: Any) -> dict[str, Any]:
    app.add_directive('payload-tables', PayloadTables)
    return {'version': '1', 'parallel_read_safe': True}
