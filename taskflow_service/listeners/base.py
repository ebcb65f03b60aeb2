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

"""Hear of what happens to a flow and its atoms.

A listener is three methods that an engine's notifiers call. Whoever derives
from it overrides those that are of interest; nothing is registered, and so
nothing is made to be told, for the others' sake.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from collections.abc import Iterable
import logging
import types
import typing

from taskflow_service import masking
from taskflow_service import states
from taskflow_service.engines import base as engines_base
from taskflow_service.types import failure as ft
from taskflow_service.types import notifier as notifier_mod

LOG = logging.getLogger(__name__)

#: States whose events carry a result.
FINISH_STATES = (
    states.FAILURE,
    states.SUCCESS,
    states.REVERTED,
    states.REVERT_FAILURE,
)

#: What is listened for where nothing is said: everything.
DEFAULT_LISTEN_FOR = (notifier_mod.Notifier.ANY,)

Details = dict[str, typing.Any]
_Receiver = Callable[[str, Details], object]


def _is_task(details: Details) -> bool:
    return bool(details.get('task_name'))


def _is_retry(details: Details) -> bool:
    return bool(details.get('retry_name'))


class Listener:
    """Listens to one engine, from ``register()`` to ``deregister()``.

    As a context manager it does so for the length of a block. The three
    arguments say which states of the tasks, the flow and the retries are
    listened for. The receivers are called by the thread that runs the
    engine; what they raise is logged and stops nothing.
    """

    def __init__(
        self,
        engine: engines_base.Engine,
        task_listen_for: Iterable[str] = DEFAULT_LISTEN_FOR,
        flow_listen_for: Iterable[str] = DEFAULT_LISTEN_FOR,
        retry_listen_for: Iterable[str] = DEFAULT_LISTEN_FOR,
    ) -> None:
        self._engine = engine
        self._listen_for = {
            'task': list(task_listen_for or ()),
            'retry': list(retry_listen_for or ()),
            'flow': list(flow_listen_for or ()),
        }
        self._registered: list[
            tuple[
                notifier_mod.Notifier,
                str,
                _Receiver,
                Callable[[Details], bool] | None,
            ]
        ] = []

    def _flow_receiver(self, state: str, details: Details) -> None:
        """Hear that the flow is in another state."""

    def _task_receiver(self, state: str, details: Details) -> None:
        """Hear that a task is in another state."""

    def _retry_receiver(self, state: str, details: Details) -> None:
        """Hear that a retry is in another state."""

    def on_committed(self, transitions: list[engines_base.Transition]) -> None:
        """Hear what a commit has made durable; no crash undoes that."""

    def _committed_receiver(self, event: str, details: Details) -> None:
        self.on_committed(details['transitions'])

    def register(self) -> None:
        """Begin to listen; nothing happens where it does already."""
        if self._registered:
            return
        engine = self._engine
        for kind, receiver, notifier, wanted in (
            ('task', self._task_receiver, engine.atom_notifier, _is_task),
            ('retry', self._retry_receiver, engine.atom_notifier, _is_retry),
            ('flow', self._flow_receiver, engine.notifier, None),
        ):
            if _overridden(self, f'_{kind}_receiver'):
                for state in self._listen_for[kind]:
                    notifier.register(state, receiver, details_filter=wanted)
                    self._registered.append(
                        (notifier, state, receiver, wanted)
                    )
        if _overridden(self, 'on_committed'):
            engine.commit_notifier.register(
                engines_base.COMMITTED, self._committed_receiver
            )
            self._registered.append(
                (
                    engine.commit_notifier,
                    engines_base.COMMITTED,
                    self._committed_receiver,
                    None,
                )
            )

    def deregister(self) -> None:
        """Listen no more."""
        while self._registered:
            notifier, state, receiver, wanted = self._registered.pop()
            notifier.deregister(state, receiver, details_filter=wanted)

    def __enter__(self) -> typing.Self:
        self.register()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: types.TracebackType | None,
    ) -> None:
        try:
            self.deregister()
        except Exception:
            # What happened within the block is what its caller is to see.
            LOG.warning(
                'Listener %r could not be deregistered from %r',
                self,
                self._engine,
                exc_info=True,
            )


def _overridden(listener: Listener, receiver: str) -> bool:
    mine = getattr(listener, receiver)
    return getattr(mine, '__func__', mine) is not getattr(Listener, receiver)


class DumpingListener(Listener, metaclass=abc.ABCMeta):
    """Words every event of the flow and its tasks, and dumps the message."""

    @abc.abstractmethod
    def _dump(
        self, message: str, *args: typing.Any, **kwargs: typing.Any
    ) -> None:
        """Write a message with its arguments.

        ``exc_info`` is among the keywords where there is an exception.
        """

    def _flow_receiver(self, state: str, details: Details) -> None:
        self._dump(
            "%s has moved flow '%s' (%s) into state '%s' from state '%s'",
            self._engine,
            details['flow_name'],
            details['flow_uuid'],
            state,
            details['old_state'],
        )

    def _task_receiver(self, state: str, details: Details) -> None:
        message = "%s has moved task '%s' (%s) into state '%s' from state '%s'"
        args = [
            self._engine,
            details['task_name'],
            details['task_uuid'],
            state,
            details['old_state'],
        ]
        kwargs = {}
        if state in FINISH_STATES:
            result = details.get('result')
            message += " with result '%s' (failure=%s)"
            args += [masking.Masked(result), isinstance(result, ft.Failure)]
            if isinstance(result, ft.Failure) and result.exc_info:
                kwargs['exc_info'] = result.exc_info
        self._dump(message, *args, **kwargs)
