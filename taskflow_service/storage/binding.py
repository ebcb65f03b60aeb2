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

"""The arguments of an atom, from what was injected and what was provided.

Which atoms may provide an argument was worked out when the flow was
compiled; here the first of them that has a value is taken. What was injected
comes before what is provided: into the atom, then into the flow; each time
what is transient before what is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
import typing

from taskflow_service import atom as atom_mod
from taskflow_service import exceptions
from taskflow_service import states
from taskflow_service.plan import plan as plan_mod
from taskflow_service.storage import record as record_mod

NOTHING = record_mod.NOTHING
_Values = Mapping[str, typing.Any]
#: An argument, its symbol, and who could have provided it.
_Missing = tuple[str, str, plan_mod.Cell | None]

#: What a result cannot be indexed with, or is too short for.
_NO_ITEM = (IndexError, KeyError, TypeError, ValueError)

_HAS_RESULT = frozenset((states.SUCCESS, states.REVERTING, states.FAILURE))


class Binding:
    """Finds values for the atoms of one flow.

    ``atom_args`` and ``flow_args`` are what was injected transiently.
    """

    def __init__(self, record: record_mod.Record) -> None:
        self.record = record
        self.plan: plan_mod.Plan | None = None
        self.atom_args: dict[str, dict[str, typing.Any]] = {}
        self.flow_args: dict[str, typing.Any] = {}

    @property
    def given(self) -> tuple[int, ...]:
        """Changes whenever something is injected, or taken away."""
        injector = self.record.injector
        return (
            id(injector.results) if injector is not None else 0,
            len(self.flow_args),
            sum(map(len, self.atom_args.values())),
        )

    def injected(self, name: str | None) -> list[_Values]:
        """What was injected for an atom, what wins first."""
        found: list[_Values] = []
        if name is not None:
            node = self.record.index.get(name)
            if name in self.atom_args:
                found.append(self.atom_args[name])
            if node is not None:
                atom = self.record.atoms[node]
                if atom.inject:
                    found.append(atom.inject)
                stored = self.record.metas.get(node, _NONE).get('injected')
                if stored:
                    found.append(stored)
        if self.flow_args:
            found.append(self.flow_args)
        if self.record.injector is not None:
            found.append(self.record.injector.results)
        return found

    def arguments(self, node: int) -> dict[str, typing.Any]:
        """Bind the arguments of an atom's execute.

        Raises ``NotFound`` naming atom and symbol.
        """
        plan = typing.cast(plan_mod.Plan, self.plan)
        candidates = plan.arguments[node]
        if not candidates:
            return {}
        atom = self.record.atoms[node]
        values, missing = self._bind(atom, atom.rebind, candidates)
        for arg, symbol, cell in missing:
            if arg not in atom.optional:
                self._missing(atom, symbol, cell)
        return values

    def revert_arguments(self, node: int) -> dict[str, typing.Any]:
        """Bind the arguments of an atom's revert."""
        plan = typing.cast(plan_mod.Plan, self.plan)
        candidates = plan.revert_arguments[node]
        if not candidates:
            return {}
        atom = self.record.atoms[node]
        values, missing = self._bind(atom, atom.revert_rebind, candidates)
        for arg, symbol, cell in missing:
            if arg not in atom.revert_optional:
                self._missing(atom, symbol, cell)
        return values

    def _bind(
        self,
        atom: atom_mod.Atom,
        mapping: Mapping[str, str],
        candidates: plan_mod.Candidates,
    ) -> tuple[dict[str, typing.Any], list[_Missing]]:
        """Find values; say for which arguments there is none."""
        values: dict[str, typing.Any] = {}
        missing: list[_Missing] = []
        injected = self.injected(atom.name)
        for (arg, symbol), cell in zip(
            mapping.items(), candidates, strict=True
        ):
            for source in injected:
                if symbol in source:
                    values[arg] = source[symbol]
                    break
            else:
                value = self.provided(cell)
                if value is NOTHING:
                    missing.append((arg, symbol, cell))
                else:
                    values[arg] = value
        return values, missing

    def visible(self, name: str, symbol: str) -> typing.Any:
        """What an atom of the plan sees under a symbol, or NOTHING."""
        node = self.record.index.get(name)
        if self.plan is None or node is None:
            return NOTHING
        atom = self.record.atoms[node]
        for mapping, candidates in (
            (atom.rebind, self.plan.arguments[node]),
            (atom.revert_rebind, self.plan.revert_arguments[node]),
        ):
            for known, cell in zip(mapping.values(), candidates, strict=True):
                if known == symbol:
                    return self.provided(cell)
        return NOTHING

    def provided(self, cell: plan_mod.Cell | None) -> typing.Any:
        """Take the first candidate that has a value, or NOTHING."""
        while cell is not None:
            node, key, cell = cell
            value = self.item(node, key)
            if value is not NOTHING:
                return value
        return NOTHING

    def item(self, node: int, key: typing.Any) -> typing.Any:
        """A part of an atom's result, or NOTHING."""
        record = self.record
        result = record.results[node]
        if result is NOTHING or record.states[node] not in _HAS_RESULT:
            return NOTHING
        if node in record.retries:
            result = result[-1][0]
        if key is None:
            return result
        try:
            return result[key]
        except _NO_ITEM:
            return NOTHING

    def _missing(
        self,
        atom: atom_mod.Atom,
        symbol: str,
        cell: plan_mod.Cell | None,
    ) -> typing.NoReturn:
        providers = []
        while cell is not None:
            providers.append(self.record.atoms[cell[0]].name)
            cell = cell[2]
        raise exceptions.NotFound(
            f'Unable to find result {symbol!r} for atom {atom.name!r} of '
            f'flow {self.record.flow_uuid}, expected to be able to find it '
            f'created by one of {providers} but none of them has it'
        )


_NONE: Mapping[str, typing.Any] = {}
