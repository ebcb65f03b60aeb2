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

"""Who provides which symbol in a flow, and who still waits for one.

Most symbols have one provider and nobody who waits, so they cost one entry in
a dict and no object of their own.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
import typing

from taskflow_service.patterns import dag


class SymbolTable:
    """Looks nodes up by symbol; nodes are numbers.

    :ivar waiting: symbol -> {node that requires it and was not linked to a
        provider of it: None}, in order
    """

    __slots__ = ('_first', '_others', 'waiting')

    def __init__(self) -> None:
        self._first: dict[str, int] = {}
        self._others: dict[str, list[int]] = {}
        self.waiting: dict[str, dict[int, None]] = {}

    @property
    def provided(self) -> Collection[str]:
        """Return the symbols that somebody provides."""
        return self._first.keys()

    def providers(self, symbol: str) -> list[int]:
        """Return who provides a symbol, in order."""
        if symbol not in self._first:
            return []
        return [self._first[symbol], *self._others.get(symbol, ())]

    def enter(self, symbols: Iterable[str], provider: int) -> None:
        """Note that a node provides symbols, each for the first time."""
        for symbol in symbols:
            if self._first.setdefault(symbol, provider) != provider:
                self._others.setdefault(symbol, []).append(provider)

    def leave(self, symbols: Iterable[str], provider: int) -> None:
        """Note that a node does not provide symbols any more."""
        for symbol in symbols:
            providers = self.providers(symbol)
            providers.remove(provider)
            self._others.pop(symbol, None)
            del self._first[symbol]
            for other in providers:
                self.enter([symbol], other)

    def wait(self, symbols: Iterable[str], requirer: int) -> None:
        """Note that a node waits for symbols."""
        for symbol in symbols:
            self.waiting.setdefault(symbol, {})[requirer] = None

    def served(self, symbol: str, requirer: int) -> None:
        """Note that a node does not wait for a symbol any more."""
        self.waiting.get(symbol, {}).pop(requirer, None)

    def unmet(
        self, symbol: str, graph: dag.Dag[typing.Any]
    ) -> Collection[int]:
        """Return who waits for a symbol that no edges bring to them.

        The others are forgotten: edges do not go again.
        """
        waiting = self.waiting[symbol]
        providers = self.providers(symbol)
        if not waiting or not providers:
            return waiting
        for requirer in list(waiting):
            before = graph.predecessors.get(requirer, {})
            if any(provider in before for provider in providers):
                del waiting[requirer]
        if waiting:
            for requirer in graph.descendants(providers):
                waiting.pop(requirer, None)
        return waiting

    def drop_nodes(self, since: int) -> None:
        """Forget the nodes from a number on."""
        for symbol, waiting in self.waiting.items():
            self.waiting[symbol] = {
                node: None for node in sorted(waiting) if node < since
            }
        for symbol in list(self._first):
            for provider in self.providers(symbol):
                if provider >= since:
                    self.leave([symbol], provider)
