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

"""A tree of things, as programs that look into a compiled flow expect it.

Nothing here recurses: flows may be nested as deep as somebody likes.
"""

from __future__ import annotations

import collections
from collections.abc import Callable
from collections.abc import Iterator
import itertools
import os
from typing import Any

from taskflow_service.types import graph


class FrozenNode(Exception):
    """A node of a frozen tree was to be changed."""

    def __init__(self) -> None:
        super().__init__('This tree is frozen: its nodes cannot be changed')


class Node:
    """An item with its children, and keywords kept as ``metadata``.

    Iterating goes over the children, indexing takes one, ``in`` asks for an
    item anywhere below.  Not thread-safe until it is frozen.
    """

    VERTICAL_CONN = '|'
    HORIZONTAL_CONN = '__'
    EMPTY_SPACE_SEP = ' '
    LINE_SEP = os.linesep
    STARTING_PREFIX = ''

    def __init__(self, item: Any, **kwargs: Any) -> None:
        self.item = item
        self.parent: Node | None = None
        self.metadata = dict(kwargs)
        self.frozen = False
        self._children: list[Node] = []

    def freeze(self) -> None:
        """Let nobody change this node, and those below, any more."""
        for node in self.dfs_iter(include_self=True):
            node.frozen = True

    def add(self, child: Node) -> None:
        """Add a child as the last.

        Raises FrozenNode if this node is frozen, ValueError if the child is
        this node or above it.
        """
        if self.frozen:
            raise FrozenNode()
        # One without children is above nothing: no need to look there.
        is_above = child._children and child in self.path_iter()
        if child is self or is_above:
            raise ValueError(f'{child.item} cannot be its own descendant')
        child.parent = self
        self._children.append(child)

    def empty(self) -> bool:
        """Tell whether it has no children."""
        return not self._children

    def path_iter(self, include_self: bool = True) -> Iterator[Node]:
        """Iterate from this node up to the root."""
        node = self if include_self else self.parent
        while node is not None:
            yield node
            node = node.parent

    def find_first_match(
        self,
        matcher: Callable[[Node], Any],
        only_direct: bool = False,
        include_self: bool = True,
    ) -> Node | None:
        """Return the first node, depth first, for which a call is true."""
        below: Iterator[Node] = iter(self) if only_direct else self.dfs_iter()
        nodes = itertools.chain((self,) if include_self else (), below)
        return next((node for node in nodes if matcher(node)), None)

    def find(
        self,
        item: Any,
        only_direct: bool = False,
        include_self: bool = True,
    ) -> Node | None:
        """Return the first node with an item, depth first."""
        return self.find_first_match(
            lambda node: node.item == item, only_direct, include_self
        )

    def disassociate(self) -> int:
        """Take it from its parent; return how often it was there."""
        if self.frozen:
            raise FrozenNode()
        if self.parent is None:
            return 0
        before = self.parent._children
        after = [child for child in before if child is not self]
        self.parent._children = after
        self.parent = None
        return len(before) - len(after)

    def remove(
        self,
        item: Any,
        only_direct: bool = False,
        include_self: bool = True,
    ) -> Node:
        """Take the first node with an item from its parent; return it.

        Raises ValueError if there is none, FrozenNode if it is frozen.
        """
        if self.frozen:
            raise FrozenNode()
        node = self.find(item, only_direct, include_self)
        if node is None:
            raise ValueError(f'{item!r} is not here to be removed')
        node.disassociate()
        return node

    def __contains__(self, item: Any) -> bool:
        return self.find(item) is not None

    def __getitem__(self, index: int) -> Node:
        return self._children[index]

    def __iter__(self) -> Iterator[Node]:
        return iter(self._children)

    def reverse_iter(self) -> Iterator[Node]:
        """Iterate over the children, the last first."""
        return reversed(self._children)

    def index(self, item: Any) -> int:
        """Return which child has an item; raise ValueError if none has."""
        for index, child in enumerate(self._children):
            if child.item == item:
                return index
        raise ValueError(f'{item} is not in any child')

    def child_count(self, only_direct: bool = True) -> int:
        """Return how many nodes are below, or directly below."""
        if only_direct:
            return len(self._children)
        return sum(1 for _ in self.dfs_iter())

    def dfs_iter(
        self, include_self: bool = False, right_to_left: bool = True
    ) -> Iterator[Node]:
        """Iterate depth first over what is below, parents first.

        ``right_to_left`` is how children are set aside, so that the leftmost
        is the first to be taken.
        """
        stack = [self] if include_self else self._in_turn(right_to_left)
        while stack:
            node = stack.pop()
            yield node
            stack.extend(node._in_turn(right_to_left))

    def _in_turn(self, right_to_left: bool) -> list[Node]:
        return self._children[:: -1 if right_to_left else 1]

    def bfs_iter(
        self, include_self: bool = False, right_to_left: bool = False
    ) -> Iterator[Node]:
        """Iterate breadth first over what is below."""
        queue = collections.deque(
            [self] if include_self else self._in_turn(not right_to_left)
        )
        while queue:
            node = queue.popleft()
            yield node
            queue.extend(node._in_turn(not right_to_left))

    def to_digraph(self) -> graph.OrderedDiGraph:
        """Return it as a graph of the items, from parents to children."""
        found = graph.OrderedDiGraph()
        for node in self.bfs_iter(include_self=True, right_to_left=True):
            found.add_node(node.item, node.metadata)
            if node is not self and node.parent is not None:
                found.add_edge(node.parent.item, node.item)
        return found

    def pformat(
        self,
        stringify_node: Callable[[Node], str] | None = None,
        linesep: str = LINE_SEP,
        vertical_conn: str = VERTICAL_CONN,
        horizontal_conn: str = HORIZONTAL_CONN,
        empty_space: str = EMPTY_SPACE_SEP,
        starting_prefix: str = STARTING_PREFIX,
    ) -> str:
        """Return it as lines of text, children below and further in."""
        text_of = stringify_node or (lambda node: str(node.item))
        gap = empty_space * len(horizontal_conn)
        lines = [f'{starting_prefix}{text_of(self)}']
        stack = [(child, starting_prefix) for child in self.reverse_iter()]
        while stack:
            node, margin = stack.pop()
            lines.append(
                f'{margin}{vertical_conn}{horizontal_conn}{text_of(node)}'
            )
            parent = node.parent
            is_last = parent is None or parent[-1] is node
            edge = empty_space if is_last else vertical_conn
            below = f'{margin}{edge}{gap}'
            stack.extend((child, below) for child in node.reverse_iter())
        return linesep.join(lines)
