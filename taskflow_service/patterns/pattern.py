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

"""What the patterns have in common: symbols, worked out once and when asked.

What a flow requires and provides follows from its children, whose own
children may still be added. So it is kept until something changes below; a
flow that changes tells the flows that it is in. Both walks use a stack of
their own, since flows nest deeper than Python calls.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator
import typing
import weakref

from taskflow_service import flow
from taskflow_service import retry as retry_mod


class Symbols(typing.NamedTuple):
    """What something requires from outside, and what it provides."""

    requires: frozenset[str]
    provides: frozenset[str]


class Pattern(flow.Flow):
    """A flow that knows when its symbols have changed.

    A flow of another kind may be nested in it too, yet must not be changed
    any more once it is.
    """

    def __init__(
        self, name: str, retry: retry_mod.Retry | None = None
    ) -> None:
        super().__init__(name, retry)
        self._symbols: Symbols | None = None
        self._subflows: list[Pattern] | None = None
        # Weak, as a flow must not keep alive those that it was added to.
        self._parents: tuple[weakref.ref[Pattern], ...] = ()

    @property
    def requires(self) -> frozenset[str]:
        """Return the symbols that must come from outside."""
        return symbols_of(self).requires

    @property
    def provides(self) -> frozenset[str]:
        """Return the symbols that its atoms and its retry provide."""
        return symbols_of(self).provides

    @abc.abstractmethod
    def _work_out(self) -> Symbols:
        """Return the symbols; those of nested patterns are known."""

    def _of_retry(self) -> tuple[set[str], set[str]]:
        """Return what the retry controller requires and provides."""
        if self._retry is None:
            return set(), set()
        return set(self._retry.requires), set(self._retry.provides)

    def _adopt(self, item: flow.Flow) -> None:
        """Hear of it when a flow that is added changes."""
        if item is self:
            raise ValueError(f'Flow {self.name!r} cannot be added to itself')
        if not isinstance(item, Pattern):
            return
        if self._subflows is None:
            self._subflows = []
        self._subflows.append(item)
        alive = [ref for ref in item._parents if ref() is not None]
        item._parents = (*alive, weakref.ref(self))

    def _disown(self, item: flow.Flow) -> None:
        """Take back the last adoption of a flow, which was not added."""
        if isinstance(item, Pattern) and self._subflows is not None:
            self._subflows.remove(item)
            item._parents = tuple(
                [ref for ref in item._parents if ref() is not self]
            )

    def _changed(self) -> None:
        """Forget the symbols, here and in all flows around."""
        changed = [self]
        while changed:
            pattern = changed.pop()
            if pattern._symbols is None:
                # Nobody has used them since they were forgotten.
                continue
            pattern._symbols = None
            for ref in pattern._parents:
                parent = ref()
                if parent is not None:
                    parent._child_changed(pattern)
                    changed.append(parent)

    def _child_changed(self, child: Pattern) -> None:
        """Take note that a nested flow has other symbols now."""

    def __getstate__(self) -> dict[str, typing.Any]:
        return {**vars(self), '_parents': (), '_symbols': None}

    def __setstate__(self, state: dict[str, typing.Any]) -> None:
        vars(self).update(state)
        for child in self._subflows or ():
            child._parents = (*child._parents, weakref.ref(self))


class Listed(Pattern):
    """A flow whose children stand in the order in which they were added."""

    def __init__(
        self, name: str, retry: retry_mod.Retry | None = None
    ) -> None:
        super().__init__(name, retry)
        self._items: dict[flow.Item, None] = {}

    def add(self, *items: flow.Item) -> typing.Self:
        """Add children at the end; one that is in already stays in place."""
        for item in items:
            if item is None:
                raise ValueError(f'Flow {self.name!r} cannot hold None')
            if item not in self._items:
                if isinstance(item, flow.Flow):
                    self._adopt(item)
                self._items[item] = None
        if self._symbols is not None:
            self._changed()
        return self

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[flow.Item]:
        return iter(self._items)

    def iter_nodes(self) -> Iterator[tuple[flow.Item, flow.Meta]]:
        """Iterate over ``(child, meta)`` in the order of addition."""
        for item in self._items:
            yield item, {}


def symbols_of(pattern: Pattern) -> Symbols:
    """Return what a flow requires and provides, from the innermost out.

    :raises ValueError: a flow contains itself
    """
    if pattern._symbols is not None:
        return pattern._symbols
    stack = [pattern]
    entered = set()
    while True:
        top = stack[-1]
        unknown = [
            child for child in top._subflows or () if child._symbols is None
        ]
        if unknown:
            if top in entered:
                raise ValueError(f'Flow {top.name!r} contains itself')
            entered.add(top)
            stack.extend(unknown)
            continue
        symbols = top._symbols = top._symbols or top._work_out()
        stack.pop()
        if not stack:
            return symbols
