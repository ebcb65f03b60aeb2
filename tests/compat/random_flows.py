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

"""Run random flows with TaskFlow and with this package, event by event.

``python -m tests.compat.random_flows FIRST LAST`` needs taskflow==6.5.0. A
seed makes a flow of nested linear and graph flows (in a graph flow each child
is linked to the next, so that the order is determined) with retries, deciders,
tasks and reverts that fail a number of times, and points at which a listener
suspends it. Transcripts must be equal; where TaskFlow itself breaks off
(InvalidState or StorageFailure out of its own machinery) the seed is counted
apart. Which of several failures ``run()`` raises is not compared: TaskFlow
adds those that a retry has overcome.
"""

from __future__ import annotations

import importlib
import logging
import random
import sys
import types
import typing
import warnings

_MODULES = (
    'engines',
    'task',
    'retry',
    'patterns.linear_flow',
    'patterns.graph_flow',
)
_OPTIONS: tuple[dict[str, typing.Any], ...] = (
    {},
    {},
    {'defer_reverts': True},
    {'never_resolve': True},
)
_BROKEN = ('InvalidState', 'StorageFailure')


class TaskPlan(typing.NamedTuple):
    """A task that fails, and whose revert fails, so many times."""

    name: str
    fails: int
    revert_fails: int
    provides: bool


class FlowPlan(typing.NamedTuple):
    """A flow with a retry (kind and arguments) and links to decide on."""

    name: str
    retry: tuple[typing.Any, ...]
    linked: bool
    #: For each link: whether it has a decider, and what that answers.
    links: list[tuple[bool, bool]]
    depth: str
    children: list[typing.Any]


def plan(rng: random.Random, counter: list[int], depth: int = 0) -> FlowPlan:
    """Make a plan of a flow."""
    children: list[typing.Any] = []
    for _ in range(rng.randint(1, 4)):
        if depth < 3 and rng.random() < 0.4:
            children.append(plan(rng, counter, depth + 1))
            continue
        counter[0] += 1
        children.append(
            TaskPlan(
                f't{counter[0]}',
                rng.choice((0, 0, 0, 0, 1, 2, 9)),
                rng.choice((0,) * 12 + (1,)),
                rng.random() < 0.5,
            )
        )
    counter[0] += 1
    return FlowPlan(
        f'f{counter[0]}',
        rng.choice(
            (
                (),
                (),
                ('Times', rng.randint(1, 3), rng.random() < 0.3),
                ('AlwaysRevert',),
                ('AlwaysRevertAll',),
                ('ForEach', rng.randint(1, 3), rng.random() < 0.3),
            )
        ),
        rng.random() < 0.25,
        [(rng.random() < 0.5, rng.random() < 0.75) for _ in children],
        rng.choice(('all', 'flow', 'neighbors', 'atom')),
        children,
    )


def load(package: str) -> types.SimpleNamespace:
    """Import what is needed of a package."""
    return types.SimpleNamespace(
        **{
            name.rpartition('.')[2]: importlib.import_module(
                f'{package}.{name}'
            )
            for name in _MODULES
        }
    )


def _task(package: typing.Any, wanted: TaskPlan) -> typing.Any:
    fails, revert_fails = [wanted.fails], [wanted.revert_fails]

    class Task(package.task.Task):
        def execute(self) -> str:
            if fails[0] > 0:
                fails[0] -= 1
                raise OSError(self.name)
            return str(self.name)

        def revert(self, **kwargs: typing.Any) -> str:
            if revert_fails[0] > 0:
                revert_fails[0] -= 1
                raise KeyError(self.name)
            return f'undone {self.name}'

    return Task(wanted.name, provides=wanted.name if wanted.provides else None)


def _retry(package: typing.Any, wanted: FlowPlan) -> typing.Any:
    if not wanted.retry:
        return None
    kind, *arguments = wanted.retry
    options: dict[str, typing.Any] = {'name': f'r{wanted.name}'}
    if arguments:
        options['provides'] = f'p{wanted.name}'
        options['revert_all'] = arguments[1]
    if kind == 'Times':
        options['attempts'] = arguments[0]
    elif kind == 'ForEach':
        options['values'] = list(range(arguments[0]))
    return getattr(package.retry, kind)(**options)


