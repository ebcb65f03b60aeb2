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


"""Doing together what several threads want at the same time.

A commit is mostly waiting for a disk. So what is handed in while one is
under way is done by the next one, all of it at once; whoever comes first does
it for all that wait. Alone it costs a lock.
"""

from __future__ import annotations

import collections
from collections.abc import Callable
from collections.abc import Sequence
import threading
import typing

from taskflow_service import exceptions

_Item = typing.TypeVar('_Item')
_Result = typing.TypeVar('_Result')

_NONE: typing.Any = object()


class _Slip(typing.Generic[_Item, _Result]):
    """What was handed in, and what became of it."""

    __slots__ = ('error', 'item', 'result')

    def __init__(self, item: _Item) -> None:
        self.item = item
        self.result: _Result = _NONE
        self.error: BaseException | None = None


class Together(typing.Generic[_Item, _Result]):
    """Hands the items of several threads to one call. Thread-safe.

    :param function: gets what waits and returns a result for each, in order
    :param keys: items that share a key are never given to the same call
    """

    def __init__(
        self,
        function: Callable[[Sequence[_Item]], Sequence[_Result]],
        keys: Callable[[_Item], set[str]],
    ) -> None:
        self._function = function
        self._keys = keys
        self._waiting: collections.deque[_Slip[_Item, _Result]] = (
            collections.deque()
        )
        #: Held by whoever does it for the others.
        self.turn = threading.Lock()

    def __call__(self, item: _Item) -> _Result:
        """Have an item done; blocks, and raises what the call raised."""
        slip: _Slip[_Item, _Result] = _Slip(item)
        self._waiting.append(slip)
        with self.turn:
            while slip.result is _NONE and slip.error is None:
                self._do(self._take())
        if slip.error is not None:
            raise _own(slip.error)
        return slip.result

    def _take(self) -> list[_Slip[_Item, _Result]]:
        """Take what waits, up to the first that shares a key."""
        taken: list[_Slip[_Item, _Result]] = []
        seen: set[str] = set()
        while self._waiting:
            keys = self._keys(self._waiting[0].item)
            if not seen.isdisjoint(keys):
                break
            seen |= keys
            taken.append(self._waiting.popleft())
        return taken

    def _do(self, slips: list[_Slip[_Item, _Result]]) -> None:
        try:
            results = self._function([slip.item for slip in slips])
        except BaseException as error:
            for slip in slips:
                slip.error = error
            if not isinstance(error, Exception):
                # Ctrl-C in the thread that does it for the others.
                raise
            return
        for slip, result in zip(slips, results, strict=True):
            slip.result = result


def _own(error: BaseException) -> BaseException:
    """Give each thread an exception of its own to raise."""
    if isinstance(error, exceptions.StorageFailure):
        return type(error)(str(error))
    if isinstance(error, Exception):
        return error
    return exceptions.StorageOutage(
        'The commit was interrupted in the thread that made it'
    )
