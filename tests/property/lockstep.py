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

"""Drive an engine and the naive model through the same random run.

The executor completes what it was given in a random order, fails some of
it, and now and then suspends or cancels the flow, or lets the engine die;
after every turn engine and model must agree on everything.
"""

from __future__ import annotations

import random

from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import retry
from taskflow_service import states
from taskflow_service import task
from taskflow_service.executors import base as executors_base
from taskflow_service.patterns import graph_flow
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow
from taskflow_service.types import failure
from taskflow_service.types import notifier
from taskflow_service.utils import persistence_utils
from tests.property import naive
from tests.property import random_flows


class Boom(Exception):
    """What a task fails with."""


class Death(BaseException):
    """The engine's process dies."""


class Disagreement(AssertionError):
    """Engine and model do not agree."""


class Work(task.Task):
    def execute(self, x=None, y=None, z=None):
        raise NotImplementedError('the executor does not call it')

    def revert(self, result, flow_failures):
        raise NotImplementedError('the executor does not call it')


FLOWS = {
    'linear': linear_flow.Flow,
    'unordered': unordered_flow.Flow,
    'graph': graph_flow.Flow,
    'targeted': graph_flow.TargetedFlow,
}


class _Speaks:
    """A controller that tells what it is called for."""

    told = None
    fate = None

    def execute(self, history, **kwargs):
        number = len(history) + 1
        self.told.append((self.name, 'execute'))
        if self.fate.retry_raises(self.name, number):
            raise Boom(self.name)
        super().execute(history=history, **kwargs)
        return number

    def revert(self, history, **kwargs):
        self.told.append((self.name, 'revert'))


class Times(_Speaks, retry.Times):
    pass


class ForEach(_Speaks, retry.ForEach):
    pass


class AlwaysRevert(_Speaks, retry.AlwaysRevert):
    pass


class AlwaysRevertAll(_Speaks, retry.AlwaysRevertAll):
    pass


class Own(_Speaks, retry.AlwaysRevert):
    spec = None

    def on_failure(self, history, **kwargs):
        failed = [name for name, _ in history.outcomes_iter(-1)]
        return retry.Decision(
            self.fate.decision(self.spec, len(history), failed)
        )


def build(spec, fate, told):
    """Make the flow that a specification describes."""
    controller = None
    if spec.retry is not None:
        controller = _controller(spec.retry)
        controller.told, controller.fate = told, fate
    made = FLOWS[spec.kind](spec.name, controller)
    children = []
    for child in spec.children:
        if isinstance(child, random_flows.Flow):
            children.append(build(child, fate, told))
        else:
            children.append(_task(child))
    made.add(*children)
    for link in spec.links:
        decider = None
        if link.decider:
            decider = _decider(link.decider, fate)
        made.link(
            children[link.source],
            children[link.target],
            decider=decider,
            decider_depth=link.depth if decider else None,
        )
    if spec.kind == 'targeted' and spec.target is not None:
        made.set_target(children[spec.target])
    return made


def _task(spec):
    made = Work(
        spec.name,
        provides=spec.provides,
        ignore_list=set(random_flows.SYMBOLS).difference(spec.wants),
    )
    made.ignore_failure = spec.ignore_failure
    made.priority = spec.priority
    return made


def _controller(spec):
    options = {'name': spec.name, 'provides': spec.provides}
    if spec.kind == 'Times':
        return Times(spec.tries, revert_all=spec.revert_all, **options)
    if spec.kind == 'ForEach':
        values = range(1, spec.tries + 1)
        return ForEach(values, revert_all=spec.revert_all, **options)
    if spec.kind == 'Own':
        made = Own(**options)
        made.spec = spec
        return made
    cls = {'AlwaysRevert': AlwaysRevert, 'AlwaysRevertAll': AlwaysRevertAll}
    return cls[spec.kind](**options)


def _decider(name, fate):
    return lambda history: not fate.says_no(name, history)


