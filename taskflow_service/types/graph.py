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

"""Graphs as programs that look into a compiled flow expect them.

The engine does not run on these (``plan`` has arrays); they are what its
graphs are shown as.  This module alone of the lower floors imports networkx,
which is slow to import.
"""

from __future__ import annotations

import collections
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
import os
import re
from typing import Any
from typing import Self
from typing import TypeVar

import networkx as nx

_G = TypeVar('_G', bound='Graph | DiGraph')

# What the dot language takes without quotes.
_DOT_ID = re.compile(r'[A-Za-z_]\w*|-?(\.\d+|\d+(\.\d*)?)', re.ASCII)
_DOT_WORDS = frozenset(
    ('node', 'edge', 'graph', 'digraph', 'subgraph', 'strict')
)


class _Shown:
    """What both kinds of graph can do besides networkx's."""

    #: How an edge is written between its ends.
    _ARROW = '->'

    frozen = False

    def freeze(self) -> Self:
        """Let nobody change it any more; return it."""
        nx.freeze(self)
        return self

    def export_to_dot(self) -> str:
        """Return it in the dot language."""
        return _to_dot(self)

    def pformat(self) -> str:
        """Return it as lines of text."""
        return os.linesep.join(self._lines())

    def _lines(self) -> list[str]:
        return _lines(self, self._ARROW)

    def add_edge(
        self,
        u: Any,
        v: Any,
        attr_dict: Mapping[str, Any] | None = None,
        **attr: Any,
    ) -> None:
        """Add an edge, with attributes from a dict, keywords or both."""
        parent: Any = super()
        parent.add_edge(u, v, **{**(attr_dict or {}), **attr})

    def add_node(
        self,
        n: Any,
        attr_dict: Mapping[str, Any] | None = None,
        **attr: Any,
    ) -> None:
        """Add a node, with attributes from a dict, keywords or both."""
        parent: Any = super()
        parent.add_node(n, **{**(attr_dict or {}), **attr})

    def fresh_copy(self) -> Self:
        """Return an empty graph of this kind."""
        return type(self)()


class Graph(_Shown, nx.Graph):  # type: ignore[misc]
    """An undirected graph that can be frozen and shown."""

    _ARROW = '<->'

    def __init__(
        self, incoming_graph_data: Any = None, name: str = ''
    ) -> None:
        super().__init__(incoming_graph_data, name=name)


class DiGraph(_Shown, nx.DiGraph):  # type: ignore[misc]
    """A directed graph that can be frozen and shown, with its cycles."""

    def __init__(
        self, incoming_graph_data: Any = None, name: str = ''
    ) -> None:
        super().__init__(incoming_graph_data, name=name)

    def _lines(self) -> list[str]:
        cycles = list(nx.cycles.recursive_simple_cycles(self))
        lines = [*super()._lines(), f'Cycles: {len(cycles)}']
        for cycle in cycles:
            ring = ' --> '.join(map(str, (*cycle, cycle[0])))
            lines.append(f'  {ring}')
        return lines

    def get_edge_data(self, u: Any, v: Any, default: Any = None) -> Any:
        """Return a copy of an edge's attributes; default if it is not."""
        try:
            return dict(self.adj[u][v])
        except KeyError:
            return default

    def topological_sort(self) -> Iterator[Any]:
        """Iterate over the nodes, each after those that lead to it."""
        return iter(nx.topological_sort(self))

    def is_directed_acyclic(self) -> bool:
        """Tell whether no node leads back to itself."""
        return bool(nx.is_directed_acyclic_graph(self))

    def no_successors_iter(self) -> Iterator[Any]:
        """Iterate over the nodes that lead nowhere."""
        return (n for n, degree in self.out_degree if not degree)

    def no_predecessors_iter(self) -> Iterator[Any]:
        """Iterate over the nodes that nothing leads to."""
        return (n for n, degree in self.in_degree if not degree)

    def bfs_predecessors_iter(self, n: Any) -> Iterator[Any]:
        """Iterate over all nodes that lead to one, the nearest first."""
        seen = {n}
        queue = collections.deque((n,))
        while queue:
            for node in self.predecessors(queue.popleft()):
                if node not in seen:
                    seen.add(node)
                    queue.append(node)
                    yield node


class OrderedGraph(Graph):
    """An undirected graph in order of insertion, as all now are."""


class OrderedDiGraph(DiGraph):
    """A directed graph in order of insertion, as all now are."""


def merge_graphs(
    graph: _G,
    *graphs: Graph | DiGraph,
    allow_overlaps: bool = False,
    overlap_detector: Callable[[Any, Any], int] | None = None,
) -> _G:
    """Return a graph with the nodes and edges of all, named as the first.

    ``overlap_detector`` counts what two graphs share, nodes by default.
    Raises ValueError if they share some and that is not allowed.
    """
    if overlap_detector is not None and not callable(overlap_detector):
        raise ValueError(
            f'overlap_detector must be callable, not {overlap_detector!r}'
        )
    merged: _G = graph.copy()
    count = overlap_detector or _shared_nodes
    for other in graphs:
        shared = 0 if allow_overlaps else count(merged, other)
        if shared:
            raise ValueError(
                f'{other} cannot be merged into {merged}: they share'
                f' {shared} nodes'
            )
        merged.add_nodes_from(other.nodes(data=True))
        merged.add_edges_from(other.edges(data=True))
    return merged


def _shared_nodes(graph: Iterable[Any], other: Iterable[Any]) -> int:
    return len(set(graph) & set(other))


def _lines(graph: Any, arrow: str) -> list[str]:
    lines = [
        f'Name: {graph.name}',
        f'Type: {type(graph).__name__}',
        f'Frozen: {nx.is_frozen(graph)}',
        f'Density: {nx.density(graph):.3f}',
        f'Nodes: {graph.number_of_nodes()}',
    ]
    for node, attributes in graph.nodes(data=True):
        lines.append(f'  - {node}{_shown(attributes)}')
    lines.append(f'Edges: {graph.number_of_edges()}')
    for u, v, attributes in graph.edges(data=True):
        lines.append(f'  {u} {arrow} {v}{_shown(attributes)}')
    return lines


def _shown(attributes: Mapping[str, Any]) -> str:
    return f' ({dict(attributes)})' if attributes else ''


def _to_dot(graph: Any) -> str:
    kind, arrow = ('digraph', '->') if graph.is_directed() else ('graph', '--')
    name = f'{_quoted(graph.name)} ' if graph.name else ''
    lines = [f'strict {kind} {name}{{']
    for node, attributes in graph.nodes(data=True):
        lines.append(f'{_dot_id(node)}{_dot_attributes(attributes)};')
    for u, v, attributes in graph.edges(data=True):
        lines.append(
            f'{_dot_id(u)} {arrow} {_dot_id(v)}{_dot_attributes(attributes)};'
        )
    return '\n'.join((*lines, '}\n'))


def _dot_attributes(attributes: Mapping[str, Any]) -> str:
    if not attributes:
        return ''
    texts = (f'{_dot_id(k)}={_dot_id(v)}' for k, v in attributes.items())
    return f' [{", ".join(texts)}]'


def _dot_id(value: Any) -> str:
    text = str(value)
    if _DOT_ID.fullmatch(text) and text.lower() not in _DOT_WORDS:
        return text
    if len(text) > 1 and text[0] == text[-1] == '"':
        # The text of atoms and flows comes in quotes already.
        text = text[1:-1]
    return _quoted(text)


def _quoted(text: str) -> str:
    escaped = text.replace('\\', '\\\\').replace('"', '\\"')
    return f'"{escaped}"'.replace('\n', '\\n')
