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

"""What all engines are to their users."""

from __future__ import annotations

import abc
from collections.abc import Mapping
import typing

from taskflow_service import clock as clock_mod
from taskflow_service import states
from taskflow_service import storage as storage_mod
from taskflow_service.persistence import base as persistence_base
from taskflow_service.persistence import models
from taskflow_service.plan import plan as plan_mod
from taskflow_service.types import failure as ft
from taskflow_service.types import notifier as notifier_mod

if typing.TYPE_CHECKING:
    from oslo_config import cfg

#: States of a flow that somebody has to take further.
UNDER_WAY: typing.Final = (
    states.RUNNING,
    states.SUSPENDING,
    states.RESUMING,
)

#: The event of ``Engine.commit_notifier``.
COMMITTED: typing.Final = 'committed'


class Transition(typing.NamedTuple):
    """A state that is committed."""

    #: ``flow``, ``task`` or ``retry``.
    kind: str
    name: str
    uuid: str
    old_state: str
    state: str
    #: How often the atom was started so far; 0 of a flow.
    attempt: int = 0
    #: Why it is in that state, if it failed.
    failure: ft.Failure | None = None


class Engine(abc.ABC):
    """Runs one flow.

    :ivar notifier: tells of the flow's states
    :ivar atom_notifier: tells of the atoms' states
    :ivar adopting: run the flow only if it is still under way once it is
        owned: who ran it may have ended it since it was looked at
    """

    adopting = False

    def __init__(
        self,
        flow: typing.Any,
        flow_detail: models.FlowDetail,
        backend: persistence_base.Backend | None,
        options: Mapping[str, typing.Any] | None,
    ) -> None:
        self._flow = flow
        self._flow_detail = flow_detail
        self._backend = backend
        self._options = dict(options or {})
        # Made when somebody asks for them.
        self._notifier: notifier_mod.Notifier | None = None
        self._atom_notifier: notifier_mod.Notifier | None = None
        self._commit_notifier: notifier_mod.Notifier | None = None

    @property
    def notifier(self) -> notifier_mod.Notifier:
        """Who tells of the flow's states."""
        if self._notifier is None:
            self._notifier = notifier_mod.Notifier()
        return self._notifier

    @property
    def atom_notifier(self) -> notifier_mod.Notifier:
        """Who tells of the atoms' states."""
        if self._atom_notifier is None:
            self._atom_notifier = notifier_mod.Notifier()
        return self._atom_notifier

    @property
    def commit_notifier(self) -> notifier_mod.Notifier:
        """Who tells, once a turn is committed, what is durable with it.

        Its one event is ``COMMITTED``; ``transitions`` in its details is a
        list of :class:`Transition`. Without a logbook a turn counts as
        committed when it is decided.
        """
        if self._commit_notifier is None:
            self._commit_notifier = notifier_mod.Notifier()
        return self._commit_notifier

    @property
    def heard(self) -> bool:
        """Whether anybody listens to anything of the flow."""
        flow, atoms, commits = (
            self._notifier,
            self._atom_notifier,
            self._commit_notifier,
        )
        return (
            (flow is not None and flow.heard)
            or (atoms is not None and atoms.heard)
            or (commits is not None and commits.heard)
        )

    @property
    def options(self) -> dict[str, typing.Any]:
        """The options it was made with."""
        return self._options

    #: What it was loaded from, if from a configuration.
    conf: cfg.ConfigOpts | None = None

    #: What of an oslo.context travels with the flow's requests.
    context: dict[str, typing.Any] | None = None

    #: What tells the time of its private loop, and when deadlines are.
    clock: clock_mod.Clock = clock_mod.SYSTEM

    @property
    def logbook(self) -> persistence_base.Backend | None:
        """Where the flow is kept if it outlives this process, else None."""
        backend = self._backend
        return backend if backend is not None and backend.durable else None

    @property
    @abc.abstractmethod
    def plan(self) -> plan_mod.Plan:
        """The compiled flow."""

    @property
    @abc.abstractmethod
    def storage(self) -> storage_mod.Storage:
        """The values and states of the flow."""

    @property
    @abc.abstractmethod
    def statistics(self) -> dict[str, typing.Any]:
        """What the last run did and how long it took."""

    @abc.abstractmethod
    def compile(self) -> None:
        """Work out what depends on what; done once."""

    @abc.abstractmethod
    def prepare(self) -> None:
        """Make sure that all atoms are stored; done once."""

    @abc.abstractmethod
    def validate(self) -> None:
        """Make sure that every atom will find what it requires."""

    @abc.abstractmethod
    def run(self) -> None:
        """Run the flow to its end, in this thread; blocks."""

    @abc.abstractmethod
    def suspend(self) -> None:
        """Have the flow stop between tasks; returns at once."""

    @abc.abstractmethod
    def reset(self) -> None:
        """Put every atom back to where it was before the first run."""