class RandomOrder(executors_base.Executor):
    """Holds what it is given until the harness says how it ended.

    :param room: how many tasks it takes at once, None for all
    """

    enforces = True

    def __init__(self, harness, room):
        self.harness = harness
        self.room = room
        self.running = {}

    def place(self, offer):
        """Take what there is room for; now and then give one back."""
        placed = []
        try:
            while self.room is None or (
                len(placed) + len(self.running) < self.room
            ):
                placed.append(offer.take())
        except IndexError:
            pass
        if len(placed) > 1 and self.harness.rng.random() < 0.1:
            # As if it had no place: it comes with the next outcome.
            offer.put_back(placed.pop())
        return placed

    def start(self, requests):
        """Keep them."""
        for request in requests:
            self.running[request.task.name] = request
            self.harness.started(request)

    def release(self, requests):
        """Forget them."""

    def cancel(self, request, reason):
        """Take note of it."""
        request.private = reason

    def idle(self):
        """Do the next thing: the loop has nothing left to do itself."""
        self.harness.step()

    def close(self):
        """Forget what runs."""
        self.running = {}


class Harness:
    """One flow from its first run to its end.

    :ivar tally: how often what happened
    """

    #: What a run may raise because something of it failed.
    errors = (Boom, exceptions.WrappedFailure)

    def __init__(self, seed, size=16):
        self.seed = seed
        self.rng = rng = random.Random(seed)
        settings = random_flows.Settings(
            retry_raises=rng.choice((0, 0, 0.1)),
            ignore_failure=rng.choice((0, 0.2)),
        )
        self.fails = rng.choice((0, 0.05, 0.15, 0.4))
        self.revert_fails = rng.choice((0, 0, 0, 0.1))
        self.interrupts = rng.choice((0, 0, 0.1, 0.3))
        self.cancels = rng.choice((0, 0, 0, 0.03))
        self.room = rng.choice((None, None, 1, 2))
        self.options = {
            'defer_reverts': rng.random() < 0.2,
            'never_resolve': rng.random() < 0.05,
        }
        self.spec = random_flows.Generator(seed, size, settings).flow()
        self.fate = random_flows.Fate(seed, settings)
        self.told = []
        self.counts = {}
        self.tally = {}
        self.cancelled = False
        flow = build(self.spec, self.fate, self.told)
        order = {}
        _orders(flow, order)
        pruned = random_flows.Generator(seed, size, settings).flow()
        random_flows.prune(pruned)
        self.model = naive.Model(
            naive.Order(pruned, order), self.fate, **self.options
        )
        self._begin(flow)

    def _begin(self, flow):
        self._load(flow, persistence_utils.create_flow_detail(flow))

    def _engine_options(self):
        return self.options

    def _load(self, flow, detail):
        self.detail = detail
        self.executor = RandomOrder(self, self.room)
        self.engine = engines.load(
            flow,
            engine='parallel',
            executor=self.executor,
            flow_detail=detail,
            **self._engine_options(),
        )
        if self.rng.random() < 0.5:
            self.engine.atom_notifier.register(
                notifier.Notifier.ANY, self._check_transition
            )

    def _count(self, what):
        self.tally[what] = self.tally.get(what, 0) + 1

    def _check_transition(self, state, details):
        old = details['old_state']
        if 'retry_name' in details:
            allowed = states.check_retry_transition(old, state)
        else:
            allowed = states.check_task_transition(old, state)
        if not allowed:
            self.illegal = f'{old} -> {state} of {details}'

    # The run

    def run(self):
        """Run the flow, over interruptions, to its end.

        An error names the seed.
        """
        try:
            self._run()
        except Exception as error:
            error.add_note(f'seed {self.seed}')
            raise

    def _run(self):
        self.illegal = None
        for _ in range(100):
            try:
                self.engine.run()
            except Death:
                self._reload()
                continue
            except exceptions.Cancelled:
                assert self.cancelled, 'it was not cancelled'
            except self.errors:
                assert self.engine.storage.has_failures()
            self._compare()
            state = self.model.end()
            self._equal('flow', self.engine.storage.get_flow_state(), state)
            self._count(state)
            if not self._goes_on(state):
                return
        raise Disagreement('it does not end')

    def _goes_on(self, state):
        if self.cancelled or self.model.never_resolve:
            return False
        if state in ('SUCCESS', 'REVERTED'):
            return False
        if state == 'FAILURE' and self.rng.random() < 0.5:
            for name in self.model.order.names:
                if self.model.state[name] == 'REVERT_FAILURE':
                    self.engine.skip(name)
                    self.model.skip(name)
                    self._count('skip')
        if self.rng.random() < 0.5:
            self._reload()
        else:
            self.model.resume()
        return True

    def _reload(self):
        """Have another engine go on with what is stored."""
        self._count('reload')
        # What the last turn did was committed; nothing else is known.
        detail = self._stored()
        self.told.clear()
        self._load(build(self.spec, self.fate, self.told), detail)
        self.model.resume()

    def _stored(self):
        detail = self.detail.copy(retain_contents=False)
        for atom in self.detail:
            detail.add(atom.copy())
        return detail

    def started(self, request):
        """A task was started, with these arguments."""
        name, action = request.task.name, str(request.action)
        # Whatever controllers did before it was started.
        self._settle()
        allowed = self.model.startable()
        if allowed.get(name) != action:
            raise Disagreement(f'{action} of {name} is not among {allowed}')
        if action == 'execute':
            self._equal(name, request.arguments, self.model.arguments(name))
        elif self.model.state[name] == 'SUCCESS':
            self._equal(
                name, request.arguments['result'], self.model.results[name]
            )
        self.model.started(name, action)
        self._equal(name, request.attempt, self.model.attempts[name])

    def step(self):
        """Between two turns: compare, then have something happen."""
        self._compare()
        left = self.model.startable()
        running = self.executor.running
        if left and (self.room is None or len(running) < self.room):
            # One that was put back comes with the next outcome.
            assert running, f'{left} was not started'
        rng = self.rng
        if rng.random() < self.interrupts:
            if rng.random() < 0.5:
                raise Death
            self._count('suspend')
            self.engine.suspend()
            self.model.suspending = True
            if not running:
                return
        elif rng.random() < self.cancels and not self.cancelled:
            revert = rng.random() < 0.7
            self.cancelled = True
            self._count('cancel')
            self.engine.cancel(revert=revert)
            self.model.cancel(revert)
            return
        assert running, 'nothing runs and nothing ends'
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            if running:
                self._complete(rng.choice(sorted(running)))

    def _complete(self, name):
        request = self.executor.running.pop(name)
        executing = request.action is executors_base.Action.EXECUTE
        chance = self.fails if executing else self.revert_fails
        ok = self.rng.random() >= chance
        end, value = executors_base.End.OK, None
        if executing:
            self.counts[name] = self.counts.get(name, 0) + 1
            value = name, self.counts[name]
        if not ok:
            end = executors_base.End.FAILED
            value = failure.Failure.from_exception(Boom(name))
        elif request.private is not None and self.rng.random() < 0.7:
            ok, end = False, executors_base.End.CANCELLED
            value = failure.Failure.from_exception(
                exceptions.Cancelled(request.private)
            )
        self._count(f'{request.action} {"ok" if ok else "failed"}')
        ok, value = self._deliver(request, end, value)
        self.model.ended(name, ok, value)

    def _deliver(self, request, end, value):
        """Hand an outcome over; return how the engine is to take it."""
        self.executor.deliver(executors_base.Outcome(request, end, value))
        return end is executors_base.End.OK, value

    # Comparing

    def _settle(self):
        calls = list(self.told)
        self.told.clear()
        self.model.settle(calls)

    def _compare(self):
        self._settle()
        if self.illegal is not None:
            raise Disagreement(self.illegal)
        model, record = self.model, self.engine.storage.record
        self._equal('atoms', list(record.index), model.order.names)
        for name, node in record.index.items():
            self._equal(
                name,
                (
                    record.states[node],
                    record.intentions[node],
                    record.attempts[node],
                    record.sequence[node],
                ),
                (
                    model.state[name],
                    model.intention[name],
                    model.attempts[name],
                    model.sequence[name],
                ),
            )

    def _equal(self, what, engine, model):
        if engine != model:
            raise Disagreement(
                f'{what}: the engine says {engine}, the model {model}'
            )


def _orders(flow, order):
    order[flow.name] = [item.name for item, _ in flow.iter_nodes()]
    for item, _ in flow.iter_nodes():
        if hasattr(item, 'iter_nodes'):
            _orders(item, order)
