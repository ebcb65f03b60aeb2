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
"""Role ``src``: a place in the sources, which has to be there.

``:src:`engines/turn.py``` and ``:src:`engines/turn.py Drive.take()```: the
file below the package, or of the repository, and a class, function or method
in it. A name that is not there is a warning, and so an error of the build:
the pages that walk through the code cannot fall behind it.
"""

from __future__ import annotations

import ast
import functools
import pathlib
from typing import Any

from docutils import nodes
from sphinx.util import docutils
from sphinx.util import logging

LOG = logging.getLogger(__name__)

ROOT = pathlib.Path(__file__).parents[3]


@functools.cache
def names(path: pathlib.Path) -> frozenset[str]:
    """List what a source file defines, methods by their class."""
    found: set[str] = set()
    tree = ast.parse(path.read_text(encoding='utf-8'))
    queue: list[tuple[str, ast.AST]] = [('', tree)]
    while queue:
        prefix, node = queue.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef):
                found.add(prefix + child.name)
                queue.append((f'{prefix}{child.name}.', child))
            elif isinstance(child, ast.Assign):
                found.update(
                    prefix + target.id
                    for target in child.targets
                    if isinstance(target, ast.Name)
                )
            elif isinstance(child, ast.AnnAssign) and isinstance(
                child.target, ast.Name
            ):
                found.add(prefix + child.target.id)
    return frozenset(found)


def missing(text: str) -> str | None:
    """Say what of a place is not there; None if all of it is."""
    file, _, name = text.partition(' ')
    for base in (ROOT / 'taskflow_service', ROOT):
        path = base / file
        if path.exists():
            break
    else:
        return f'there is no {file}'
    if name and name.removesuffix('()') not in names(path):
        return f'{file} has no {name}'
    return None


class Source(docutils.SphinxRole):
    """See the module."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        where = ' '.join(self.text.split())
        wrong = missing(where)
        if wrong is not None:
            LOG.warning('%s', wrong, location=self.get_location())
        file, _, name = where.partition(' ')
        shown: list[nodes.Node] = [nodes.literal('', file)]
        if name:
            shown = [
                nodes.literal('', name),
                nodes.Text(' ('),
                *shown,
                nodes.Text(')'),
            ]
        return shown, []


def setup(app: Any) -> dict[str, Any]:
    app.add_role('src', Source())
    return {'version': '1', 'parallel_read_safe': True}
