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
"""The architecture, held by a walk over the sources.

The table is in ``tests/floors.py``.  Imports under ``if TYPE_CHECKING`` count
like all others: what a reader has to look up goes downwards too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
import pathlib
import sys
from typing import NamedTuple

import networkx as nx
from oslotest import base

import taskflow_service
from tests import floors

ROOT = pathlib.Path(taskflow_service.__file__).parent


class Import(NamedTuple):
    """One imported thing: where, what, and whether inside a function."""

    line: int
    name: str
    in_function: bool


class Module(NamedTuple):
    """One source file, by its name below the package."""

    name: str
    path: pathlib.Path
    lines: int
    tree: ast.Module
    imports: tuple[Import, ...]

    def at(self, line: int, text: str) -> str:
        return f'{self.path.relative_to(ROOT.parent)}:{line}: {text}'


def _imports(node: ast.AST, in_function: bool = False) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(child.lineno, alias.name, in_function)
        elif isinstance(child, ast.ImportFrom):
            for alias in child.names:
                yield Import(
                    child.lineno, f'{child.module}.{alias.name}', in_function
                )
        inside = in_function or isinstance(
            child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
        )
        yield from _imports(child, inside)


def _read(root: pathlib.Path) -> dict[str, Module]:
    found = {}
    for path in sorted(root.rglob('*.py')):
        parts = path.relative_to(root).with_suffix('').parts
        if parts[-1] == '__init__':
            parts = parts[:-1]
        name = '.'.join(parts)
        if any(floors.within(name, room) for room in floors.OUTSIDE):
            continue
        text = path.read_text(encoding='utf-8')
        tree = ast.parse(text)
        found[name] = Module(
            name, path, text.count('\n'), tree, tuple(_imports(tree))
        )
    return found


class FloorsTest(base.BaseTestCase):
    """Imports point downwards, and the pure floors stay pure."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.modules = _read(ROOT)

    def _inner(self, name: str) -> str | None:
        """Resolve an import to a module of ours, None for another's."""
        head, _, rest = name.partition('.')
        if head != floors.PACKAGE:
            return None
        while rest and rest not in self.modules:
            rest = rest.rpartition('.')[0]
        return rest

    def _all(self) -> Iterator[tuple[Module, Import]]:
        for module in self.modules.values():
            for imported in module.imports:
                yield module, imported

    def _assert_none(self, wrong: list[str]) -> None:
        if wrong:
            self.fail('\n' + '\n'.join(wrong))

    def test_every_module_has_a_floor(self) -> None:
        self._assert_none(
            [
                module.at(1, 'is on no floor of tests/floors.py')
                for module in self.modules.values()
                if module.name and floors.floor_of(module.name) is None
            ]
        )

    def test_imports_do_not_point_upwards(self) -> None:
        wrong = []
        for module, imported in self._all():
            inner = self._inner(imported.name)
            if not inner:
                continue
            mine = floors.floor_of(module.name)
            other = floors.floor_of(inner)
            if mine is not None and other is not None and other > mine:
                wrong.append(
                    module.at(
                        imported.line,
                        f'floor {mine} imports {inner} of floor {other}',
                    )
                )
        self._assert_none(wrong)

    def test_the_two_cores_do_not_know_each_other(self) -> None:
        wrong = []
        for module, imported in self._all():
            inner = self._inner(imported.name) or ''
            for one, other in (
                ('decisions', 'protocol'),
                ('protocol', 'decisions'),
            ):
                if floors.within(module.name, one) and floors.within(
                    inner, other
                ):
                    wrong.append(
                        module.at(imported.line, f'{one} imports {inner}')
                    )
        self._assert_none(wrong)

    def test_there_is_no_cycle(self) -> None:
        graph = nx.DiGraph()
        for module, imported in self._all():
            inner = self._inner(imported.name)
            if inner and inner != module.name:
                graph.add_edge(module.name, inner)
        self._assert_none(
            [
                'a cycle: ' + ' -> '.join(sorted(component))
                for component in nx.strongly_connected_components(graph)
                if len(component) > 1
            ]
        )

    def test_no_import_hides_in_a_function(self) -> None:
        self._assert_none(
            [
                module.at(imported.line, f'imports {imported.name} late')
                for module, imported in self._all()
                if imported.in_function
            ]
        )

    def test_pure_floors_import_no_io_and_no_thread(self) -> None:
        wrong = []
        allowed = set(sys.stdlib_module_names) - floors.PURE_MAY_NOT_IMPORT
        allowed |= floors.PURE_MAY_IMPORT | {floors.PACKAGE, '__future__'}
        for module, imported in self._all():
            floor = floors.floor_of(module.name)
            if floor is None or floor > floors.PURE_UP_TO:
                continue
            head = imported.name.partition('.')[0]
            if head == 'threading' and any(
                floors.within(module.name, room)
                for room in floors.MAY_IMPORT_THREADING
            ):
                continue
            if head not in allowed:
                wrong.append(
                    module.at(
                        imported.line, f'pure floor {floor} imports {head}'
                    )
                )
        self._assert_none(wrong)

    def test_libraries_stay_in_the_room_that_wraps_them(self) -> None:
        wrong = []
        for module, imported in self._all():
            head = imported.name.partition('.')[0]
            rooms = floors.KEPT_TO.get(head)
            if rooms is not None and not any(
                floors.within(module.name, room) for room in rooms
            ):
                wrong.append(
                    module.at(
                        imported.line,
                        f'{head} is for {", ".join(rooms) or "nobody"}',
                    )
                )
        self._assert_none(wrong)

    def test_drivers_are_reached_by_name_only(self) -> None:
        wrong = []
        for module, imported in self._all():
            # What an operator calls may know the one driver it is about.
            if floors.within(module.name, 'cmd'):
                continue
            inner = self._inner(imported.name) or ''
            for room, drivers in floors.DRIVERS.items():
                if floors.within(module.name, room):
                    continue
                if any(floors.within(inner, driver) for driver in drivers):
                    wrong.append(
                        module.at(imported.line, f'imports driver {inner}')
                    )
        self._assert_none(wrong)

    def test_modules_and_functions_are_short(self) -> None:
        wrong = []
        for module in self.modules.values():
            if module.lines > floors.MAX_MODULE_LINES:
                wrong.append(module.at(1, f'{module.lines} lines'))
            for node in ast.walk(module.tree):
                if not isinstance(node, ast.FunctionDef):
                    continue
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > floors.MAX_FUNCTION_LINES:
                    wrong.append(
                        module.at(node.lineno, f'{node.name}: {lines} lines')
                    )
        self._assert_none(wrong)

    def test_no_room_for_leftovers(self) -> None:
        self._assert_none(
            [
                module.at(1, 'name a module after what it is about')
                for module in self.modules.values()
                if {'misc', 'common', 'helper'} & set(module.name.split('.'))
                # TaskFlow's names are TaskFlow's.
                and not floors.within(module.name, 'utils')
            ]
        )


class TableTest(base.BaseTestCase):
    """The table itself: what the walk relies on."""

    def test_the_longest_prefix_decides(self) -> None:
        self.assertEqual(9, floors.floor_of('engines.loop'))
        self.assertEqual(10, floors.floor_of('engines.worker_based.engine'))
        self.assertIsNone(floors.floor_of('enginesque'))

    def test_an_import_in_a_function_is_seen(self) -> None:
        tree = ast.parse('import a\ndef f():\n    from b import c\n')
        self.assertEqual(
            [Import(1, 'a', False), Import(3, 'b.c', True)],
            list(_imports(tree)),
        )
