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

"""After what it needs.

Symbols link the children: who requires one comes after who provides it.
Adding a child costs what it requires and provides, not what the flow holds:
for every symbol it is known who provides it, and who still waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
import typing

from taskflow_service import deciders
from taskflow_service import exceptions
from taskflow_service import flow
from taskflow_service import retry as retry_mod
from taskflow_service.patterns import dag
from taskflow_service.patterns import pattern
from taskflow_service.patterns import symbol_table

#: What is kept of a link: the one symbol for which it is there, nothing for
#: one that was made by hand, and its meta where there is more to say. Nearly
#: all links are of the first two kinds, which cost no object.
_Label = str | None | flow.Meta

Decider = Callable[..., bool]


class Arranged(typing.NamedTuple):
    """The children of a flow in an order that links allow, and the links.

    The n-th link leads from child ``sources[n]`` to child ``targets[n]``, by
    their places in ``items``; ``guarded`` are those that have a decider.
    """

    items: list[flow.Item]
    sources: list[int]
    targets: list[int]
    guarded: list[tuple[int, int, flow.Meta]]


class Flow(pattern.Pattern):
    """Executes its children in any order that their links allow.

    Children that no link keeps apart may run at the same time. A child sees
    what those provide from which links lead to it.
    """

    def __init__(
        self, name: str, retry: retry_mod.Retry | None = None
    ) -> None:
        super().__init__(name, retry)
        self._nodes: list[flow.Item] = []
        self._index: dict[flow.Item, int] = {}
        self._graph: dag.Dag[_Label] = dag.Dag()
        # The controller runs before all children: nothing else is needed.
        self._from_retry = frozenset(retry.provides) if retry else frozenset()
        self._table = symbol_table.SymbolTable()
        # The symbols of nested flows as they stand in the table, and the
        # flows for which it is out of date.
        self._entered: dict[int, pattern.Symbols] = {}
        self._outdated: dict[int, pattern.Pattern] = {}

    def add(
        self,
        *nodes: flow.Item,
        resolve_requires: bool = True,
        resolve_existing: bool = True,
    ) -> typing.Self:
        """Add children, and link them by their symbols.

        If this raises, none of them was added.

        :param resolve_requires: whether to link a new child to those that
            provide what it requires
        :param resolve_existing: whether to link the children that still wait
            for a symbol to a new one that provides it
        :raises AmbiguousDependency: several children provide a symbol that a
            new one requires
        :raises DependencyFailure: the links would form a cycle
        """
        self._refresh()
        size = len(self._nodes)
        try:
            for node in nodes:
                if node is None:
                    raise ValueError(f'Flow {self.name!r} cannot hold None')
                if node not in self._index:
                    self._add(node, size, resolve_requires, resolve_existing)
        except Exception:
            self._drop(size)
            raise
        if not resolve_requires:
            # Only now: those that come in one call do not serve each other.
            for index in range(size, len(self._nodes)):
                self._wait(self._nodes[index].requires, index)
        self._changed()
        return self

    def _add(
        self,
        node: flow.Item,
        size: int,
        resolve_requires: bool,
        resolve_existing: bool,
    ) -> None:
        requires, provides = node.requires, node.provides
        index = self._graph.add_node()
        self._nodes.append(node)
        self._index[node] = index
        if isinstance(node, flow.Flow):
            self._adopt(node)
        if isinstance(node, pattern.Pattern):
            self._entered[index] = pattern.symbols_of(node)
        if resolve_requires:
            self._wait(self._not_served(requires, index), index)
        if resolve_existing:
            for symbol in provides:
                self._serve(symbol, index, size)
        self._table.enter(provides, index)

    def _wait(self, symbols: Iterable[str], index: int) -> None:
        self._table.wait(
            [symbol for symbol in symbols if symbol not in self._from_retry],
            index,
        )

    def _not_served(self, symbols: Iterable[str], index: int) -> list[str]:
        """Link a node to who provides what it requires; return the rest."""
        rest = []
        for symbol in symbols:
            providers = self._table.providers(symbol)
            if symbol in self._from_retry or not providers:
                rest.append(symbol)
            elif len(providers) > 1:
                names = [self._nodes[provider].name for provider in providers]
                raise exceptions.AmbiguousDependency(
                    f"Cannot add '{self._nodes[index].name}' to flow "
                    f"'{self.name}': it requires the symbol '{symbol}', of "
                    f'which there are multiple providers {names}'
                )
            else:
                self._link_for(symbol, providers[0], index)
        return rest

    def _serve(self, symbol: str, provider: int, size: int) -> None:
        """Link those who wait for a symbol to a new provider of it.

        :param size: how many children there were before this call; by what
            links between those bring, nobody waits any more
        """
        waiting = self._table.waiting.get(symbol)
        if not waiting:
            return
        others = {p for p in self._table.providers(symbol) if p < size}
        for requirer in list(waiting):
            if requirer == provider or (
                others and self._graph.leads(others, requirer, below=size)
            ):
                continue
            self._link_for(symbol, provider, requirer)
            self._table.served(symbol, requirer)

    def _link_for(self, symbol: str, source: int, target: int) -> None:
        known = self._graph.successors.get(source, {})
        label: _Label = symbol
        if target in known or not isinstance(symbol, str):
            label = _meta(known[target]) if target in known else {}
            label.setdefault(flow.LINK_REASONS, set()).add(symbol)
        self._link(source, target, label)

    def _link(self, source: int, target: int, label: _Label) -> None:
        try:
            self._graph.add_edge(source, target, label)
        except dag.Cycle:
            before, after = self._nodes[source], self._nodes[target]
            why = f"for '{label}' " if isinstance(label, str) else ''
            raise exceptions.DependencyFailure(
                f"No path leads through flow '{self.name}' any more if "
                f"'{after.name}' comes after '{before.name}' {why}because "
                f"'{before.name}' already comes after '{after.name}'"
            ) from None

    def link(
        self,
        u: flow.Item,
        v: flow.Item,
        decider: Decider | None = None,
        decider_depth: deciders.Depth | str | None = None,
    ) -> typing.Self:
        """Have one child come after another one, and perhaps not at all.

        :param u: the one before; both must have been added
        :param v: the one after
        :param decider: called with ``history={name: result}`` of what ``v``
            comes directly after, before ``v`` is executed; if it returns
            false, ``v`` is not
        :param decider_depth: how far that reaches, by default to all that
            comes after ``v``
        :raises ValueError: one of them is not in the flow, or the decider is
            not callable
        :raises DependencyFailure: ``u`` already comes after ``v``
        """
        source, target = self._index.get(u), self._index.get(v)
        if source is None:
            raise ValueError(f"Node '{u}' not found to link from")
        if target is None:
            raise ValueError(f"Node '{v}' not found to link to")
        if decider is None:
            if decider_depth is not None:
                raise ValueError('A decider depth requires a decider')
        elif not callable(decider):
            raise ValueError(f'Decider {decider!r} is not callable')
        known = self._graph.successors.get(source)
        label: _Label = None
        if decider is not None or (known is not None and target in known):
            label = _meta(known[target]) if known and target in known else {}
            label[flow.LINK_MANUAL] = True
            if decider is not None:
                label[flow.LINK_DECIDER] = decider
            if decider_depth is not None:
                depth = deciders.Depth.translate(decider_depth)
                label[flow.LINK_DECIDER_DEPTH] = depth
        self._link(source, target, label)
        if self._symbols is not None:
            self._changed()
        return self

    # What the flow is asked

    def _chosen(self) -> Collection[int] | None:
        """Return the nodes that are executed, None for all."""
        return None

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[flow.Item]:
        for index in self._graph.in_order(self._chosen()):
            yield self._nodes[index]

    def iter_nodes(self) -> Iterator[tuple[flow.Item, flow.Meta]]:
        """Iterate over ``(child, meta)`` in an order that links allow."""
        for item in self:
            yield item, {}

    def iter_links(self) -> Iterator[tuple[flow.Item, flow.Item, flow.Meta]]:
        """Iterate over ``(before, after, meta)``."""
        chosen = self._chosen()
        for source, before in enumerate(self._nodes):
            if chosen is not None and source not in chosen:
                continue
            after = self._graph.successors.get(source, {})
            for target, label in after.items():
                if chosen is None or target in chosen:
                    yield before, self._nodes[target], _meta(label)

    def arranged(self) -> Arranged:
        """Return what ``iter_nodes`` and ``iter_links`` show, for compilers.

        No object is made for a link.
        """
        order = list(self._graph.in_order(self._chosen()))
        place = {node: index for index, node in enumerate(order)}
        sources: list[int] = []
        targets: list[int] = []
        guarded: list[tuple[int, int, flow.Meta]] = []
        for node in sorted(order):
            after = self._graph.successors.get(node)
            if after is None:
                continue
            source = place[node]
            for other, label in after.items():
                if other not in place:
                    continue
                sources.append(source)
                targets.append(place[other])
                if isinstance(label, dict) and flow.LINK_DECIDER in label:
                    guarded.append((source, place[other], label))
        items = [self._nodes[node] for node in order]
        return Arranged(items, sources, targets, guarded)

    def _work_out(self) -> pattern.Symbols:
        self._refresh()
        requires, provides = self._of_retry()
        chosen = self._chosen()
        for symbol in self._table.waiting:
            unmet = self._table.unmet(symbol, self._graph)
            if unmet if chosen is None else _overlap(unmet, chosen):
                requires.add(symbol)
        for symbol in self._table.provided:
            if chosen is None or _overlap(
                self._table.providers(symbol), chosen
            ):
                provides.add(symbol)
        return pattern.Symbols(frozenset(requires), frozenset(provides))

    def _child_changed(self, child: pattern.Pattern) -> None:
        self._outdated[self._index[child]] = child

    def _refresh(self) -> None:
        """Enter the symbols of nested flows that have changed."""
        for index, child in sorted(self._outdated.items()):
            old = self._entered[index]
            new = self._entered[index] = pattern.symbols_of(child)
            for symbol in old.requires - new.requires:
                self._table.served(symbol, index)
            self._wait(new.requires - old.requires, index)
            self._table.leave(old.provides - new.provides, index)
            self._table.enter(new.provides - old.provides, index)
        self._outdated.clear()

    def _drop(self, since: int) -> None:
        """Remove the nodes from a number on, as if never added."""
        for index in range(since, len(self._nodes)):
            after = self._graph.successors.get(index, {})
            for target, label in after.items():
                reasons = _meta(label).get(flow.LINK_REASONS, ())
                self._table.wait(reasons, target)
            node = self._nodes[index]
            del self._index[node]
            if isinstance(node, flow.Flow):
                self._disown(node)
            self._entered.pop(index, None)
        self._graph.drop_nodes(since)
        self._table.drop_nodes(since)
        del self._nodes[since:]


class TargetedFlow(Flow):
    """A graph flow of which only what leads to a target is executed."""

    def __init__(
        self, name: str, retry: retry_mod.Retry | None = None
    ) -> None:
        super().__init__(name, retry)
        self._target: int | None = None
        self._leading: set[int] | None = None

    def set_target(self, target_node: flow.Item) -> None:
        """Execute only a child and what it comes after.

        :raises ValueError: it was not added
        """
        if target_node not in self._index:
            raise ValueError(f"Node '{target_node}' not found")
        self._target = self._index[target_node]
        self._leading = None
        self._changed()

    def reset_target(self) -> None:
        """Execute everything again."""
        self._target = None
        self._changed()

    def add(
        self,
        *nodes: flow.Item,
        resolve_requires: bool = True,
        resolve_existing: bool = True,
    ) -> typing.Self:
        """Add children, as in a graph flow; some may lead to the target."""
        self._leading = None
        return super().add(
            *nodes,
            resolve_requires=resolve_requires,
            resolve_existing=resolve_existing,
        )

    def link(
        self,
        u: flow.Item,
        v: flow.Item,
        decider: Decider | None = None,
        decider_depth: deciders.Depth | str | None = None,
    ) -> typing.Self:
        """Have one child come after another one, as in a graph flow."""
        self._leading = None
        return super().link(u, v, decider, decider_depth)

    def _chosen(self) -> Collection[int] | None:
        if self._target is None:
            return None
        if self._leading is None:
            self._leading = self._graph.ancestors([self._target])
            self._leading.add(self._target)
        return self._leading

    def __len__(self) -> int:
        chosen = self._chosen()
        return super().__len__() if chosen is None else len(chosen)


def _meta(label: _Label) -> flow.Meta:
    if label is None:
        return {flow.LINK_MANUAL: True}
    if isinstance(label, str):
        return {flow.LINK_REASONS: {label}}
    return label


def _overlap(some: Iterable[int], others: Collection[int]) -> bool:
    return any(node in others for node in some)
