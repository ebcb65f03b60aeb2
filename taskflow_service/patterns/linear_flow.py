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

"""One after the other."""

from __future__ import annotations

from collections.abc import Iterator
import itertools

from taskflow_service import flow
from taskflow_service.patterns import pattern


class Flow(pattern.Listed):
    """Executes its children in the order in which they were added.

    They are reverted in the opposite order. A child sees what those before
    it provide.
    """

    def iter_links(self) -> Iterator[tuple[flow.Item, flow.Item, flow.Meta]]:
        """Iterate over ``(before, after, meta)`` of neighbours."""
        for before, after in itertools.pairwise(self._items):
            yield before, after, {flow.LINK_INVARIANT: True}

    def _work_out(self) -> pattern.Symbols:
        requires, provides = self._of_retry()
        for item in self._items:
            requires.update(s for s in item.requires if s not in provides)
            provides.update(item.provides)
        return pattern.Symbols(frozenset(requires), frozenset(provides))
