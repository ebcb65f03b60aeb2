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


"""Which task classes a worker serves, under which names.

Nothing is imported by a name that came over the bus: what is not in here is
not served.
"""

from __future__ import annotations

from collections.abc import Iterable
import types

from oslo_config import cfg

from taskflow_service import exceptions
from taskflow_service import registry
from taskflow_service import task as task_mod

#: What a program may give to a worker: a class, a module, the path of
#: either, or a name or pattern of registered tasks.
Entry = str | type[task_mod.Task] | types.ModuleType


class Catalogue:
    """Wire names to classes and versions.

    :raises Duplicate: two classes want one wire name
    :raises ConfigurationError: there is nothing to serve
    """

    def __init__(self, served: Iterable[registry.TaskType]) -> None:
        self._served: dict[str, registry.TaskType] = {}
        self.add(served)
        if not self._served:
            raise exceptions.ConfigurationError(
                '[worker] tasks: nothing to serve; name at least one task '
                'of an installed distribution, or give classes to Worker()',
                option='[worker] tasks',
            )

    def add(self, served: Iterable[registry.TaskType]) -> bool:
        """Serve more; return whether that is a change.

        :raises Duplicate: two classes want one wire name
        """
        before = len(self._served)
        for each in served:
            for name in each.names:
                self._add(name, each)
        return len(self._served) > before

    @property
    def versions(self) -> dict[str, str]:
        """Map each wire name to the version of its task."""
        return {name: each.version for name, each in self._served.items()}

    @property
    def types(self) -> list[registry.TaskType]:
        """List what is served, each once."""
        return list(
            {each.name: each for each in self._served.values()}.values()
        )

    def find(self, name: str) -> type[task_mod.Task]:
        """Return the class of a wire name.

        :raises UnknownTask: it is not served here
        """
        found = self._served.get(name)
        if found is None:
            raise exceptions.UnknownTask(f'Task {name!r} is not served here')
        return found.cls

    def _add(self, name: str, wanted: registry.TaskType) -> None:
        there = self._served.setdefault(name, wanted)
        if there.cls is not wanted.cls:
            raise exceptions.Duplicate(
                f'[worker] tasks: {name!r} is both '
                f'{registry.path_of(there.cls)} ({there.origin}) and '
                f'{registry.path_of(wanted.cls)} ({wanted.origin}); rename '
                'one of them, or serve only one'
            )


def build(conf: cfg.ConfigOpts, given: Iterable[Entry] | None) -> Catalogue:
    """Make the catalogue of what a program gives, else of ``[worker] tasks``.

    Imports what it serves. Raises ConfigurationError, NotFound, Duplicate.
    """
    if given is None:
        return Catalogue(registry.tasks(conf.worker.tasks))
    return Catalogue(registry.tasks_from(given))
