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

"""The engines whose tasks run in the process that runs the flow."""

from __future__ import annotations

from concurrent import futures
import typing

from taskflow_service import registry
from taskflow_service.engines import engine as engine_mod
from taskflow_service.executors import base as executors_base


class SerialEngine(engine_mod.Engine):
    """Runs one task after the other, in the thread that calls ``run()``.

    In a shared loop it runs them in the loop's pool, one at a time.
    """

    def make_executor(self, shared: bool = False) -> executors_base.Executor:
        """Make what runs the tasks."""
        name = 'threads' if shared else 'inline'
        options = {'per_flow': 1} if shared else {}
        made: executors_base.Executor = registry.load(
            registry.Kind.EXECUTOR, name
        )(**options)
        return made

    def executor_key(self) -> typing.Any:
        """All serial flows of a loop share a pool."""
        return 'serial'


class ParallelEngine(engine_mod.Engine):
    """Runs tasks that do not depend on each other at the same time.

    Options: ``executor`` (``'threads'``, ``'processes'``, a
    ``concurrent.futures.Executor``, or an executor of this package) and
    ``max_workers``; without them what ``[engine]`` configures.
    """

    _NAMES = {
        'thread': 'threads',
        'threaded': 'threads',
        'threads': 'threads',
        'process': 'processes',
        'processes': 'processes',
    }

    def _chosen(self) -> tuple[typing.Any, int | None]:
        chosen = self.options.get('executor')
        workers = self.options.get('max_workers')
        if isinstance(workers, str):
            # From the query of a URI.
            workers = int(workers)
        if self.conf is not None:
            if chosen is None:
                chosen = self.conf.engine.executor
            if workers is None:
                workers = self.conf.engine.max_workers
        return 'threads' if chosen is None else chosen, workers

    def make_executor(self, shared: bool = False) -> executors_base.Executor:
        """Make what runs the tasks, unless it was given."""
        chosen, workers = self._chosen()
        if isinstance(chosen, executors_base.Executor):
            return chosen
        given: dict[str, typing.Any] = {}
        if isinstance(chosen, str):
            name = self._NAMES.get(chosen.lower(), chosen)
            if name not in registry.names(registry.Kind.EXECUTOR):
                raise ValueError(
                    f'Unknown executor {chosen!r}: tasks run in threads '
                    f"('threads'), in processes ('processes') or in an "
                    f'executor that is installed under its own name'
                )
        elif isinstance(chosen, futures.Executor):
            name = 'threads'
            given['executor'] = chosen
        else:
            raise TypeError(
                f'Unknown executor type {type(chosen)}: an executor, or the '
                f'name of one, is expected'
            )
        if name == 'processes':
            given |= self._for_processes()
        made: executors_base.Executor = registry.load(
            registry.Kind.EXECUTOR, name
        )(max_workers=workers, **given)
        return made

    def _for_processes(self) -> dict[str, typing.Any]:
        given: dict[str, typing.Any] = {}
        if 'cancel_grace' in self.options:
            given['cancel_grace'] = self.options['cancel_grace']
        if self.conf is not None:
            given['conf'] = self.conf
        return given

    def executor_key(self) -> typing.Any:
        """Flows with the same options share an executor."""
        chosen, workers = self._chosen()
        if not isinstance(chosen, str):
            return id(chosen)
        if chosen.startswith('process'):
            # Its processes are set up by the one, and ended by the other.
            grace = self.options.get('cancel_grace')
            return chosen, workers, id(self.conf), grace
        return chosen, workers