def build(package: typing.Any, wanted: typing.Any) -> typing.Any:
    """Make a flow by its plan."""
    if isinstance(wanted, TaskPlan):
        return _task(package, wanted)
    items = [build(package, child) for child in wanted.children]
    retry = _retry(package, wanted)
    if not wanted.linked:
        return package.linear_flow.Flow(wanted.name, retry).add(*items)
    flow = package.graph_flow.Flow(wanted.name, retry).add(*items)
    for (asks, answer), before, after in zip(
        wanted.links, items, items[1:], strict=False
    ):
        if asks:
            flow.link(
                before,
                after,
                decider=lambda history, answer=answer: answer,
                decider_depth=wanted.depth,
            )
        else:
            flow.link(before, after)
    return flow


def _atoms(wanted: typing.Any) -> typing.Iterator[str]:
    if isinstance(wanted, TaskPlan):
        yield wanted.name
        return
    if wanted.retry:
        yield f'r{wanted.name}'
    for child in wanted.children:
        yield from _atoms(child)


def run(
    package: typing.Any,
    wanted: FlowPlan,
    options: dict[str, typing.Any],
    suspend_at: set[int],
) -> list[typing.Any]:
    """Run a flow to its end; return all that was seen of it."""
    engine = package.engines.load(build(package, wanted), **options)
    seen: list[typing.Any] = []
    events = [0]

    def hear(state: str, details: dict[str, typing.Any]) -> None:
        names = (details.get(f'{kind}_name') for kind in KINDS)
        seen.append(
            (
                next(filter(None, names)),
                str(details['old_state']),
                str(state),
                str(details.get('result')),
            )
        )
        events[0] += 1
        if events[0] in suspend_at:
            engine.suspend()

    engine.notifier.register('*', hear)
    engine.atom_notifier.register('*', hear)
    storage = engine.storage
    for _ in range(len(suspend_at) + 1):
        try:
            engine.run()
        except Exception as error:
            broken = type(error).__name__ in _BROKEN
            seen.append('broken' if broken else 'raised')
        seen.append(str(storage.get_flow_state()))
        if seen[-1] != 'SUSPENDED':
            break
    seen += [
        (name, str(storage.get_atom_state(name))) for name in _atoms(wanted)
    ]
    seen += sorted((k, str(v)) for k, v in storage.fetch_all().items())
    seen += [
        (name, [(value, sorted(failures)) for value, failures in history])
        for name, history in sorted(storage.get_retry_histories())
    ]
    return seen


KINDS = ('task', 'retry', 'flow')


def main(first: int, last: int) -> int:
    """Compare the flows of some seeds; return how many differ."""
    warnings.simplefilter('ignore')
    theirs, ours = load('taskflow'), load('taskflow_service')
    logging.disable(logging.CRITICAL)
    differ = broken = 0
    for seed in range(first, last):
        rng = random.Random(seed)
        wanted = plan(rng, [0])
        options = rng.choice(_OPTIONS)
        suspend_at = set(rng.sample(range(1, 30), rng.choice((0, 0, 1, 2))))
        expected = run(theirs, wanted, options, suspend_at)
        if 'broken' in expected:
            broken += 1
            continue
        actual = run(ours, wanted, options, suspend_at)
        if expected == actual:
            continue
        differ += 1
        print(f'seed {seed}: {options} {sorted(suspend_at)} {wanted}')
        for place, pair in enumerate(zip(expected, actual, strict=False)):
            if pair[0] != pair[1]:
                print(f'  {place}: expected {pair[0]}\n  but {pair[1]}')
                break
    print(f'{differ} of {last - first} differ; TaskFlow broke off in {broken}')
    return differ


if __name__ == '__main__':
    sys.exit(bool(main(int(sys.argv[1]), int(sys.argv[2]))))
