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

"""Print what happens to a flow and its tasks."""

from __future__ import annotations

from collections.abc import Iterable
import sys
import traceback
import typing

from taskflow_service.engines import base as engines_base
from taskflow_service.listeners import base


class PrintingListener(base.DumpingListener):
    """Prints a line for every event, to stdout or to stderr.

    The traceback of an exception is printed after it.
    """

    def __init__(
        self,
        engine: engines_base.Engine,
        task_listen_for: Iterable[str] = base.DEFAULT_LISTEN_FOR,
        flow_listen_for: Iterable[str] = base.DEFAULT_LISTEN_FOR,
        retry_listen_for: Iterable[str] = base.DEFAULT_LISTEN_FOR,
        stderr: bool = False,
    ) -> None:
        super().__init__(
            engine, task_listen_for, flow_listen_for, retry_listen_for
        )
        self._file = sys.stderr if stderr else sys.stdout

    def _dump(
        self, message: str, *args: typing.Any, **kwargs: typing.Any
    ) -> None:
        print(message % args, file=self._file)
        exc_info = kwargs.get('exc_info')
        if exc_info is not None:
            traceback.print_exception(*exc_info, file=self._file)
