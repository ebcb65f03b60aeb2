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

"""What a task costs does not depend on the size of its flow.

Counted are the look-ups in everything that the engine keeps by node: all
columns of the plan and of the record, over a whole ``run()``. Between a flow
and one of twice its size each further task may cost what each task did
before, and not one look-up more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oslotest import base

from taskflow_service import engines
from taskflow_service import flow as flow_mod
from taskflow_service import task
from taskflow_service.patterns import graph_flow
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow


class Boom(Exception):
    pass


class Work(task.Task):
    def execute(self, **kwargs: Any) -> int:
        return 1

    def revert(self, **kwargs: Any) -> None:
        pass


class Fail(task.Task):
    def execute(self) -> None:
        raise Boom


class Counted(list):
    """A list that counts how often it is looked into."""

    total = 0

    def __getitem__(self, index: Any) -> Any:
        Counted.total += 1
        return super().__getitem__(index)

    def __setitem__(self, index: Any, value: Any) -> None:
        Counted.total += 1
        super().__setitem__(index, value)

    def __iter__(self) -> Any:
        Counted.total += len(self)
        return super().__iter__()


def chain(n: int) -> flow_mod.Flow:
    flow = linear_flow.Flow('chain')
    for i in range(n):
        needs = [f'r{i - 1}'] if i else []
        flow.add(Work(f't{i}', provides=f'r{i}', requires=needs))
    return flow


def unordered(n: int) -> flow_mod.Flow:
    return unordered_flow.Flow('unordered').add(
        *(Work(f't{i}') for i in range(n))
    )


def layered(n: int) -> flow_mod.Flow:
    """Layers of four, each task after all of the layer before."""
    flow = graph_flow.Flow('layered')
    for i in range(n):
        layer = i // 4
        needs = (
            [f'r{j}' for j in range(4 * layer - 4, 4 * layer)] if layer else []
        )
        flow.add(Work(f't{i}', provides=f'r{i}', requires=needs))
    return flow


def nested(n: int) -> flow_mod.Flow:
    outer = flow = linear_flow.Flow('f0')
    for i in range(n):
        flow.add(Work(f't{i}'))
        if i % 10 == 9:
            inner = unordered_flow.Flow(f'f{i}')
            flow.add(inner)
            flow = linear_flow.Flow(f'g{i}')
            inner.add(flow)
    return outer


def reverting(n: int) -> flow_mod.Flow:
    return linear_flow.Flow('reverting').add(chain(n), Fail('fail'))


class CostTest(base.BaseTestCase):
    def look_ups(self, make: Callable[[int], flow_mod.Flow], n: int) -> int:
        engine = engines.load(make(n))
        engine.make_ready()
        plan, record = engine.plan, engine.storage.record
        for column in (
            'items',
            'kinds',
            'parent',
            'retry_of',
            'successors',
            'predecessors',
            'arguments',
            'revert_arguments',
        ):
            setattr(plan, column, Counted(getattr(plan, column)))
        record.atoms = plan.items
        for column in (
            'states',
            'intentions',
            'results',
            'attempts',
            'sequence',
        ):
            setattr(record, column, Counted(getattr(record, column)))
        Counted.total = 0
        try:
            engine.run()
        except Boom:
            self.assertEqual('REVERTED', engine.storage.get_flow_state())
        return Counted.total

    def check(self, make: Callable[[int], flow_mod.Flow]) -> None:
        small, middle, large = (
            self.look_ups(make, n) for n in (100, 200, 1200)
        )
        before = (middle - small) / 100
        after = (large - middle) / 1000
        self.assertGreater(before, 1)
        self.assertAlmostEqual(before, after, delta=0.5)

    def test_a_chain(self) -> None:
        self.check(chain)

    def test_side_by_side(self) -> None:
        self.check(unordered)

    def test_layers(self) -> None:
        self.check(layered)

    def test_nested(self) -> None:
        self.check(nested)

    def test_reverting(self) -> None:
        self.check(reverting)
