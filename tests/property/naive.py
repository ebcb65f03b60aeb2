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

"""A naive model of what becomes of a flow, to compare the engine with.

It keeps no counters and no queues: whatever is asked, it looks at every atom
again. What comes after what is worked out from the definition alone, so that
nothing is shared with the compiler either.
"""

from __future__ import annotations

import itertools

from tests.property import random_flows

#: An atom that others need not wait for, by state and intention.
DONE = {
    ('SUCCESS', 'EXECUTE'),
    ('IGNORE', 'IGNORE'),
    # Its failure is ignored.
    ('FAILURE', 'IGNORE'),
}
CLEAR = ('PENDING', 'IGNORE', 'REVERTED')
EVERYTHING = 'everything'


class Order:
    """What comes before and after each atom of a flow, and who sees what.

    :param order: the names of each flow's children, in the flow's order
    """

    def __init__(self, root, order):
        self.names = []
        self.spec = {}
        self.before = {}
        self.after = {}
        #: Direct links between atoms of the same flow.
        self.direct = {}
        #: The controller nearest to an atom, None if there is none.
        self.retry_of = {}
        #: What a controller controls, itself included.
        self.region = {}
        #: (what is guarded, its entries, links) for each guarded child.
        self.guards = []
        #: For each atom: providers that it sees, nearest first.
        self.visible = {}
        self._order = order
        self._walk(root, None, [])
        self.region[EVERYTHING] = list(self.names)
        for name in self.names:
            for other in self.before[name]:
                self.after[other].add(name)

    def _enter(self, atom, retry, visible):
        name = atom.name
        self.names.append(name)
        self.spec[name] = atom
        self.before[name] = set()
        self.after[name] = set()
        self.direct[name] = []
        self.retry_of[name] = retry
        self.visible[name] = list(visible)

    def _walk(self, flow, retry, visible):
        """Return its atoms in order, and the first of them."""
        mine = []
        if flow.retry is not None:
            self._enter(flow.retry, retry, visible)
            retry = flow.retry.name
            visible = [retry, *visible]
            mine.append(retry)
        place = {name: n for n, name in enumerate(self._order[flow.name])}
        children = sorted(flow.children, key=lambda child: place[child.name])
        preceding = self._preceding(flow, children)
        inside = {}
        for child in children:
            earlier = [
                atom
                for other in reversed(children)
                if other.name in preceding[child.name]
                for atom in reversed(inside[other.name])
            ]
            seen = earlier + visible
            if isinstance(child, random_flows.Flow):
                inside[child.name] = self._walk(child, retry, seen)
            else:
                self._enter(child, retry, seen)
                inside[child.name] = [child.name]
            for atom in inside[child.name]:
                self.before[atom].update(earlier)
            mine += inside[child.name]
        if flow.retry is not None:
            for atom in mine[1:]:
                self.before[atom].add(retry)
            self.region[retry] = list(mine)
        self._link(flow, children, preceding)
        return mine

    @staticmethod
    def _preceding(flow, children):
        """For each child the names of all that come before it."""
        found = {child.name: set() for child in children}
        if flow.kind == 'linear':
            for before, after in itertools.combinations(children, 2):
                found[after.name].add(before.name)
        for link in flow.links:
            source = flow.children[link.source].name
            found[flow.children[link.target].name].add(source)
        while True:
            more = {
                name: before.union(*(found[other] for other in before))
                for name, before in found.items()
            }
            if more == found:
                return found
            found = more

    def _link(self, flow, children, preceding):
        by_index = flow.children
        pairs = []
        if flow.kind == 'linear':
            pairs = list(itertools.pairwise(children))
        else:
            pairs = [
                (by_index[link.source], by_index[link.target])
                for link in flow.links
            ]
        if flow.retry is not None:
            first = [c for c in children if not preceding[c.name]]
            pairs += [(flow.retry, child) for child in first]
        for before, after in pairs:
            if before.name in self.spec and after.name in self.spec:
                self.direct[before.name].append(after.name)
        for index, child in enumerate(by_index):
            links = [
                (by_index[link.source].name, link)
                for link in flow.links
                if link.target == index and link.decider
            ]
            if links:
                entries = self._entries(child)
                self.guards.append((child.name, entries, links))

    def _entries(self, child):
        """The atoms that a child begins with."""
        if not isinstance(child, random_flows.Flow):
            return [child.name]
        if child.retry is not None:
            return [child.retry.name]
        inside = [atom.name for atom in child.atoms()]
        return [
            name
            for name in inside
            if not self.before[name].intersection(inside)
        ]


