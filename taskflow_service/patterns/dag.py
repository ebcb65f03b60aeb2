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

"""A graph that stays free of cycles while edges come one by one.

Every node has a rank, and every edge leads to a higher one. An edge that
already does costs nothing to check; where its source has no predecessors or
its target no successors, moving that one to an end of the order is enough.
So graphs that are built in a usual order, forwards or backwards, cost O(1) an
edge. Otherwise only what lies between the two ends is put in order anew, by
the algorithm of Pearce and Kelly ("A Dynamic Topological Sort Algorithm for
Directed Acyclic Graphs", 2006), for which ranks need not be consecutive.

Nodes are ints, so that the garbage collector has nothing to walk: there may
be 100,000 nodes.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
import typing

_Label = typing.TypeVar('_Label')


class Cycle(Exception):
    """An edge would close a cycle."""


class Dag(typing.Generic[_Label]):
    """Nodes are numbered from 0 in order of addition; edges have a label.

    :ivar successors: node -> {node after it: label}
    :ivar predecessors: node -> {node before it: None}
    """

    __slots__ = ('_first', '_last', '_ranks', 'predecessors', 'successors')

    def __init__(self) -> None:
        # Nodes without edges have no entry.
        self.successors: dict[int, dict[int, _Label]] = {}
        self.predecessors: dict[int, dict[int, None]] = {}
        self._ranks: list[int] = []
        self._first = 0
        self._last = 0

    def __len__(self) -> int:
        return len(self._ranks)

    def add_node(self) -> int:
        """Add a node and return its number."""
        self._last += 1
        self._ranks.append(self._last)
        return len(self._ranks) - 1

    def drop_nodes(self, since: int) -> None:
        """Remove the nodes from a number on, and their edges."""
        for node in range(since, len(self._ranks)):
            _detach(node, self.successors, self.predecessors)
            _detach(node, self.predecessors, self.successors)
        # An order stays one when nodes or edges go.
        del self._ranks[since:]

    def add_edge(self, source: int, target: int, label: _Label) -> None:
        """Add an edge; if it is there already, give it this label.

        :raises Cycle: the target already leads to the source; nothing has
            changed then
        """
        ranks = self._ranks
        if ranks[source] >= ranks[target]:
            if source == target:
                raise Cycle
            if target not in self.successors:
                self._last += 1
                ranks[target] = self._last
            elif source not in self.predecessors:
                self._first -= 1
                ranks[source] = self._first
            else:
                self._rearrange(source, target)
        self.successors.setdefault(source, {})[target] = label
        self.predecessors.setdefault(target, {})[source] = None

    def _rearrange(self, source: int, target: int) -> None:
        """Move what the target leads to behind what leads to the source."""
        ranks = self._ranks
        lowest, highest = ranks[target], ranks[source]
        after = self._walk(
            [target], self.successors, lambda node: ranks[node] <= highest
        )
        if source in after:
            raise Cycle
        before = self._walk(
            [source], self.predecessors, lambda node: ranks[node] >= lowest
        )
        rank = ranks.__getitem__
        moved = sorted(before, key=rank) + sorted(after, key=rank)
        for node, place in zip(moved, sorted(map(rank, moved)), strict=True):
            ranks[node] = place

    def descendants(self, nodes: Iterable[int]) -> set[int]:
        """Return the nodes to which these lead, in one step or more."""
        successors = self.successors
        first = {after for node in nodes for after in successors.get(node, ())}
        return self._walk(first, successors)

    def ancestors(self, nodes: Iterable[int]) -> set[int]:
        """Return the nodes that lead to these, in one step or more."""
        before = self.predecessors
        first = {node for later in nodes for node in before.get(later, ())}
        return self._walk(first, before)

    def leads(self, sources: Collection[int], target: int, below: int) -> bool:
        """Tell whether edges among the nodes below a number lead there."""
        before = self.predecessors.get(target, ())
        if not any(node < below for node in before):
            return False
        if any(source in before for source in sources):
            return True
        found = self._walk(
            [target], self.predecessors, lambda node: node < below
        )
        found.discard(target)
        return not found.isdisjoint(sources)

    @staticmethod
    def _walk(
        start: Iterable[int],
        neighbours: Mapping[int, Iterable[int]],
        within: typing.Callable[[int], bool] | None = None,
    ) -> set[int]:
        reached = set(start)
        waiting = list(reached)
        while waiting:
            for node in neighbours.get(waiting.pop(), ()):
                if node not in reached and (within is None or within(node)):
                    reached.add(node)
                    waiting.append(node)
        return reached

    def in_order(self, only: Collection[int] | None = None) -> Iterator[int]:
        """Iterate so that every node comes after its predecessors.

        Those without predecessors come first, in order of addition; then
        those that they alone kept waiting, and so on (Kahn, "Topological
        sorting of large networks", 1962).

        :param only: leave out all but these, which must hold the
            predecessors of each
        """
        everyone: Iterable[int] = range(len(self._ranks))
        if only is not None:
            everyone = [node for node in everyone if node in only]
        before = self.predecessors
        ready = [node for node in everyone if node not in before]
        missing = {node: len(before[node]) for node in before}
        while ready:
            following = []
            for node in ready:
                yield node
                for after in self.successors.get(node, ()):
                    missing[after] -= 1
                    if not missing[after] and (only is None or after in only):
                        following.append(after)
            ready = following


def _detach(
    node: int,
    ahead: dict[int, typing.Any],
    back: dict[int, typing.Any],
) -> None:
    for neighbour in ahead.pop(node, ()):
        del back[neighbour][node]
        if not back[neighbour]:
            del back[neighbour]
