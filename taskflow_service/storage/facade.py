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

"""TaskFlow's storage: names and values, for engines' users and listeners.

The engine itself writes to the record and the ledger below. Everything that
is written here is committed before the call returns, unless it is called
within a turn (by a listener, a decider, a retry controller): then it becomes
part of what the turn commits.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import logging
import threading
import typing

from taskflow_service import atom as atom_mod
from taskflow_service import exceptions
from taskflow_service import retry as retry_mod
from taskflow_service import states
from taskflow_service import task as task_mod
from taskflow_service.persistence import base
from taskflow_service.persistence import models
from taskflow_service.storage import binding as binding_mod
from taskflow_service.storage import ledger as ledger_mod
from taskflow_service.storage import lookup
from taskflow_service.storage import record as record_mod
from taskflow_service.types import failure as ft

LOG = logging.getLogger(__name__)

NOTHING = record_mod.NOTHING

_EXECUTED = (states.SUCCESS, states.FAILURE, states.REVERTING)
_REVERTED = (states.REVERTED, states.REVERT_FAILURE, states.REVERTING)


class _Lock:
    """What stands where TaskFlow keeps a readers-writer lock."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    @contextlib.contextmanager
    def read_lock(self) -> Iterator[None]:
        """Hold it to read."""
        with self._lock:
            yield

    write_lock = read_lock


class Driver(typing.Protocol):
    """The run of a flow, as far as its storage needs it."""

    def in_loop(self) -> bool:
        """Whether the calling thread is the one that commits turns."""

    def flush(self) -> None:
        """Have what is staged committed by the loop; blocks."""


