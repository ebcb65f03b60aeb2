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

"""Word a failure so that one sees what led to it."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
import os
import typing

from taskflow_service import atom as atom_mod
from taskflow_service import exceptions
from taskflow_service import states
from taskflow_service.engines import base as engines_base
from taskflow_service.plan import export
from taskflow_service.types import failure as ft
from taskflow_service.types import tree

#: What stands for a value that is not to be seen.
MASK = '***'

#: How many nodes are shown: along a row of diamonds the paths to an atom
#: double with each.
MAX_NODES = 500


class FailureFormatter:
    """Words failures of an engine's atoms.

    :param hide_inputs_outputs_of: names of atoms whose arguments and results
        are not shown
    :param mask_inputs_keys: keys in arguments whose values are masked, at
        any depth of dictionaries, lists and tuples
    :param mask_outputs_keys: the same for results
    """

    def __init__(
        self,
        engine: engines_base.Engine,
        hide_inputs_outputs_of: Iterable[str] = (),
        mask_inputs_keys: Iterable[str] = (),
        mask_outputs_keys: Iterable[str] = (),
    ) -> None:
        self._engine: typing.Any = engine
        self._hide_inputs_outputs_of = frozenset(hide_inputs_outputs_of)
        self._mask_inputs_keys = frozenset(mask_inputs_keys)
        self._mask_outputs_keys = frozenset(mask_outputs_keys)

    def format(
        self,
        fail: ft.Failure,
        atom_matcher: Callable[[tree.Node], object],
    ) -> tuple[ft.ExcInfo | None, str]:
        """Return what to log of a failure: ``(exc_info, details)``.

        :param atom_matcher: finds the atom that failed among the nodes of
            the engine's ``compilation.hierarchy``

        ``exc_info`` is None where the failure has no exception any more; its
        text is then part of the details. They show the atoms that were
        before one that failed to execute, with arguments and results.
        """
        parts = []
        exc_info = fail.exc_info
        if exc_info is None:
            parts.append(fail.pformat(traceback=True))
        compilation = self._engine.compilation
        if compilation is not None:
            found = compilation.hierarchy.find_first_match(atom_matcher)
            if found is not None and self._was_executing(found.item):
                parts.append(self._predecessors(compilation, found.item))
        return exc_info, os.linesep.join(parts)

    def _was_executing(self, item: typing.Any) -> bool:
        intention = self._engine.storage.get_atom_intention(item.name)
        return bool(intention == states.EXECUTE)

    def _predecessors(
        self, compilation: export.Compilation, item: typing.Any
    ) -> str:
        root = _predecessor_tree(compilation.execution_graph, item)
        count = root.child_count(only_direct=False)
        lines = [f'{count} predecessors (most recent first):']
        lines += [
            child.pformat(
                stringify_node=self._format_node,
                linesep=os.linesep,
                starting_prefix='  ',
            )
            for child in root
        ]
        # Where there is none the line still ends.
        return os.linesep.join(lines if count else [*lines, ''])

    def _format_node(self, node: tree.Node) -> str:
        item = node.item
        if not isinstance(item, atom_mod.Atom):
            return f"Flow '{item.name}'"
        storage = self._engine.storage
        name = str(item.name)
        told: dict[str, typing.Any] = {
            'intention': storage.get_atom_intention(name),
            'state': storage.get_atom_state(name),
        }
        if name not in self._hide_inputs_outputs_of:
            arguments = _known(self._arguments, name)
            if arguments is not _UNKNOWN:
                told['requires'] = _masked(arguments, self._mask_inputs_keys)
            result = _known(storage.get_execute_result, name)
            if result is not _UNKNOWN:
                told['provides'] = _masked(result, self._mask_outputs_keys)
        return f"Atom '{name}' {told}"

    def _arguments(self, name: str) -> dict[str, typing.Any]:
        storage = self._engine.storage
        arguments: dict[str, typing.Any] = storage.binding.arguments(
            storage.record.index[name]
        )
        return arguments


_UNKNOWN = object()


def _known(look_up: Callable[[str], typing.Any], name: str) -> typing.Any:
    try:
        return look_up(name)
    except exceptions.NotFound:
        return _UNKNOWN


def _masked(value: typing.Any, keys: frozenset[str]) -> typing.Any:
    """Copy a value with what stands under some keys masked."""
    if not keys:
        return value
    if isinstance(value, dict):
        return {
            key: MASK if key in keys else _masked(inner, keys)
            for key, inner in value.items()
        }
    if type(value) in (list, tuple):
        return type(value)(_masked(inner, keys) for inner in value)
    return value


def _predecessor_tree(graph: typing.Any, item: typing.Any) -> tree.Node:
    """Make a tree of what comes before an item, along every path to it.

    The ends of flows are left out: what comes before them is shown in their
    place.
    """
    root = tree.Node(item)
    stack = [(root, item)]
    count = 0
    while stack and count < MAX_NODES:
        node, below = stack.pop()
        todo = list(graph.predecessors(below))
        while todo:
            before = todo.pop(0)
            if isinstance(before, export.Terminator):
                todo[:0] = graph.predecessors(before)
                continue
            child = tree.Node(before, **graph.nodes[before])
            node.add(child)
            stack.append((child, before))
            count += 1
    return root
