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

"""Compile a flow into a plan in one pass, O(V+E).

Flows are compiled by generators on an explicit stack, because nesting may be
deeper than Python's own. While the definition is walked in its order,
``heads`` maps every symbol to the chain of providers that an atom at this
place can see, nearest first; so each argument's candidates are one look-up.
What runs side by side does not see each other: an unordered flow's children
start from the heads at its entry, a graph flow's from those of their own
ancestors, and what they provide becomes visible after the flow.
"""

from __future__ import annotations

from collections.abc import Generator
from collections.abc import Iterable
from collections.abc import Mapping
import functools
import typing

from taskflow_service import atom as atom_mod
from taskflow_service import deciders
from taskflow_service import exceptions
from taskflow_service import flow as flow_mod
from taskflow_service import retry as retry_mod
from taskflow_service import task as task_mod
from taskflow_service.patterns import graph_flow
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow
from taskflow_service.plan import plan as plan_mod

Kind = plan_mod.Kind

#: First and last node of what was compiled.
_Span = tuple[int, int]
_Walk = Generator[flow_mod.Flow, _Span, _Span]
_Item = atom_mod.Atom | flow_mod.Flow


def compile(root: _Item) -> plan_mod.Plan:
    """Compile a flow, or a single task, into a :class:`Plan`.

    Raises ``Duplicate`` naming every atom name that is used twice,
    ``ValueError`` for an object that occurs twice, ``TypeError`` for
    something that is neither a flow nor an atom, and ``CompilationFailure``
    where an argument depends on a task whose failure is ignored.
    """
    if not isinstance(root, (atom_mod.Atom, flow_mod.Flow)):
        raise TypeError(
            f'Cannot compile {root!r} of type {type(root).__name__}: a flow '
            f'or a task is expected'
        )
    return _Compiler(root).run()