class Storage(lookup.Lookup):
    """The values, states and metadata of one flow, by name.

    Reading is thread-safe; writing belongs to the thread that runs the
    engine. ``scope_fetcher`` is accepted for compatibility: which providers
    an atom sees was worked out when its flow was compiled.
    """

    #: The name under which injected values are found among the details.
    injector_name = record_mod.INJECTOR

    def __init__(
        self,
        flow_detail: models.FlowDetail,
        backend: base.Backend | None = None,
        scope_fetcher: Callable[[str], typing.Any] | None = None,
    ) -> None:
        self._flowdetail = flow_detail
        self._backend = backend
        self._scope_fetcher = scope_fetcher
        tracks = backend is not None and backend.writes
        record = record_mod.Record(flow_detail, tracks)
        super().__init__(record, binding_mod.Binding(record))
        self.ledger = ledger_mod.Ledger(self.record, backend)
        self.ledger.stand(flow_detail.epoch, flow_detail.turn)
        #: The thread that is within a turn: what it writes is committed
        #: with the turn.
        self.turn_thread: int | None = None
        #: The run that is under way, if there is one.
        self.driver: Driver | None = None
        self._lock: _Lock | None = None

    # The flow

    @property
    def lock(self) -> _Lock:
        """A lock for compatibility; nothing here waits for it."""
        if self._lock is None:
            self._lock = _Lock()
        return self._lock

    @property
    def flow_name(self) -> str:
        """The name of the flow's detail."""
        return self.record.flow_name

    @property
    def flow_uuid(self) -> str:
        """The uuid of the flow's detail."""
        return self.record.flow_uuid

    @property
    def flow_meta(self) -> dict[typing.Any, typing.Any]:
        """The flow's metadata."""
        return self.record.meta

    @property
    def backend(self) -> base.Backend | None:
        """Where the flow is kept, None for memory alone."""
        return self._backend

    def pack(self, value: typing.Any) -> typing.Any:
        """What of a value is kept; raises ``ValueNotStorable``."""
        return value if self._backend is None else self._backend.pack(value)

    def get_flow_state(self) -> str:
        """The flow's state; PENDING before it was first run."""
        return self.record.state or states.PENDING

    def set_flow_state(self, state: str) -> None:
        """Set the flow's state, whatever it was."""
        self.record.state = state
        self.record.changed = True
        self._save()

    def change_flow_state(self, state: str) -> tuple[bool, str]:
        """Set the flow's state if its transitions allow that.

        Returns whether it changed, and the state before. Raises
        ``InvalidState``.
        """
        old = self.get_flow_state()
        changed = states.check_flow_transition(old, state)
        if changed:
            self.set_flow_state(state)
        return changed, old

    def update_flow_metadata(
        self, update_with: Mapping[typing.Any, typing.Any]
    ) -> None:
        """Add to the flow's metadata."""
        if update_with:
            self.record.meta.update(update_with)
            self.record.changed = True
            self._save()

    # Atoms

    def ensure_atoms(self, atoms: Iterable[atom_mod.Atom]) -> list[str]:
        """Make sure that atoms are known; return their uuids."""
        uuids = [self._ensure(atom) for atom in atoms]
        self._save()
        return uuids

    def ensure_atom(self, atom: atom_mod.Atom) -> str:
        """Make sure that an atom is known; return its uuid."""
        uuid = self._ensure(atom)
        self._save()
        return uuid

    def _ensure(self, atom: atom_mod.Atom) -> str:
        if not isinstance(atom, atom_mod.Atom):
            raise TypeError(
                f"Unknown atom '{atom}' ({type(atom)}) requested to ensure"
            )
        return self.record.uuid(self.record.ensure(atom))

    def _node(self, name: str, kind: type | None = None) -> int:
        try:
            node = self.record.index[name]
        except KeyError as error:
            raise exceptions.NotFound(
                f'Unknown atom name {name!r} in flow {self.flow_uuid}', error
            ) from error
        if kind is not None and not isinstance(self.record.atoms[node], kind):
            raise TypeError(
                f'Atom {name!r} is not of the expected type: {kind.__name__}'
            )
        return node

    def get_atom_uuid(self, atom_name: str) -> str:
        """The uuid of an atom."""
        return self.record.uuid(self._node(atom_name))

    def get_atom_state(self, atom_name: str) -> str:
        """The state of an atom."""
        return self.record.states[self._node(atom_name)] or states.PENDING

    def set_atom_state(self, atom_name: str, state: str) -> None:
        """Set the state of an atom, whatever it was."""
        node = self._node(atom_name)
        self.record.states[node] = state
        self._touch(node)

    def get_atom_intention(self, atom_name: str) -> str:
        """What is to become of an atom."""
        return self.record.intentions[self._node(atom_name)] or states.EXECUTE

    def set_atom_intention(self, atom_name: str, intention: str) -> None:
        """Say what is to become of an atom."""
        node = self._node(atom_name)
        self.record.intentions[node] = intention
        self._touch(node)

    def get_atoms_states(
        self, atom_names: Iterable[str]
    ) -> dict[str, tuple[str, str]]:
        """States and intentions by atom name."""
        return {
            name: (self.get_atom_state(name), self.get_atom_intention(name))
            for name in atom_names
        }

    def update_atom_metadata(
        self, atom_name: str, update_with: Mapping[typing.Any, typing.Any]
    ) -> None:
        """Add to an atom's metadata."""
        node = self._node(atom_name)
        if not update_with:
            return
        meta = {**self.record.metas.get(node, {}), **update_with}
        if self.record.tracks:
            self.pack(meta)
        self.record.metas[node] = meta
        self._touch(node)

    def _touch(self, node: int) -> None:
        self.record.touch(node)
        self._save()

    # Progress

    def set_task_progress(
        self,
        task_name: str,
        progress: float,
        details: Mapping[typing.Any, typing.Any] | None = None,
    ) -> None:
        """Keep how far a task is, from 0 to 1, and what it says of it."""
        self._node(task_name, task_mod.Task)
        update: dict[str, typing.Any] = {'progress': progress}
        if details is not None:
            # Where there is nothing to say of it, what was said last stays.
            update['progress_details'] = (
                {'at_progress': progress, 'details': details}
                if details
                else None
            )
        self.update_atom_metadata(task_name, update)

    def get_task_progress(self, task_name: str) -> float:
        """How far a task is, from 0 to 1."""
        return self.record.progress(self._node(task_name, task_mod.Task))

    def get_task_progress_details(self, task_name: str) -> typing.Any:
        """What a task last said of its progress."""
        node = self._node(task_name, task_mod.Task)
        return self.record.metas.get(node, {}).get('progress_details')

    # Results

    def save(
        self,
        atom_name: str,
        result: typing.Any,
        state: str = states.SUCCESS,
    ) -> None:
        """Keep what an execute or revert ended with, and the state."""
        if atom_name == self.injector_name:
            self._store(dict(result))
            return
        node = self._node(atom_name)
        record = self.record
        record.states[node] = state
        if state == states.REVERT_FAILURE:
            record.keep_revert_failure(node, result)
        elif state == states.REVERTED:
            record.keep_revert(node, result)
        elif isinstance(result, ft.Failure):
            record.keep_failure(node, result)
        else:
            record.keep_result(node, result)
            warn_if_short(record.atoms[node], result)
        self._save()

    def get_execute_result(self, atom_name: str) -> typing.Any:
        """What an execute returned, or the failure it ended with."""
        node = self._node(atom_name)
        record = self.record
        if node in record.failures:
            # Also after it was reverted: why it was.
            return record.failures[node]
        self._allow(atom_name, node, _EXECUTED, 'execution')
        if record.is_retry(node):
            return record.history(node)
        result = record.results[node]
        return None if result is NOTHING else result

    get = get_execute_result

    def get_revert_result(self, atom_name: str) -> typing.Any:
        """What a revert returned, or the failure it ended with."""
        node = self._node(atom_name)
        if node in self.record.revert_failures:
            return self.record.revert_failures[node]
        self._allow(atom_name, node, _REVERTED, 'revert')
        return self.record.revert_results.get(node)

    def _allow(
        self, name: str, node: int, allowed: tuple[str, ...], what: str
    ) -> None:
        state = self.record.states[node]
        if state in allowed:
            return
        error = exceptions.DisallowedAccess(
            f'Result for atom {name!r} is not known/accessible due to it '
            f'being in {state} state when result access is restricted to '
            f'{tuple(map(str, allowed))} states',
            state=state,
        )
        raise exceptions.NotFound(
            f'Result for atom {name!r} {what} is not known', error
        ) from error

    def get_execute_failures(self) -> dict[str, ft.Failure]:
        """The failures of executes by atom name.

        Among them those of atoms that the flow does not have any more.
        """
        failures = self._named(self.record.failures)
        for name, detail in self.record.strangers.items():
            if detail.failure is not None:
                failures[name] = detail.failure
        return failures

    get_failures = get_execute_failures

    def get_revert_failures(self) -> dict[str, ft.Failure]:
        """The failures of reverts by atom name."""
        return self._named(self.record.revert_failures)

    def _named(self, found: dict[int, ft.Failure]) -> dict[str, ft.Failure]:
        atoms = self.record.atoms
        return {atoms[node].name: found[node] for node in sorted(found)}

    def has_failures(self) -> bool:
        """Whether any execute or revert ended with a failure."""
        return bool(self.record.failures or self.record.revert_failures)

    def reset(self, atom_name: str, state: str = states.PENDING) -> None:
        """Forget what an atom did, unless it is in that state already."""
        node = self._node(atom_name)
        if self.record.states[node] == state:
            return
        self.record.forget(node)
        self.record.states[node] = state
        self.record.intentions[node] = states.EXECUTE
        self._save()

    # Retries

    def get_retry_history(self, retry_name: str) -> retry_mod.History:
        """The tries of a retry; none any more where it has reverted."""
        node = self._node(retry_name, retry_mod.Retry)
        over = self.record.states[node] == states.REVERTED
        return retry_mod.History(
            [] if over else self.record.history(node),
            failure=self.record.failures.get(node),
        )

    def get_retry_histories(self) -> list[tuple[str, retry_mod.History]]:
        """The tries of every retry by name."""
        return [
            (name, self.get_retry_history(name))
            for name, node in self.record.index.items()
            if self.record.is_retry(node)
        ]

    def save_retry_failure(
        self, retry_name: str, failed_atom_name: str, failure: ft.Failure
    ) -> None:
        """Add a failure to the last try of a retry."""
        node = self._node(retry_name, retry_mod.Retry)
        history = self.record.history(node)
        if not history:
            raise exceptions.NotFound(
                f'Retry {retry_name!r} has no try yet to add a failure to'
            )
        history[-1][1].setdefault(failed_atom_name, failure)
        self._touch(node)

    def cleanup_retry_history(self, retry_name: str, state: str) -> None:
        """Forget the tries of a retry and set its state."""
        node = self._node(retry_name, retry_mod.Retry)
        failure = self.record.failures.get(node)
        self.record.forget(node)
        if failure is not None:
            # Why it failed itself is no try.
            self.record.failures[node] = failure
        self.record.states[node] = state
        self._save()

    # Injected values

    def inject_atom_args(
        self,
        atom_name: str,
        pairs: Mapping[str, typing.Any],
        transient: bool = True,
    ) -> None:
        """Give values to one atom alone, kept with the flow or not."""
        if transient:
            # Also before the flow is compiled and the atom is known.
            args = self.binding.atom_args.setdefault(atom_name, {})
            args.update(pairs)
            return
        node = self._node(atom_name)
        stored = self.record.metas.get(node, {}).get('injected', {})
        self.update_atom_metadata(atom_name, {'injected': {**stored, **pairs}})

    def inject(
        self,
        pairs: Mapping[str, typing.Any] | Iterable[tuple[str, typing.Any]],
        transient: bool = False,
    ) -> None:
        """Give values to all atoms, kept with the flow or not."""
        values = dict(pairs)
        if transient:
            self.binding.flow_args.update(values)
            return
        record = self.record
        stored: dict[str, typing.Any] = {}
        if record.injector is not None:
            stored = record.injector.results or {}
        self._store({**stored, **values})

    def _store(self, stored: dict[str, typing.Any]) -> None:
        """Replace what was given to all atoms."""
        record = self.record
        if record.tracks:
            self.pack(stored)
        if record.injector is None:
            self._store_first = not record.index
            record.injector = models.TaskDetail(self.injector_name)
            record.injector.state = states.SUCCESS
        record.injector.results = stored
        record.injector_changed = record.tracks
        self._save()

    # Committing

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Let what this thread writes become part of a turn's commit."""
        outer, self.turn_thread = self.turn_thread, threading.get_ident()
        try:
            yield
        finally:
            self.turn_thread = outer

    def _save(self) -> None:
        if not self.record.tracks:
            return
        if self.turn_thread == threading.get_ident():
            return
        if self.driver is None or self.driver.in_loop():
            self.ledger.save()
        else:
            self.driver.flush()


def warn_if_short(atom: atom_mod.Atom, result: typing.Any) -> None:
    """Say in the log which provided names a result has nothing for."""
    for symbol, key in atom.save_as.items():
        if key is None:
            continue
        try:
            result[key]
        except (IndexError, KeyError, TypeError, ValueError):
            LOG.warning(
                'Atom %s did not supply result with index %r (name %s)',
                atom.name,
                key,
                symbol,
            )