class Model:
    """A run, or several runs one after the other, of one flow.

    Whoever drives it says what was started and how it ended, and calls
    ``settle`` with what the controllers were called for meanwhile.
    """

    def __init__(self, order, fate, defer_reverts=False, never_resolve=False):
        self.order = order
        self.fate = fate
        self.defer_reverts = defer_reverts
        self.never_resolve = never_resolve
        self.state = dict.fromkeys(order.names, 'PENDING')
        self.intention = dict.fromkeys(order.names, 'EXECUTE')
        self.attempts = dict.fromkeys(order.names, 0)
        self.sequence = dict.fromkeys(order.names, 0)
        self.completed = 0
        self.results = {}
        #: The tries of a controller: (value, {name of what failed}).
        self.history = {}
        #: What reverts: a controller, or everything, and whether it is
        #: tried again.
        self.active = {}
        self.questions = []
        self.decided = set()
        #: What was being done when an engine died, or failed to revert.
        self.again = set()
        self.suspending = False
        self.aborted = False
        self.cancelled = False

    # What may happen now

    def startable(self):
        """Tasks that may be started, as {name: action}."""
        found = {}
        if self.suspending or self.aborted:
            return found
        for name in self.order.names:
            if self.is_retry(name):
                continue
            if self._may_revert(name):
                found[name] = 'revert'
            elif self._may_execute(name):
                found[name] = 'execute'
        return found

    def is_retry(self, name):
        return isinstance(self.order.spec[name], random_flows.Retry)

    def _done(self, name):
        return (self.state[name], self.intention[name]) in DONE

    def _may_execute(self, name):
        if name in self.again:
            return self.state[name] == 'RUNNING'
        return (
            self.state[name] == 'PENDING'
            and self.intention[name] == 'EXECUTE'
            and all(map(self._done, self.order.before[name]))
        )

    def _may_revert(self, name):
        if name in self.again and self.state[name] == 'REVERTING':
            return True
        allowed = ('SUCCESS', 'FAILURE')
        if name in self.again:
            allowed = ('REVERT_FAILURE',)
        return (
            self.state[name] in allowed
            and self.intention[name] == 'REVERT'
            and self._is_clear(self.order.after[name])
        )

    def _is_clear(self, names):
        return all(self.state[name] in CLEAR for name in names)

    def controllers(self):
        """What controllers are to be called for, as (name, what)."""
        found = set()
        if self.suspending or self.aborted:
            return found
        for name in filter(self.is_retry, self.order.names):
            if self._may_revert(name):
                found.add((name, 'revert'))
            elif self._may_execute(name) or self._may_retry(name):
                found.add((name, 'execute'))
        return found

    def _may_retry(self, name):
        inside = self.order.region[name][1:]
        return (
            bool(self.active.get(name))
            and self.state[name] == 'SUCCESS'
            and self._is_clear(inside)
        )

    @property
    def complete(self):
        return all(map(self._done, self.order.names))

    # What happens

    def started(self, name, action):
        if name not in self.again or self.state[name] == 'REVERT_FAILURE':
            self.attempts[name] += 1
        self.again.discard(name)
        self.state[name] = 'REVERTING' if action == 'revert' else 'RUNNING'

    def _ended(self, name, state):
        self.completed += 1
        self.sequence[name] = self.completed
        self.state[name] = state

    def ended(self, name, ok, result=None):
        """A task ended."""
        if self.state[name] == 'REVERTING':
            self._reverted(name, ok)
        elif ok:
            self.results[name] = result
            self._ended(name, 'SUCCESS')
        else:
            self._failed(name)

    def _failed(self, name):
        self._ended(name, 'FAILURE')
        if getattr(self.order.spec[name], 'ignore_failure', False):
            if self.intention[name] == 'EXECUTE':
                self.intention[name] = 'IGNORE'
        elif self.never_resolve:
            self.aborted = True
        else:
            self._ask(name)

    def _reverted(self, name, ok):
        self._ended(name, 'REVERTED' if ok else 'REVERT_FAILURE')
        if not ok:
            self.aborted = True
        else:
            self.active.pop(name, None)

    def settle(self, calls):
        """Answer what is to be answered; ``calls`` were made meanwhile."""
        calls = list(calls)
        while not self.aborted:
            if self.questions:
                self._resolve(*self.questions.pop(0))
                continue
            guard = self._guard()
            if guard is not None:
                self._decide(*guard)
                continue
            allowed = self.controllers()
            if not allowed:
                break
            assert calls, f'controllers were not called for {allowed}'
            call = calls.pop(0)
            assert call in allowed, f'{call} is none of {allowed}'
            self._call(*call)
        assert not calls, f'controllers were called for {calls}'

    def _call(self, name, what):
        if what == 'revert':
            self.started(name, 'revert')
            self._reverted(name, True)
            return
        if self.active.get(name):
            self._reset(name)
        number = len(self.history.get(name, ())) + 1
        self.started(name, 'execute')
        if self.fate.retry_raises(name, number):
            self._failed(name)
            return
        self.history.setdefault(name, []).append((number, []))
        self.results[name] = number
        self._ended(name, 'SUCCESS')

    def _reset(self, retry):
        del self.active[retry]
        self.intention[retry] = 'EXECUTE'
        for name in self.order.region[retry][1:]:
            self.state[name] = 'PENDING'
            self.intention[name] = 'EXECUTE'
            self.history.pop(name, None)
            self.results.pop(name, None)
        inside = set(self.order.region[retry][1:])
        for guarded, entries, _links in self.order.guards:
            if entries and set(entries) <= inside:
                self.decided.discard(guarded)

    # Deciders

    def _guard(self):
        for guarded, entries, links in self.order.guards:
            if (
                guarded not in self.decided
                and entries
                and all(
                    self.state[name] == 'PENDING'
                    and self.intention[name] == 'EXECUTE'
                    for name in entries
                )
                and all(
                    self._done(before)
                    for before in set.intersection(
                        *(self.order.before[name] for name in entries)
                    )
                )
            ):
                return guarded, entries, links
        return None

    def _decide(self, guarded, entries, links):
        self.decided.add(guarded)
        names = self.order.spec
        history = {
            source: self.results.get(source)
            for source, _link in links
            if source in names and self.state[source] != 'IGNORE'
        }
        against = [
            link.depth
            for source, link in links
            if (source in history or source not in names)
            and self.fate.says_no(link.decider, history)
        ]
        if not against:
            return
        depth = min(against, key=random_flows.DEPTHS.index)
        for entry in entries:
            for name in (entry, *self._affected(entry, depth)):
                if self.state[name] == 'PENDING':
                    self.state[name] = self.intention[name] = 'IGNORE'

    def _affected(self, entry, depth):
        if depth == 'ALL':
            return self.order.after[entry]
        direct = self.order.direct
        if depth == 'NEIGHBORS':
            return [n for n in direct[entry] if not self.is_retry(n)]
        found = set()
        if depth == 'FLOW':
            waiting = [entry]
            while waiting:
                for name in direct[waiting.pop()]:
                    if name not in found:
                        found.add(name)
                        waiting.append(name)
        return found

    # Failures

    def _ask(self, failed):
        retry = self._controller(failed)
        if self.cancelled:
            return
        if retry is None:
            self._revert(EVERYTHING, False)
        else:
            self.questions.append((retry, failed, ()))

    def _controller(self, name):
        retry = self.order.retry_of[name]
        while retry is not None and self.state[retry] == 'IGNORE':
            retry = self.order.retry_of[retry]
        return retry

    def _resolve(self, retry, failed, chain):
        tries = self.history.get(retry)
        told = chain[-1] if chain else failed
        if tries and told not in tries[-1][1]:
            tries[-1][1].append(told)
        decision = self.fate.decision(
            self.order.spec[retry], len(tries or ()), tries[-1][1]
        )
        if decision == 'RETRY':
            self._revert(retry, True)
        elif decision == 'REVERT_ALL':
            self._revert(EVERYTHING, False)
        else:
            chain = (*chain, retry)
            above = self._controller(retry)
            if above is not None:
                self.questions.append((above, failed, chain))
            elif self.defer_reverts:
                self._revert(EVERYTHING, False)
            else:
                self._revert(chain[0], False)

    def _revert(self, region, again):
        around = region
        while around is not None and around not in self.active:
            around = self.order.retry_of.get(around)
        if EVERYTHING in self.active:
            return
        if around is None:
            self._begin(region, again)
        elif around == region and self.active[region] and not again:
            self.active[region] = False
            self.intention[region] = 'REVERT'

    def _begin(self, region, again):
        atoms = self.order.region[region]
        for name in atoms:
            self.active.pop(name, None)
            self.intention[name] = 'REVERT'
        self.active[region] = again
        if again:
            self.intention[region] = 'RETRY'

    # From outside

    def cancel(self, revert):
        if not revert:
            self.aborted = True
            return
        self.cancelled = True
        self.questions.clear()
        if EVERYTHING not in self.active:
            self._begin(EVERYTHING, False)

    def skip(self, name):
        """Take what failed to revert as reverted."""
        self._reverted(name, True)

    def end(self):
        """Say in which state a run ends in which nothing runs."""
        waits = self.startable() or self.controllers()
        if self.suspending:
            self.suspending = False
            waits = self.startable() or self.controllers()
            self.suspending = True
        if self.aborted:
            return 'FAILURE'
        if self.suspending and waits:
            return 'SUSPENDED'
        assert not waits, f'{waits} is left'
        return 'SUCCESS' if self.complete else 'REVERTED'

    def resume(self):
        """Begin another run with what is known of the flow."""
        self.suspending = self.aborted = False
        self.questions.clear()
        self.decided.clear()
        for name in self.order.names:
            if self.state[name] in ('RUNNING', 'REVERTING'):
                # Begun by a process that is gone: it starts once more.
                self.attempts[name] += 1
            if self.state[name] in ('RUNNING', 'REVERTING', 'REVERT_FAILURE'):
                self.again.add(name)
        for name in self.order.names:
            spec = self.order.spec[name]
            if self.state[name] != 'FAILURE' or getattr(
                spec, 'ignore_failure', False
            ):
                continue
            if self.never_resolve:
                self.aborted = True
            else:
                self._ask(name)

    # Arguments

    def arguments(self, name):
        """What a task is given: the nearest provider that has a value."""
        found = {}
        for symbol in self.order.spec[name].wants:
            for other in self.order.visible[name]:
                if (
                    self.order.spec[other].provides == symbol
                    and self.state[other] == 'SUCCESS'
                ):
                    found[symbol] = self.results[other]
                    break
        return found