class _Compiler:
    def __init__(self, root: _Item) -> None:
        self.root = root
        self.plan = plan_mod.Plan(root.name)
        self.parent: list[int] = []
        self.retry_of: list[int] = []
        self.arguments: list[plan_mod.Candidates] = []
        self.revert_arguments: list[plan_mod.Candidates] = []
        self.sources: list[int] = []
        self.targets: list[int] = []
        self.heads: dict[str, plan_mod.Cell | None] = {}
        #: What to put back when a sibling's scope ends; kept only inside
        #: of flows whose children do not see each other.
        self.log: list[tuple[str, plan_mod.Cell | None]] = []
        self.logging = 0
        #: Everything provided so far, in order of definition.
        self.provided: list[tuple[str, int, typing.Any]] = []
        self.flows: set[int] = set()
        self.duplicates: set[str] = set()
        self.fallible = False
        #: Begin and retry around the flow that is asked for next.
        self._scope = (-1, -1)

    def run(self) -> plan_mod.Plan:
        if isinstance(self.root, flow_mod.Flow):
            self._walk(self.root)
        else:
            self._task(self.root, -1, -1)
        if self.duplicates:
            raise exceptions.Duplicate(
                f'Atoms with duplicate names found: '
                f'{sorted(self.duplicates)} (flow {self.root.name!r})'
            )
        plan = self.plan
        size = len(plan.items)
        plan.parent = tuple(self.parent)
        plan.retry_of = tuple(self.retry_of)
        plan.arguments = tuple(self.arguments)
        plan.revert_arguments = tuple(self.revert_arguments)
        plan.successors = _adjacency(size, self.sources, self.targets)
        plan.predecessors = _adjacency(size, self.targets, self.sources)
        if self.fallible:
            _check_ignorable(plan)
        return plan

    def _walk(self, root: flow_mod.Flow) -> None:
        stack = [self._flow(root, -1, -1)]
        span: typing.Any = None
        while stack:
            try:
                child = stack[-1].send(span)
            except StopIteration as done:
                stack.pop()
                span = done.value
            else:
                stack.append(self._flow(child, *self._scope))
                span = None

    # Nodes and edges

    def _node(self, item: _Item, kind: Kind, parent: int, retry: int) -> int:
        plan = self.plan
        node = len(plan.items)
        plan.items.append(item)
        plan.kinds.append(kind)
        self.parent.append(parent)
        self.retry_of.append(retry)
        return node

    def _task(self, task: _Item, parent: int, retry: int) -> int:
        if not isinstance(task, task_mod.Task):
            raise TypeError(
                f'Cannot compile {task!r} of type {type(task).__name__} in '
                f'flow {self.root.name!r}: a flow or a task is expected'
                + (
                    ' (a retry controller is given to a flow as retry=)'
                    if isinstance(task, retry_mod.Retry)
                    else ''
                )
            )
        if task.ignore_failure:
            self.fallible = True
        return self._atom(task, Kind.TASK, parent, retry)

    def _atom(
        self, atom: atom_mod.Atom, kind: Kind, parent: int, retry: int
    ) -> int:
        node = self._node(atom, kind, parent, retry)
        plan = self.plan
        name = atom.name
        if plan.node_of.setdefault(name, node) != node:
            if plan.items[plan.node_of[name]] is atom:
                self._seen(atom)
            self.duplicates.add(name)
        if atom.priority:
            plan.priorities[node] = atom.priority
        arguments = self._candidates(atom.rebind)
        self.arguments.append(arguments)
        self.revert_arguments.append(
            arguments
            if atom.revert_rebind is atom.rebind
            else self._candidates(atom.revert_rebind)
        )
        if atom.save_as:
            for symbol, key in atom.save_as.items():
                self._provide(symbol, node, key)
        return node

    def _pseudo(self, flow: _Item, kind: Kind, parent: int, retry: int) -> int:
        self.arguments.append(())
        self.revert_arguments.append(())
        return self._node(flow, kind, parent, retry)

    def _edge(self, source: int, target: int) -> None:
        self.sources.append(source)
        self.targets.append(target)

    def _seen(self, item: _Item) -> None:
        raise ValueError(
            f'Already compiled item {str(item)!r} ({type(item)}), duplicate '
            f'and/or recursive compiling is not supported (flow '
            f'{self.root.name!r})'
        )

    # Scopes

    def _candidates(self, mapping: Mapping[str, str]) -> plan_mod.Candidates:
        if not mapping:
            return ()
        heads = self.heads
        return tuple([heads.get(symbol) for symbol in mapping.values()])

    def _provide(self, symbol: str, node: int, key: typing.Any) -> None:
        head = self.heads.get(symbol)
        if self.logging:
            self.log.append((symbol, head))
        self.heads[symbol] = (node, key, head)
        self.provided.append((symbol, node, key))

    def _restore(self, mark: int) -> None:
        while len(self.log) > mark:
            symbol, head = self.log.pop()
            self.heads[symbol] = head

    def _publish(self, since: int) -> None:
        provided = self.provided[since:]
        del self.provided[since:]
        for symbol, node, key in provided:
            self._provide(symbol, node, key)

    # Flows

    def _flow(self, flow: flow_mod.Flow, parent: int, retry: int) -> _Walk:
        if id(flow) in self.flows:
            self._seen(flow)
        self.flows.add(id(flow))
        begin = entry = self._pseudo(flow, Kind.BEGIN, parent, retry)
        if flow.retry is not None:
            entry = self._atom(flow.retry, Kind.RETRY, begin, retry)
            retry = entry
            self._edge(begin, entry)
        if isinstance(flow, linear_flow.Flow):
            leaves = yield from self._linear(flow, begin, entry, retry)
        elif isinstance(flow, unordered_flow.Flow):
            leaves = yield from self._unordered(flow, begin, entry, retry)
        else:
            leaves = yield from self._graph(flow, begin, entry, retry)
        end = self._pseudo(flow, Kind.END, parent, self.retry_of[begin])
        for leaf in leaves:
            self._edge(leaf, end)
        self.plan.end_of[begin] = end
        if entry != begin:
            self.plan.end_of[entry] = end
        return begin, end

    def _child(
        self, item: _Item, begin: int, retry: int
    ) -> Generator[flow_mod.Flow, _Span, _Span]:
        self._scope = begin, retry
        span = yield typing.cast(flow_mod.Flow, item)
        return span

    def _linear(
        self, flow: Iterable[_Item], begin: int, entry: int, retry: int
    ) -> Generator[flow_mod.Flow, _Span, list[int]]:
        last = entry
        for item in flow:
            if isinstance(item, flow_mod.Flow):
                first, end = yield from self._child(item, begin, retry)
            else:
                first = end = self._task(item, begin, retry)
            self._edge(last, first)
            last = end
        return [last]

    def _unordered(
        self, flow: Iterable[_Item], begin: int, entry: int, retry: int
    ) -> Generator[flow_mod.Flow, _Span, list[int]]:
        leaves = []
        since = len(self.provided)
        self.logging += 1
        for item in flow:
            mark = len(self.log)
            if isinstance(item, flow_mod.Flow):
                first, end = yield from self._child(item, begin, retry)
            else:
                first = end = self._task(item, begin, retry)
            self._restore(mark)
            self._edge(entry, first)
            leaves.append(end)
        self.logging -= 1
        self._publish(since)
        return leaves or [entry]

    def _graph(
        self, flow: flow_mod.Flow, begin: int, entry: int, retry: int
    ) -> Generator[flow_mod.Flow, _Span, list[int]]:
        links = _Links(flow)
        spans: list[_Span] = []
        since = len(self.provided)
        self.logging += 1
        for index, item in enumerate(links.items):
            mark = len(self.log)
            provided = len(self.provided)
            for symbol in _wanted(item):
                self._see(symbol, links, index)
            if isinstance(item, flow_mod.Flow):
                span = yield from self._child(item, begin, retry)
            else:
                node = self._task(item, begin, retry)
                span = (node, node)
            self._restore(mark)
            for symbol, node, key in self.provided[provided:]:
                links.providers.setdefault(symbol, []).append(
                    (index, node, key)
                )
            if links.is_first(index):
                self._edge(entry, span[0])
            spans.append(span)
        self.logging -= 1
        self._publish(since)
        self._link(links, spans)
        leaves = [
            span[1] for index, span in enumerate(spans) if links.is_last(index)
        ]
        return leaves or [entry]

    def _see(self, symbol: str, links: _Links, index: int) -> None:
        """Put the ancestors of a child that provide a symbol in front."""
        chain = head = self.heads.get(symbol)
        for source, node, key in links.providers.get(symbol, ()):
            if links.precedes(source, index):
                chain = (node, key, chain)
        if chain is not head:
            self.log.append((symbol, head))
            self.heads[symbol] = chain

    def _link(self, links: _Links, spans: list[_Span]) -> None:
        self.sources += [spans[source][1] for source in links.sources]
        self.targets += [spans[target][0] for target in links.targets]
        for source, target, meta in links.guarded:
            before, after = spans[source][1], spans[target][0]
            guard = plan_mod.Guard(
                before,
                meta[flow_mod.LINK_DECIDER],
                meta.get(flow_mod.LINK_DECIDER_DEPTH) or _DEFAULT_DEPTH,
            )
            guards = self.plan.guards.get(after, ())
            self.plan.guards[after] = (*guards, guard)


