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

"""Stage what happens to atoms, tell of it, and let the core decide.

In this order: the record, so that who is told sees it; the listeners; then
what follows from it.
"""

from __future__ import annotations

import typing

from taskflow_service import exceptions
from taskflow_service import states
from taskflow_service import storage as storage_mod
from taskflow_service.decisions import completion
from taskflow_service.decisions import run as run_mod
from taskflow_service.engines import callbacks
from taskflow_service.engines import teller as teller_mod
from taskflow_service.storage import facade
from taskflow_service.types import failure as ft


class Limits(typing.Protocol):
    """What is asked of the limits of a flow."""

    def revert_again(self, node: int) -> bool:
        """Whether a revert that failed is tried again."""


class Stage:
    """The transitions of one flow's atoms.

    :ivar fatal: what ended the run for good
    :ivar discarded: how many failures did not, but had something done
    :ivar reconsider: something failed, so that what waits for a place may
        not be wanted any more
    """

    def __init__(
        self,
        storage: storage_mod.Storage,
        run: run_mod.Run,
        teller: teller_mod.Teller,
        controllers: callbacks.Controllers,
        limits: Limits,
    ) -> None:
        self._storage = storage
        self.record = storage.record
        self.run = run
        self.teller = teller
        self.controllers = controllers
        self._limits = limits
        self.fatal: list[ft.Failure] = []
        self.discarded = 0
        self.reconsider = False
        #: Retries whose values the database has refused.
        self.refused: dict[int, ft.Failure] = {}

    def start(self, node: int, reverting: bool) -> None:
        """Stage and tell that an atom is RUNNING or REVERTING."""
        record = self.record
        old = record.states[node]
        if self.run.is_new_attempt(node):
            record.start(node)
        completion.started(self.run, node, reverting)
        self.teller.atom_state(node, record.states[node] or '', old=old)

    def succeeded(self, node: int, value: typing.Any) -> None:
        """Stage what an execute returned; a failure if it cannot be kept."""
        record = self.record
        atom = record.atoms[node]
        if record.tracks:
            unstorable = self._pack(node, value)
            if unstorable is not None:
                self.failed(node, unstorable)
                return
        record.keep_result(node, value)
        self.teller.atom_state(node, states.SUCCESS, value)
        if atom.save_as:
            facade.warn_if_short(atom, value)
        completion.succeeded(self.run, node)

    def _pack(self, node: int, value: typing.Any) -> ft.Failure | None:
        """Pack a result at once; give the failure of one that cannot be."""
        try:
            self.record.packed[node] = self._storage.pack(value)
        except exceptions.ValueNotStorable as error:
            named = error.of(self.run.plan.name_of(node))
            return ft.Failure.from_exception(named)
        return None

    def failed(self, node: int, failure: ft.Failure) -> None:
        """Stage why an execute failed."""
        self.record.keep_failure(node, failure)
        self.teller.atom_state(node, states.FAILURE, failure)
        self.reconsider = True
        completion.failed(self.run, node)
        if self.run.aborted:
            self.fatal.append(failure)
        else:
            self.discarded += 1

    def reverted(self, node: int, value: typing.Any) -> None:
        """Stage what a revert returned; a failure if it cannot be kept."""
        if value is not None and self.record.tracks:
            try:
                self._storage.pack(value)
            except exceptions.ValueNotStorable as error:
                named = error.of(self.run.plan.name_of(node), 'revert result')
                self.revert_failed(node, ft.Failure.from_exception(named))
                return
        self.record.keep_revert(node, value)
        self.teller.atom_state(node, states.REVERTED, value)
        completion.reverted(self.run, node)

    def revert_failed(self, node: int, failure: ft.Failure) -> None:
        """Stage why a revert failed; it may be tried again."""
        self.record.keep_revert_failure(node, failure)
        self.teller.atom_state(node, states.REVERT_FAILURE, failure)
        if not self._limits.revert_again(node):
            completion.revert_failed(self.run, node)
            self.fatal.append(failure)

    def reset(self, retry: int) -> None:
        """Reset what a retry controls for its next try."""
        before = {
            node: self.record.states[node]
            for node in self.run.plan.region(retry)
        }
        reset = completion.retried(self.run, retry)
        self.teller.atom_state(retry, states.RETRYING, old=before[retry])
        for node in reset:
            self.record.forget(node)
            self.controllers.forget(node)
            self.teller.atom_state(node, states.PENDING, old=before[node])

    def _raise_refusal(self, node: int) -> None:
        refusal = self.refused.pop(node, None)
        if refusal is not None:
            refusal.reraise()

    def execute_retry(self, node: int) -> None:
        """Begin a try of a retry controller."""
        self.start(node, False)
        try:
            self._raise_refusal(node)
            value = self.controllers.execute(node)
        except Exception:
            self.failed(node, ft.Failure())
        else:
            self.succeeded(node, value)

    def revert_retry(self, node: int) -> None:
        """Have a retry controller revert."""
        self.start(node, True)
        try:
            self._raise_refusal(node)
            failures = self._storage.get_execute_failures()
            value = self.controllers.revert(node, failures)
        except Exception:
            self.revert_failed(node, ft.Failure())
        else:
            self.reverted(node, value)
