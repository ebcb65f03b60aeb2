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

"""Values by name, as somebody outside of the flow asks for them.

An atom's own arguments were worked out when its flow was compiled (see
``binding``); here nothing is known but a name.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
import typing

from taskflow_service import exceptions
from taskflow_service.storage import binding as binding_mod
from taskflow_service.storage import record as record_mod

NOTHING = record_mod.NOTHING
ManyHandler = Callable[[list[typing.Any]], typing.Any]


class Lookup:
    """Finds what was injected and provided under a name. Thread-safe."""

    def __init__(
        self, record: record_mod.Record, binding: binding_mod.Binding
    ) -> None:
        self.record = record
        self.binding = binding
        self._providers: dict[str, list[tuple[int, typing.Any]]] = {}
        #: Of which atoms, and how many, the providers were looked up.
        self._index = record.index
        self._provided = 0
        #: Whether values were injected before any atom was known.
        self._store_first = record.injector is not None

    def _sources(self, symbol: str) -> list[tuple[int, typing.Any]]:
        index = self.record.index
        if self._index is not index or self._provided != len(index):
            self._providers.clear()
            for node in self._nodes():
                for name, key in self.record.atoms[node].save_as.items():
                    self._providers.setdefault(name, []).append((node, key))
            self._index, self._provided = index, len(index)
        return self._providers.get(symbol, [])

    def _nodes(self) -> Iterable[int]:
        """The atoms in TaskFlow's order of several providers."""
        plan = self.binding.plan
        if plan is None or self.record.index is not plan.node_of:
            return self.record.index.values()
        nodes = plan.retries_last(range(len(plan)))
        return filter(plan.is_atom, nodes)

    def _values(self, symbol: str) -> list[typing.Any]:
        found = [
            source[symbol]
            for source in self.binding.injected(None)
            if symbol in source
        ]
        sources = self._sources(symbol)
        for node, key in sources:
            value = self.binding.item(node, key)
            if value is not NOTHING:
                found.append(value)
        if not found and len(sources) == 1 and sources[0][1] is None:
            # Whoever asks by name is told why there is no value.
            found.extend(
                self.record.failures[node]
                for node, _key in sources
                if node in self.record.failures
            )
        return found

    def fetch(
        self, name: str, many_handler: ManyHandler | None = None
    ) -> typing.Any:
        """The value of a name; the first one where there are several.

        Raises ``NotFound``.
        """
        found = self._values(name)
        if found:
            return many_handler(found) if many_handler else found[0]
        sources = self._sources(name)
        if not sources:
            raise exceptions.NotFound(
                f'Name {name!r} is not mapped as a produced output by any '
                f'providers'
            )
        names = [self.record.atoms[node].name for node, _key in sources]
        raise exceptions.NotFound(
            f'Unable to find result {name!r}, expected to be able to find it '
            f'created by one of {names} but was unable to perform successful '
            f'extraction'
        )

    def fetch_all(
        self, many_handler: ManyHandler | None = None
    ) -> dict[str, typing.Any]:
        """All names that have a value now; lists where there are several."""
        self._sources('')
        # In the order in which they became known: a store before the atoms.
        injector = self.record.injector
        stored = injector.results if injector is not None else {}
        names = dict.fromkeys(stored if self._store_first else ())
        names.update(dict.fromkeys(self._providers))
        for source in (stored, self.binding.flow_args):
            names.update(dict.fromkeys(source))
        handle = many_handler or _one_or_list
        values = {}
        for name in names:
            found = self._values(name)
            if found:
                values[name] = handle(found) if len(found) > 1 else found[0]
        return values

    def fetch_mapped_args(
        self,
        args_mapping: Mapping[str, str],
        atom_name: str | None = None,
        scope_walker: Iterable[Iterable[str]] | None = None,
        optional_args: Iterable[str] | None = None,
    ) -> dict[str, typing.Any]:
        """Values by argument, as an atom of that name would get them.

        Raises ``NotFound`` for an argument without value that is not
        optional.
        """
        optional = frozenset(optional_args or ())
        levels = None if scope_walker is None else list(scope_walker)
        values = {}
        for arg, symbol in (args_mapping or {}).items():
            value = self._visible(symbol, atom_name, levels)
            if value is not NOTHING:
                values[arg] = value
            elif arg not in optional:
                values[arg] = self.fetch(symbol)
        return values

    def _visible(
        self,
        symbol: str,
        atom_name: str | None,
        levels: list[Iterable[str]] | None,
    ) -> typing.Any:
        for source in self.binding.injected(atom_name):
            if symbol in source:
                return source[symbol]
        if levels is None and atom_name is not None:
            found = self.binding.visible(atom_name, symbol)
            if found is not NOTHING:
                return found
        sources = self._sources(symbol)
        if levels is not None:
            order = [name for level in levels for name in level]
            sources = sorted(
                (
                    source
                    for source in sources
                    if self.record.atoms[source[0]].name in order
                ),
                key=lambda source: order.index(
                    self.record.atoms[source[0]].name
                ),
            )
        for node, key in sources:
            value = self.binding.item(node, key)
            if value is not NOTHING:
                return value
        return NOTHING

    def fetch_unsatisfied_args(
        self,
        atom_name: str,
        args_mapping: Mapping[str, str],
        scope_walker: Iterable[Iterable[str]] | None = None,
        optional_args: Iterable[str] | None = None,
    ) -> set[str]:
        """The required arguments that nothing injected or provides."""
        optional = frozenset(optional_args or ())
        injected = self.binding.injected(atom_name)
        return {
            arg
            for arg, symbol in args_mapping.items()
            if arg not in optional
            and not any(symbol in source for source in injected)
            and not self._sources(symbol)
        }


def _one_or_list(values: list[typing.Any]) -> typing.Any:
    return values
