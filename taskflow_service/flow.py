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

"""What every flow is: named atoms and flows, with links between them.

A flow says what must come before what; how its children are ordered is the
matter of a pattern (see :mod:`taskflow_service.patterns`).
"""

from __future__ import annotations

import abc
from collections.abc import Iterable
from collections.abc import Iterator
import typing

from oslo_utils import reflection

from taskflow_service import atom
from taskflow_service import retry as retry_mod

#: Keys of what :meth:`Flow.iter_links` tells about a link. That its order
#: belongs to the pattern;
LINK_INVARIANT = 'invariant'
#: that somebody made it by hand;
LINK_MANUAL = 'manual'
#: that it comes from a retry controller;
LINK_RETRY = 'retry'
#: the set of symbols for which it is there;
LINK_REASONS = 'reasons'
#: the callable that is asked before the target is executed;
LINK_DECIDER = 'decider'
#: and how far its no reaches (:class:`taskflow_service.deciders.Depth`).
LINK_DECIDER_DEPTH = 'decider_depth'

Meta = dict[str, typing.Any]

_PATTERNS = 'taskflow_service.patterns.'


class Flow(abc.ABC):
    """A named container of atoms and other flows.

    :param name: unique among the flows that run together is best
    :param retry: the controller that decides when something in here fails;
        one without a name is called ``<name>_retry``
    """

    def __init__(
        self, name: str, retry: retry_mod.Retry | None = None
    ) -> None:
        self._name = name
        self._retry = retry
        if retry is not None and not retry.name:
            retry.name = f'{name}_retry'

    @property
    def name(self) -> str:
        """Return the name, which cannot be changed."""
        return self._name

    @property
    def retry(self) -> retry_mod.Retry | None:
        """Return the retry controller of this flow, if it has one."""
        return self._retry

    @abc.abstractmethod
    def add(self, *items: Item) -> typing.Self:
        """Add atoms or flows, and return the flow itself."""

    @abc.abstractmethod
    def __len__(self) -> int:
        """Return the number of children."""

    @abc.abstractmethod
    def __iter__(self) -> Iterator[Item]:
        """Iterate over the children, in an order in which they could run."""

    @abc.abstractmethod
    def iter_links(self) -> Iterable[tuple[Item, Item, Meta]]:
        """Iterate over ``(before, after, meta)`` of the children."""

    @abc.abstractmethod
    def iter_nodes(self) -> Iterable[tuple[Item, Meta]]:
        """Iterate over ``(child, meta)``, in the order of the children."""

    @property
    @abc.abstractmethod
    def requires(self) -> frozenset[str]:
        """Return the symbols that must come from outside."""

    @property
    def provides(self) -> frozenset[str]:
        """Return the symbols that its atoms and its retry provide."""
        provided: set[str] = set()
        if self._retry is not None:
            provided.update(self._retry.provides)
        for item in self:
            provided.update(item.provides)
        return frozenset(provided)

    def __str__(self) -> str:
        kind = reflection.get_class_name(self).removeprefix(_PATTERNS)
        return f'"{kind}: {self.name}(len={len(self)})"'


#: What a flow is made of.
Item = atom.Atom | Flow
