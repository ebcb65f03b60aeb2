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

"""All at once."""

from __future__ import annotations

from collections.abc import Iterator

from taskflow_service import flow
from taskflow_service.patterns import pattern


class Flow(pattern.Listed):
    """Executes its children in any order, also at the same time.

    So none of them sees what another one provides.
    """

    def iter_links(self) -> Iterator[tuple[flow.Item, flow.Item, flow.Meta]]:
        """Iterate over the links, of which there are none."""
        return iter(())

    def _work_out(self) -> pattern.Symbols:
        required, provided = self._of_retry()
        provides = set(provided)
        requires: set[str] = set()
        for item in self._items:
            requires.update(item.requires)
            provides.update(item.provides)
        return pattern.Symbols(
            frozenset(requires - provided | required), frozenset(provides)
        )