_DEFAULT_DEPTH = deciders.Depth.ALL


class _Links:
    """The children of a graph flow by their index in topological order."""

    def __init__(self, flow: flow_mod.Flow) -> None:
        self.items, self.sources, self.targets, self.guarded = (
            flow.arranged()
            if isinstance(flow, graph_flow.Flow)
            else _arranged(flow)
        )
        self._before = frozenset(self.sources)
        self._after = frozenset(self.targets)
        #: symbol -> (index of the child, node, key), in order.
        self.providers: dict[str, list[tuple[int, int, typing.Any]]] = {}
        self._ancestors: list[int] = []

    def is_first(self, index: int) -> bool:
        return index not in self._after

    def is_last(self, index: int) -> bool:
        return index not in self._before

    @functools.cached_property
    def predecessors(self) -> list[list[int]]:
        found: list[list[int]] = [[] for _ in self.items]
        for source, target in zip(self.sources, self.targets, strict=True):
            found[target].append(source)
        return found

    def precedes(self, source: int, target: int) -> bool:
        """Whether a child is an ancestor of another.

        Nearly always it is a direct one. Else sets of ancestors are kept as
        the bits of one int each, which is O(V * V / 64) at the worst.
        """
        if source in self.predecessors[target]:
            return True
        ancestors = self._ancestors
        for index in range(len(ancestors), target + 1):
            bits = 0
            for before in self.predecessors[index]:
                bits |= ancestors[before] | 1 << before
            ancestors.append(bits)
        return bool(ancestors[target] >> source & 1)


def _arranged(flow: flow_mod.Flow) -> graph_flow.Arranged:
    """Arrange a flow of which no more is known than any flow shows."""
    items: list[_Item] = [item for item, _ in flow.iter_nodes()]
    place = {id(item): index for index, item in enumerate(items)}
    links = [
        (place[id(u)], place[id(v)], meta) for u, v, meta in flow.iter_links()
    ]
    return graph_flow.Arranged(
        items,
        [source for source, _target, _meta in links],
        [target for _source, target, _meta in links],
        [link for link in links if flow_mod.LINK_DECIDER in link[2]],
    )


def _wanted(item: _Item) -> set[str]:
    """Name every symbol that an atom, or an atom of a flow, asks for."""
    symbols: set[str] = set()
    stack = [item]
    while stack:
        top = stack.pop()
        if isinstance(top, flow_mod.Flow):
            stack.extend(child for child, _ in top.iter_nodes())
            if top.retry is not None:
                stack.append(top.retry)
        else:
            symbols.update(top.rebind.values())
            symbols.update(top.revert_rebind.values())
    return symbols


def _adjacency(
    size: int, sources: list[int], targets: list[int]
) -> tuple[tuple[int, ...], ...]:
    """Group targets by source; most nodes have one, so that is cheap."""
    grouped: list[typing.Any] = [None] * size
    for source, target in zip(sources, targets, strict=True):
        found = grouped[source]
        if found is None:
            grouped[source] = target
        elif type(found) is int:
            grouped[source] = [found, target]
        else:
            found.append(target)
    return tuple(
        [
            ()
            if found is None
            else (found,)
            if type(found) is int
            else tuple(found)
            for found in grouped
        ]
    )


def _check_ignorable(plan: plan_mod.Plan) -> None:
    """Refuse arguments that an ignored failure would leave without value."""
    for node in plan.atoms():
        atom = typing.cast(atom_mod.Atom, plan.items[node])
        for (arg, symbol), cell in zip(
            atom.rebind.items(), plan.arguments[node], strict=True
        ):
            if arg in atom.optional:
                continue
            while cell is not None:
                provider = plan.items[cell[0]]
                if not getattr(provider, 'ignore_failure', False):
                    break
                cell = cell[2]
                if cell is None:
                    raise exceptions.CompilationFailure(
                        f'Atom {atom.name!r} of flow {plan.name!r} requires '
                        f'{symbol!r} of task {provider.name!r}, whose '
                        f'failure is ignored: give the argument {arg!r} a '
                        f'default'
                    )
