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

"""Log what happens to a flow and its tasks."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
import logging
import os
import typing

from taskflow_service import atom as atom_mod
from taskflow_service import formatters
from taskflow_service import masking
from taskflow_service import states
from taskflow_service.engines import base as engines_base
from taskflow_service.listeners import base
from taskflow_service.types import failure as ft
from taskflow_service.types import tree

LOG = logging.getLogger(__name__)


class LoggingListener(base.DumpingListener):
    """Logs a line for every event, at one level.

    :param log: the logger (or adapter) that is written to; this module's
        where none is given
    """

    #: What a derived class logs to where it is given no logger.
    _LOGGER: typing.Any = None

    def __init__(
        self,
        engine: engines_base.Engine,
        task_listen_for: Iterable[str] = base.DEFAULT_LISTEN_FOR,
        flow_listen_for: Iterable[str] = base.DEFAULT_LISTEN_FOR,
        retry_listen_for: Iterable[str] = base.DEFAULT_LISTEN_FOR,
        log: typing.Any = None,
        level: int = logging.DEBUG,
    ) -> None:
        super().__init__(
            engine, task_listen_for, flow_listen_for, retry_listen_for
        )
        self._logger = log or self._LOGGER or LOG
        self._level = level

    def _dump(
        self, message: str, *args: typing.Any, **kwargs: typing.Any
    ) -> None:
        self._logger.log(self._level, message, *args, **kwargs)


class DynamicLoggingListener(base.Listener):
    """Logs what went well at one level, and what did not at another.

    A task that failed is logged with its traceback and with the atoms that
    ran before it (``formatters.FailureFormatter``). Results are logged only
    where the logger takes the level of what goes well.

    :param log: the logger (or adapter) that is written to
    :param failure_level: the level for FAILURE, REVERT_FAILURE, REVERTED and
        RETRYING
    :param level: the level for all other states
    :param hide_inputs_outputs_of: names of tasks whose arguments and results
        are never logged
    :param fail_formatter: makes the text for a failure, see
        ``FailureFormatter.format``
    :param mask_inputs_keys: keys in arguments whose values are masked
    :param mask_outputs_keys: keys in results whose values are masked
    """

    _LOGGER: typing.Any = None

    #: States that come with a failure.
    _FAILURE_STATES = (states.FAILURE, states.REVERT_FAILURE)

    def __init__(
        self,
        engine: engines_base.Engine,
        task_listen_for: Iterable[str] = base.DEFAULT_LISTEN_FOR,
        flow_listen_for: Iterable[str] = base.DEFAULT_LISTEN_FOR,
        retry_listen_for: Iterable[str] = base.DEFAULT_LISTEN_FOR,
        log: typing.Any = None,
        failure_level: int = logging.WARNING,
        level: int = logging.DEBUG,
        hide_inputs_outputs_of: Iterable[str] = (),
        fail_formatter: formatters.FailureFormatter | None = None,
        mask_inputs_keys: Iterable[str] = (),
        mask_outputs_keys: Iterable[str] = (),
    ) -> None:
        super().__init__(
            engine, task_listen_for, flow_listen_for, retry_listen_for
        )
        self._failure_level = failure_level
        self._level = level
        self._task_log_levels = {
            states.FAILURE: failure_level,
            states.REVERTED: failure_level,
            states.RETRYING: failure_level,
            states.REVERT_FAILURE: failure_level,
        }
        self._flow_log_levels = {
            states.FAILURE: failure_level,
            states.REVERTED: failure_level,
        }
        self._hide_inputs_outputs_of = frozenset(hide_inputs_outputs_of)
        self._mask_inputs_keys = frozenset(mask_inputs_keys)
        self._mask_outputs_keys = frozenset(mask_outputs_keys)
        self._logger = log or self._LOGGER or LOG
        self._fail_formatter = fail_formatter or formatters.FailureFormatter(
            engine,
            hide_inputs_outputs_of=self._hide_inputs_outputs_of,
            mask_inputs_keys=self._mask_inputs_keys,
            mask_outputs_keys=self._mask_outputs_keys,
        )

    def _flow_receiver(self, state: str, details: base.Details) -> None:
        self._logger.log(
            self._flow_log_levels.get(state, self._level),
            "Flow '%s' (%s) transitioned into state '%s' from state '%s'",
            details['flow_name'],
            details['flow_uuid'],
            state,
            details.get('old_state'),
        )

    def _task_receiver(self, state: str, details: base.Details) -> None:
        name = details['task_name']
        level = self._task_log_levels.get(state, self._level)
        message = "Task '%s' (%s) transitioned into state '%s' from state '%s'"
        args = [name, details['task_uuid'], state, details.get('old_state')]
        exc_info = None
        if state in base.FINISH_STATES:
            result = details.get('result')
            if isinstance(result, ft.Failure):
                exc_info, more = self._fail_formatter.format(
                    result, _matcher(name)
                )
                if more:
                    message += '%s%s'
                    args += [os.linesep, masking.Masked(more)]
            elif (
                state not in self._FAILURE_STATES
                and name not in self._hide_inputs_outputs_of
                and self._logger.isEnabledFor(self._level)
            ):
                message += " with result '%s'"
                args.append(masking.Masked(result))
        self._logger.log(level, message, *args, exc_info=exc_info)


def _matcher(name: str) -> Callable[[tree.Node], bool]:
    """Match an atom by its name; a flow may have the same."""

    def is_it(node: tree.Node) -> bool:
        return isinstance(node.item, atom_mod.Atom) and node.item.name == name

    return is_it
