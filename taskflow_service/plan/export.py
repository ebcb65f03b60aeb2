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

"""The compiled flow as a graph for people, in TaskFlow's terms.

Nothing of it exists until somebody looks; a run needs the plan alone.
"""

from __future__ import annotations

import functools
import json
import re
import typing

from oslo_utils import reflection

from taskflow_service import atom as atom_mod
from taskflow_service import exceptions
from taskflow_service import flow as flow_mod
from taskflow_service import states
from taskflow_service.plan import plan as plan_mod
from taskflow_service.types import graph as graph_mod
from taskflow_service.types import tree

Kind = plan_mod.Kind

#: What a node of the execution graph says of its kind.
TASK = 'task'
RETRY = 'retry'
FLOW = 'flow'
FLOW_END = 'flow_end'

_KINDS = {
    Kind.TASK: TASK,
    Kind.RETRY: RETRY,
    Kind.BEGIN: FLOW,
    Kind.END: FLOW_END,
}
_SHAPES = {
    TASK: 'box',
    RETRY: 'diamond',
    FLOW: 'ellipse',
    FLOW_END: 'ellipse',
}
_MERMAID_SHAPES = {
    TASK: '["{}"]',
    RETRY: '{{{{"{}"}}}}',
    FLOW: '(["{}"])',
    FLOW_END: '(["{}"])',
}

#: Colours of states, light enough to be read on.
COLOURS = {
    states.PENDING: '#eeeeee',
    states.RUNNING: '#fff3b0',
    states.SUCCESS: '#b7e4c7',
    states.FAILURE: '#f4a6a6',
    states.REVERTING: '#ffd6a5',
    states.REVERTED: '#cdb4db',
    states.REVERT_FAILURE: '#e56b6f',
    states.RETRYING: '#ffd6a5',
    states.IGNORE: '#dddddd',
}


class _States(typing.Protocol):
    """What is asked for the states of atoms: a storage."""

    def get_atom_state(self, atom_name: str) -> str: ...


class Terminator:
    """The end of a flow, where all that it consists of comes together."""

    def __init__(self, flow: flow_mod.Flow) -> None:
        self.flow = flow
        self.name = f'{flow.name}[$]'

    def __str__(self) -> str:
        return f'"{str(self.flow)[1:-1]}[$]"'


class Compilation:
    """Views of a plan, made when somebody looks."""

    def __init__(self, plan: plan_mod.Plan) -> None:
        self.plan = plan

    @functools.cached_property
    def _objects(self) -> list[typing.Any]:
        """What stands for each node: an atom, a flow or a terminator."""
        return [
            Terminator(typing.cast(flow_mod.Flow, item))
            if kind is Kind.END
            else item
            for item, kind in zip(
                self.plan.items, self.plan.kinds, strict=True
            )
        ]

    @functools.cached_property
    def execution_graph(self) -> graph_mod.DiGraph:
        """Atoms, flows and terminators, and what comes before what.

        A node's data says its ``kind``, and the ``retry`` that controls it;
        an edge's what ``Flow.iter_links`` says of it. Frozen.
        """
        plan, objects = self.plan, self._objects
        made = graph_mod.DiGraph(name=plan.name)
        ordered = list(plan.retries_last(range(len(plan))))
        for node in ordered:
            made.add_node(objects[node], attr_dict=self._data(node))
        links = self._links()
        for node in ordered:
            for after in plan.successors[node]:
                meta = links.get((node, after))
                if meta is None:
                    meta = {flow_mod.LINK_INVARIANT: True}
                    if plan.kinds[node] is Kind.RETRY:
                        meta[flow_mod.LINK_RETRY] = True
                made.add_edge(objects[node], objects[after], attr_dict=meta)
        return made.freeze()

    def _data(self, node: int) -> dict[str, typing.Any]:
        plan = self.plan
        data: dict[str, typing.Any] = {'kind': _KINDS[plan.kinds[node]]}
        if not plan.is_atom(node):
            data['noop'] = True
        if plan.retry_of[node] >= 0:
            data['retry'] = plan.items[plan.retry_of[node]]
        return data

    def _links(self) -> dict[tuple[int, int], flow_mod.Meta]:
        """What the flows say of the links between their children."""
        plan = self.plan
        begins = {
            id(plan.items[node]): node
            for node, kind in enumerate(plan.kinds)
            if kind is Kind.BEGIN
        }
        found = {}
        for begin in begins.values():
            flow = typing.cast(flow_mod.Flow, plan.items[begin])
            for before, after, meta in flow.iter_links():
                source = self._node_of(before, begins, plan.end_of)
                target = self._node_of(after, begins)
                found[source, target] = meta
        return found

    def _node_of(
        self,
        item: flow_mod.Item,
        begins: dict[int, int],
        end_of: dict[int, int] | None = None,
    ) -> int:
        if isinstance(item, atom_mod.Atom):
            return self.plan.node_of[str(item.name)]
        begin = begins[id(item)]
        return begin if end_of is None else end_of[begin]

    @functools.cached_property
    def hierarchy(self) -> tree.Node:
        """Flows and atoms as a tree, each with its ``kind``. Frozen."""
        plan = self.plan
        nodes: dict[int, tree.Node] = {}
        for node, kind in enumerate(plan.kinds):
            if kind is Kind.END:
                continue
            data = self._data(node)
            data.pop('retry', None)
            nodes[node] = tree.Node(plan.items[node], **data)
            if plan.parent[node] >= 0:
                nodes[plan.parent[node]].add(nodes[node])
        root = nodes[plan.root]
        root.freeze()
        return root

    def export(self, format: str, storage: _States | None = None) -> str:
        """Write the graph down as ``'dot'``, ``'mermaid'`` or ``'json'``.

        :param storage: says the states of the atoms, which become colours
            (with ``'json'``: a key ``state``); left out where none is given

        Raises ``InvalidFormat`` for another format.
        """
        try:
            write = _FORMATS[format]
        except KeyError:
            raise exceptions.InvalidFormat(
                f'Cannot export flow {self.plan.name!r} as {format!r}: '
                f'expected one of {sorted(_FORMATS)}'
            ) from None
        return write(self.plan.name, self._nodes(storage), self._edges())

    def _nodes(self, storage: _States | None) -> list[dict[str, typing.Any]]:
        plan = self.plan
        found = []
        for node, kind in enumerate(plan.kinds):
            told: dict[str, typing.Any] = {
                'id': node,
                'kind': _KINDS[kind],
                'name': self._objects[node].name,
            }
            if plan.parent[node] >= 0:
                told['flow'] = plan.name_of(plan.parent[node])
            if plan.retry_of[node] >= 0:
                told['retry'] = plan.name_of(plan.retry_of[node])
            if storage is not None and plan.is_atom(node):
                told['state'] = str(storage.get_atom_state(told['name']))
            found.append(told)
        return found

    def _edges(self) -> list[dict[str, typing.Any]]:
        links = self._links()
        found = []
        for node, successors in enumerate(self.plan.successors):
            for after in successors:
                meta = links.get((node, after), {})
                told: dict[str, typing.Any] = {'from': node, 'to': after}
                if meta.get(flow_mod.LINK_REASONS):
                    told['symbols'] = sorted(meta[flow_mod.LINK_REASONS])
                if meta.get(flow_mod.LINK_DECIDER):
                    told['decider'] = reflection.get_callable_name(
                        meta[flow_mod.LINK_DECIDER]
                    )
                    depth = meta.get(flow_mod.LINK_DECIDER_DEPTH)
                    told['decider_depth'] = str(depth) if depth else 'ALL'
                found.append(told)
        return found


