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

"""The state of a run, and how readiness spreads through the plan.

Every node counts the predecessors that are not yet done; completing an atom
costs its out-degree and nothing is ever searched. ``state`` and
``intention`` are lists by node that the caller shares with its storage; the
begin and end of flows have neither.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable
import heapq
import typing

from taskflow_service import states
from taskflow_service.decisions import events
from taskflow_service.plan import plan as plan_mod

_PENDING = states.PENDING
_RUNNING = states.RUNNING
_SUCCESS = states.SUCCESS
_FAILURE = states.FAILURE
_EXECUTE = states.EXECUTE
_IGNORE = states.IGNORE
_BEGIN = plan_mod.Kind.BEGIN
_RETRY = plan_mod.Kind.RETRY

#: Stand for what most flows never need, until something is put into it:
#: thousands may be under way, and the garbage collector goes through all
#: that they hold.
_EMPTY: typing.Final[collections.deque[typing.Any]] = collections.deque((), 0)
_NO_COUNTS: typing.Final[list[int]] = []


class Run:
    """The counters and queues of one run of a plan.

    ``ready`` and ``undoable`` are heaps of tasks to execute and to revert.
    An entry may be stale, because a decision overtook it, or one of several
    for an atom that was offered again; ``take_*`` skip those.
    ``controllers`` are the retries that want to speak or act.
    """

    __slots__ = (
        'aborted',
        'active',
        'again',
        'cancelled',
        'complete',
        'controllers',
        'defer_reverts',
        'failures',
        'intention',
        'last',
        'moved',
        'never_resolve',
        'plan',
        'questions',
        'ready',
        'remaining',
        'size',
        'state',
        'taken',
        'undo',
        'undoable',
        'wave',
    )

    def __init__(
        self,
        plan: plan_mod.Plan,
        state: list[str | None],
        intention: list[str | None],
        *,
        defer_reverts: bool = False,
        never_resolve: bool = False,
    ) -> None:
        self.plan = plan
        #: The node after which nothing comes.
        self.last = len(plan) - 1
        self.size = len(plan)
        self.state = state
        self.intention = intention
        self.defer_reverts = defer_reverts
        self.never_resolve = never_resolve
        self.restart()

    def restart(self) -> None:
        """Forget what was worked out; begin again from the states."""
        plan = self.plan
        #: How many atoms have completed something in this run.
        self.wave = 0
        self.remaining = list(map(len, plan.predecessors))
        #: Successors that are not yet reverted, once something reverts.
        self.undo = _NO_COUNTS
        #: The regions being reverted, by their retry (-1: all), and whether
        #: they are tried again afterwards.
        self.active: dict[int, bool] = {}
        self.ready: list[int] = []
        self.undoable: list[int] = []
        #: By node: it was taken from its queue and is not started yet.
        self.taken = bytearray(len(plan))
        #: Atoms whose RUNNING or REVERTING wants a new request.
        self.again: set[int] = set()
        self.controllers: collections.deque[tuple[int, events.Turn]] = _EMPTY
        #: What is to be asked. Failures come first: a decider need not speak
        #: of what they revert.
        self.failures: collections.deque[events.Resolve] = _EMPTY
        self.questions: collections.deque[events.Decide] = _EMPTY
        #: Regions whose atoms' intentions or states the core has changed.
        self.moved: tuple[range, ...] = ()
        #: Every atom is done or ignored.
        self.complete = False
        #: Nothing more may be started: a revert failed, or resolving is off.
        self.aborted = False
        #: Everything is being reverted, and no retry is asked any more.
        self.cancelled = False

    # Ready queues. One int orders by priority first, then by when an atom
    # became ready (in waves, as TaskFlow does it: all that one completion
    # made ready share a wave), then by definition; the node is what is left
    # of it modulo the size of the plan.

    def offer_execute(self, node: int) -> None:
        """Queue an atom that may execute."""
        if self.plan.kinds[node] is _RETRY:
            self.call(node, events.Turn.EXECUTE)
            return
        heapq.heappush(self.ready, self._rank(node) + node)

    def offer_revert(self, node: int) -> None:
        """Queue an atom that may revert; the last defined goes first."""
        if self.plan.kinds[node] is _RETRY:
            self.call(node, events.Turn.REVERT)
            return
        heapq.heappush(self.undoable, self._rank(node) - node)

    def _rank(self, node: int) -> int:
        rank = self.wave
        priorities = self.plan.priorities
        if priorities and node in priorities:
            rank -= priorities[node] << 48
        return rank * self.size

    def take_execute(self) -> int:
        """Pop the task to execute next; -1 if there is none."""
        ready = self.ready
        size = self.size
        while ready:
            node = heapq.heappop(ready) % size
            if self._may_execute(node):
                self.taken[node] = 1
                return node
        return -1

    def take_revert(self) -> int:
        """Pop the task to revert next; -1 if there is none."""
        undoable = self.undoable
        size = self.size
        while undoable:
            node = -heapq.heappop(undoable) % size
            if self._may_revert(node):
                self.taken[node] = 1
                return node
        return -1

    def put_back(self, node: int, reverting: bool) -> None:
        """Undo a ``take_*``."""
        self.taken[node] = 0
        if reverting:
            self.offer_revert(node)
        else:
            self.offer_execute(node)

    def _may_execute(self, node: int) -> bool:
        if self.taken[node]:
            return False
        if self.state[node] == _PENDING:
            return (
                self.intention[node] == _EXECUTE and not self.remaining[node]
            )
        return node in self.again and self.state[node] == _RUNNING

    def _may_revert(self, node: int) -> bool:
        if (
            self.taken[node]
            or self.intention[node] != states.REVERT
            or self.undo[node]
        ):
            return False
        state = self.state[node]
        return state == _SUCCESS or state == _FAILURE or node in self.again

    def is_new_attempt(self, node: int) -> bool:
        """Whether starting an atom now is another attempt of it."""
        return (
            node not in self.again or self.state[node] == states.REVERT_FAILURE
        )

    def call(self, retry: int, turn: events.Turn) -> None:
        """Queue a retry that wants to act."""
        if self.controllers is _EMPTY:
            self.controllers = collections.deque()
        self.controllers.append((retry, turn))

    def ask(self, question: events.Question) -> None:
        """Queue what user code is to decide."""
        if isinstance(question, events.Resolve):
            if self.failures is _EMPTY:
                self.failures = collections.deque()
            self.failures.append(question)
        else:
            if self.questions is _EMPTY:
                self.questions = collections.deque()
            self.questions.append(question)

    def has_work(self) -> bool:
        """Whether anything could be started, asked or decided."""
        ready, undoable, size = self.ready, self.undoable, self.size
        while ready and not self._may_execute(ready[0] % size):
            heapq.heappop(ready)
        while undoable and not self._may_revert(-undoable[0] % size):
            heapq.heappop(undoable)
        controllers = self.controllers
        while controllers and not self._still_wanted(*controllers[0]):
            controllers.popleft()
        return bool(
            ready or undoable or controllers or self.questions or self.failures
        )

    def goes_on_later(self, node: int) -> bool:
        """Whether an atom that waits for a time still has to go on then."""
        return (
            self.intention[node] == states.RETRY
            or self.state[node] == states.REVERT_FAILURE
        )

    def take_question(self) -> events.Question | None:
        """Pop the question to ask next, None if there is none."""
        if self.failures:
            return self.failures.popleft()
        while self.questions:
            question = self.questions.popleft()
            if self._is_open(question.node):
                return question
        return None

    def take_controller(self) -> tuple[int, events.Turn] | None:
        """Pop the retry that acts next, None if there is none."""
        while self.controllers:
            node, turn = self.controllers.popleft()
            if self._still_wanted(node, turn):
                return node, turn
        return None

    def _still_wanted(self, node: int, turn: events.Turn) -> bool:
        state, intention = self.state[node], self.intention[node]
        if node in self.again:
            return True
        if turn is events.Turn.EXECUTE:
            return state == _PENDING and intention == _EXECUTE
        if turn is events.Turn.RETRY:
            return intention == states.RETRY and not (
                self.undo and self.undo[node]
            )
        return intention == states.REVERT and state in (_SUCCESS, _FAILURE)

    # Spreading forward

    def leave(self, node: int) -> None:
        """Tell the successors of a node that it is done."""
        remaining = self.remaining
        entered = None
        for succ in self.plan.successors[node]:
            left = remaining[succ] - 1
            remaining[succ] = left
            if not left:
                if entered is None:
                    entered = [succ]
                else:
                    entered.append(succ)
        if entered is not None:
            self.enter(entered)
        elif node == self.last:
            self.complete = True

    def enter(self, entered: list[int]) -> None:
        """Go through nodes whose predecessors are all done."""
        plan = self.plan
        remaining = self.remaining
        # It grows on the way: first come, first asked.
        for node in entered:
            if not self._passes(node):
                continue
            for succ in plan.successors[node]:
                left = remaining[succ] - 1
                remaining[succ] = left
                if not left:
                    entered.append(succ)
            if node == self.last:
                self.complete = True

    def _passes(self, node: int) -> bool:
        """Offer, or ask about, what is not done; True if it is done."""
        if self.plan.kinds[node] >= _BEGIN:
            if node in self.plan.guards and self._is_open(node):
                self.ask(events.Decide(node))
                return False
            return True
        state, intention = self.state[node], self.intention[node]
        if state == _PENDING:
            if intention == _EXECUTE:
                if node in self.plan.guards:
                    self.ask(events.Decide(node))
                else:
                    self.offer_execute(node)
            return False
        if state == _SUCCESS:
            return intention == _EXECUTE
        return intention == _IGNORE

    def _is_open(self, guarded: int) -> bool:
        """Whether what a node begins with could run, if it may."""
        entries: Iterable[int] = (guarded,)
        if not self.plan.is_atom(guarded):
            entries = self.plan.entries(guarded)
        return all(
            self.state[node] == _PENDING and self.intention[node] == _EXECUTE
            for node in entries
        )
