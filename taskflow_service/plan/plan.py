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

"""The compiled form of a flow: arrays by node, made once, read by all.

A node is an int. Atoms and the begin and end of every flow are nodes; the
begin and end keep the edges at O(V+E) where many atoms follow many others.
Nodes are numbered depth first, so that a flow is the range from its begin to
its end and what a retry controls is the range after it. A plan is never
renumbered; an atom's identity is its name, never its node.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
import enum
import typing

from taskflow_service import atom as atom_mod
from taskflow_service import deciders
from taskflow_service import flow as flow_mod
from taskflow_service import task as task_mod


class Kind(enum.IntEnum):
    """What a node stands for."""

    TASK = 0
    RETRY = 1
    BEGIN = 2
    END = 3


#: A provider of a symbol as an atom sees it: the node that provides it, the
#: key into its result (None: all of it), and the provider to try next.
Cell = tuple[int, typing.Any, typing.Optional['Cell']]

#: The candidates of each argument, aligned with the atom's rebind mapping.
Candidates = tuple[Cell | None, ...]


class Guard(typing.NamedTuple):
    """A decider on the link into a node."""

    #: The node that the link comes from: an atom, or the end of a flow.
    source: int
    decider: Callable[..., bool]
    depth: deciders.Depth


class Plan:
    """The nodes of a flow and how they hang together.

    All sequences are indexed by node. ``retry_of`` is the nearest retry that
    controls a node (for a retry: the one of the flow around its own), -1 if
    there is none; ``parent`` is the begin of the enclosing flow, -1 for the
    root. ``end_of`` maps a flow's begin, and its retry, to the flow's end.
    """

    __slots__ = (
        'arguments',
        'end_of',
        'guards',
        'items',
        'kinds',
        'name',
        'node_of',
        'parent',
        'predecessors',
        'priorities',
        'retry_of',
        'revert_arguments',
        'successors',
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.items: list[atom_mod.Atom | flow_mod.Flow] = []
        self.kinds: list[Kind] = []
        # Tuples, all the way down: the garbage collector lets go of those.
        self.parent: tuple[int, ...] = ()
        self.retry_of: tuple[int, ...] = ()
        self.successors: tuple[tuple[int, ...], ...] = ()
        self.predecessors: tuple[tuple[int, ...], ...] = ()
        self.arguments: tuple[Candidates, ...] = ()
        self.revert_arguments: tuple[Candidates, ...] = ()
        #: Only the nodes whose priority is not 0.
        self.priorities: dict[int, int] = {}
        self.end_of: dict[int, int] = {}
        self.node_of: dict[str, int] = {}
        self.guards: dict[int, tuple[Guard, ...]] = {}

    def __len__(self) -> int:
        return len(self.items)

    @property
    def has_user_code(self) -> bool:
        """Whether deciders or retries are to be asked on the way."""
        return bool(self.guards) or any(
            self.kinds[node] is Kind.RETRY for node in self.end_of
        )

    @property
    def root(self) -> int:
        """The node that a run starts from."""
        return 0

    def is_atom(self, node: int) -> bool:
        """Tell an atom from the begin or end of a flow."""
        return self.kinds[node] <= Kind.RETRY

    def atoms(self) -> Iterator[int]:
        """Iterate over the nodes of atoms in the order of definition."""
        return iter(self.node_of.values())

    def tasks(self) -> Iterator[task_mod.Task]:
        """Iterate over the tasks in the order of definition."""
        for node in self.node_of.values():
            if self.kinds[node] is Kind.TASK:
                yield typing.cast(task_mod.Task, self.items[node])

    def atom(self, name: str) -> atom_mod.Atom:
        """Look an atom up by its name; KeyError if there is none."""
        return typing.cast(atom_mod.Atom, self.items[self.node_of[name]])

    def name_of(self, node: int) -> str:
        """The name of the atom or flow at a node."""
        return self.items[node].name

    def region(self, retry: int) -> range:
        """The nodes that a retry controls, itself first; -1 means all."""
        if retry < 0:
            return range(len(self.items))
        return range(retry, self.end_of[retry] + 1)

    def retries_last(self, nodes: range) -> Iterator[int]:
        """Iterate over nodes, a retry after all that it controls."""
        waiting: list[int] = []
        for node in nodes:
            if self.kinds[node] is Kind.RETRY:
                waiting.append(node)
                continue
            if waiting and self.end_of[waiting[-1]] == node:
                yield waiting.pop()
            yield node
        yield from reversed(waiting)

    def entries(self, begin: int) -> Iterator[int]:
        """Iterate over the atoms that a flow's begin leads straight to."""
        end = self.end_of[begin]
        reached: dict[int, int] = {}
        stack = [begin]
        while stack:
            for node in self.successors[stack.pop()]:
                # Also after an empty flow, if that is all that is before it.
                reached[node] = reached.get(node, 0) + 1
                if reached[node] < len(self.predecessors[node]):
                    continue
                if self.kinds[node] <= Kind.RETRY:
                    yield node
                elif node != end:
                    stack.append(node)

    def reach(self, node: int, through_flows: bool = True) -> Iterator[int]:
        """Iterate over the atoms that come after a node, nearest first.

        ``through_flows=False`` stops at the begin and end of flows, which
        leaves those of the same flow that are linked directly.
        """
        seen = {node}
        stack = [node]
        while stack:
            for succ in self.successors[stack.pop()]:
                if succ in seen:
                    continue
                seen.add(succ)
                if self.kinds[succ] <= Kind.RETRY:
                    yield succ
                elif not through_flows:
                    continue
                stack.append(succ)

    def unsatisfied(
        self, node: int, injected: Mapping[str, typing.Any]
    ) -> set[str]:
        """Name the required symbols of an atom that nothing provides."""
        atom = typing.cast(atom_mod.Atom, self.items[node])
        missing = set()
        for mapping, optional, candidates in (
            (atom.rebind, atom.optional, self.arguments[node]),
            (
                atom.revert_rebind,
                atom.revert_optional,
                self.revert_arguments[node],
            ),
        ):
            for (arg, symbol), cell in zip(
                mapping.items(), candidates, strict=True
            ):
                if (
                    cell is None
                    and symbol not in injected
                    and arg not in optional
                ):
                    missing.add(symbol)
        return missing