# The formats. Nodes and edges are what the JSON form shows.

_Told = list[dict[str, typing.Any]]


def _as_json(name: str, nodes: _Told, edges: _Told) -> str:
    return json.dumps({'name': name, 'nodes': nodes, 'edges': edges}, indent=2)


def _label(edge: dict[str, typing.Any]) -> str:
    words = list(edge.get('symbols', ()))
    if 'decider' in edge:
        words.append(f'{edge["decider"]}?')
    return ', '.join(words)


def _as_dot(name: str, nodes: _Told, edges: _Told) -> str:
    lines = [
        f'digraph {_quoted(name)} {{',
        '  node [style=filled, fillcolor=white];',
    ]
    for node in nodes:
        attributes = [
            f'label={_quoted(node["name"])}',
            f'shape={_SHAPES[node["kind"]]}',
        ]
        if 'state' in node:
            attributes += [
                f'fillcolor="{COLOURS[node["state"]]}"',
                f'tooltip={_quoted(node["state"])}',
            ]
        lines.append(f'  n{node["id"]} [{", ".join(attributes)}];')
    for edge in edges:
        label = _label(edge)
        more = f' [label={_quoted(label)}]' if label else ''
        lines.append(f'  n{edge["from"]} -> n{edge["to"]}{more};')
    return '\n'.join([*lines, '}', ''])


def _quoted(text: str) -> str:
    escaped = text.replace('\\', '\\\\').replace('"', '\\"')
    return f'"{escaped}"'


def _as_mermaid(name: str, nodes: _Told, edges: _Told) -> str:
    lines = ['flowchart TD']
    used = set()
    for node in nodes:
        shape = _MERMAID_SHAPES[node['kind']].format(_entities(node['name']))
        style = ''
        if 'state' in node:
            used.add(node['state'])
            style = f':::{node["state"]}'
        lines.append(f'  n{node["id"]}{shape}{style}')
    for edge in edges:
        label = _label(edge)
        more = f'|"{_entities(label)}"|' if label else ''
        lines.append(f'  n{edge["from"]} -->{more} n{edge["to"]}')
    lines += [
        f'  classDef {state} fill:{COLOURS[state]},stroke:#555555'
        for state in sorted(used)
    ]
    return '\n'.join([*lines, ''])


def _entities(text: str) -> str:
    """Write what means something to Mermaid by its number."""
    return re.sub(
        r'[^\w .,:=()$?/-]', lambda match: f'#{ord(match[0])};', text
    )


_FORMATS = {'dot': _as_dot, 'mermaid': _as_mermaid, 'json': _as_json}
