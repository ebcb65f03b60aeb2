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

"""The tasks that the soak runs, and the flows that are made of them.

Each task hands on the name of its run, so that a result says which run it is
of. Workers and engines import this module.
"""

from __future__ import annotations

import random
import typing

from taskflow_service import retry
from taskflow_service import task
from taskflow_service.patterns import graph_flow
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow
from tests.soak import effects

#: What the first task of each flow is given.
FIRST = 'first'


class Wanted(Exception):
    """A task fails because it is to."""


class Once(task.Task):
    """Must not run twice for one try of its flow.

    :param seconds: how long it takes
    :param fails: in how many tries it fails
    """

    promise = 'plain'

    def __init__(
        self,
        name: str,
        seconds: float = 0.1,
        fails: int = 0,
        **kwargs: typing.Any,
    ) -> None:
        super().__init__(name, **kwargs)
        self._seconds = seconds
        self._fails = fails

    def execute(self, path: str, given: str) -> str:
        run = effects.Run(path, 'do', given, self.promise)
        if run.attempt.cancellation.wait(self._seconds):
            run.note('cancelled')
            run.attempt.cancellation.raise_if_cancelled()
        if run.attempt.try_number <= self._fails:
            run.note('failed')
            raise Wanted(run.run)
        run.note('end')
        return run.run

    def revert(self, path: str, result: typing.Any, **_: typing.Any) -> None:
        run = effects.Run(path, 'undo', None, self.promise)
        run.attempt.cancellation.wait(self._seconds / 2)
        run.note('end', result if isinstance(result, str) else None)


class Again(Once):
    """May run twice."""

    promise = 'idempotent'
    idempotent = True


class Asked(Once):
    """Can be asked whether it has run."""

    promise = 'probed'

    def probe(self, path: str, given: str) -> typing.Any:
        run = effects.Run(path, 'probe', None, self.promise)
        found = None
        for effect in effects.read(path, run.attempt.flow_uuid):
            if (
                effect.atom == run.attempt.atom
                and effect.try_number == run.attempt.try_number
                and (effect.what, effect.phase) == ('do', 'end')
            ):
                found = effect.run
        run.note('end', found)
        return task.NOT_DONE if found is None else task.Done(found)


TASKS = {'soak.once': Once, 'soak.again': Again, 'soak.asked': Asked}


class _Maker:
    """Makes the tasks of one flow: each is given what another returned."""

    def __init__(self, seed: int, longest: float) -> None:
        self._random = random.Random(seed)
        self._longest = longest
        self._count = 0
        self.last = FIRST

    def __call__(
        self,
        kind: type[Once],
        given: str | None = None,
        slowness: int = 1,
        **more: typing.Any,
    ) -> Once:
        self._count += 1
        name = f'{kind.__name__.lower()}-{self._count}'
        made = kind(
            name,
            round(self._random.uniform(0.01, self._longest) * slowness, 3),
            provides=f'run-{self._count}',
            rebind={'given': given or self.last},
            **more,
        )
        self.last = f'run-{self._count}'
        return made


def _chain(make: _Maker) -> linear_flow.Flow:
    flow = linear_flow.Flow('chain')
    return flow.add(*(make(Once) for _ in range(5)))


def _wide(make: _Maker) -> linear_flow.Flow:
    first = make(Once)
    given = make.last
    wide = unordered_flow.Flow('wide-middle')
    wide.add(*(make(Again, given) for _ in range(5)))
    return linear_flow.Flow('wide').add(first, wide, make(Once))


def _asked(make: _Maker) -> linear_flow.Flow:
    return linear_flow.Flow('asked').add(
        make(Once), make(Asked), make(Asked), make(Again)
    )


def _tried(make: _Maker) -> linear_flow.Flow:
    tried = linear_flow.Flow('tried-middle', retry=retry.Times(4))
    tried.add(make(Once), make(Asked), make(Once, fails=1))
    return linear_flow.Flow('tried').add(make(Once, FIRST), tried)


def _undone(make: _Maker) -> linear_flow.Flow:
    return linear_flow.Flow('undone').add(
        make(Once), make(Again), make(Asked), make(Once, fails=1000)
    )


def _slow(make: _Maker) -> linear_flow.Flow:
    return linear_flow.Flow('slow').add(
        make(Once, slowness=8),
        make(Again, slowness=24),
        make(Once, slowness=16),
    )


def _graph(make: _Maker) -> graph_flow.Flow:
    flow = graph_flow.Flow('graph')
    flow.add(make(Once))
    top = make.last
    left = [make(Once, top), make(Asked)]
    right = [make(Again, top), make(Once)]
    return flow.add(*left, *right, make(Again, 'run-3'))


#: How often each kind of flow is chosen.
KINDS = {
    'chain': (_chain, 4),
    'wide': (_wide, 3),
    'asked': (_asked, 3),
    'tried': (_tried, 2),
    'undone': (_undone, 2),
    'slow': (_slow, 2),
    'graph': (_graph, 2),
}


def make_flow(by: str, kind: str, seed: int, longest: float) -> typing.Any:
    """Make a flow; the same for the same arguments.

    :param by: the service that starts it
    :param longest: seconds that a task takes at the most
    """
    return KINDS[kind][0](_Maker(seed, longest))


def choose_kind(chance: random.Random) -> str:
    """Choose which kind of flow to run next."""
    return chance.choices(
        list(KINDS), [weight for _make, weight in KINDS.values()]
    )[0]
