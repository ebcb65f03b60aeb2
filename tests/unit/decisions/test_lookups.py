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

"""What an atom costs does not grow with its flow: look-ups are counted."""

from __future__ import annotations

import sys

from oslotest import base

from taskflow_service import decisions
from taskflow_service import engines
from taskflow_service import plan
from taskflow_service import retry
from taskflow_service import storage
from taskflow_service import task
from taskflow_service.patterns import graph_flow
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow

#: Where calls are counted.
_ROOMS = tuple(
    room.__path__[0] for room in (decisions, engines, plan, storage)
)


class Counted(list):
    """A list that counts how often it is looked into."""

    looks = 0

    def __getitem__(self, index):
        Counted.looks += 1
        return super().__getitem__(index)

    def __iter__(self):
        Counted.looks += len(self)
        return super().__iter__()


class Nothing(task.Task):
    def execute(self):
        pass


class Fails(task.Task):
    def execute(self):
        raise ValueError


def linear(size):
    return linear_flow.Flow('f').add(*[Nothing(f'{n}') for n in range(size)])


def unordered(size):
    flow = unordered_flow.Flow('f')
    return flow.add(*[Nothing(f'{n}') for n in range(size)])


def layered(size):
    flow = graph_flow.Flow('f')
    before = []
    for layer in range(size // 10):
        now = [Nothing(f'{layer}.{n}') for n in range(10)]
        flow.add(*now)
        for source in before:
            for target in now:
                flow.link(source, target)
        before = now
    return flow


def nested(size):
    flow = linear_flow.Flow('f')
    for number in range(size // 10):
        inner = unordered_flow.Flow(f'{number}', retry.Times(2))
        inner.add(*[Nothing(f'{number}.{n}') for n in range(10)])
        flow.add(inner)
    return flow


def failing(size):
    """Everything is done, and reverted."""
    return linear_flow.Flow('all').add(linear(size), Fails('fails'))


class LookupsTest(base.BaseTestCase):
    def count(self, flow):
        """Run a flow; return look-ups and calls."""
        engine = engines.load(flow)
        engine.compile()
        engine.prepare()
        engine.validate()
        plan, record = engine.plan, engine.storage.record
        record.states = Counted(record.states)
        record.intentions = Counted(record.intentions)
        for name in ('kinds', 'successors', 'predecessors', 'retry_of'):
            setattr(plan, name, Counted(getattr(plan, name)))
        Counted.looks = calls = 0

        def count_calls(frame, event, arg):
            nonlocal calls
            if event == 'call' and frame.f_code.co_filename.startswith(_ROOMS):
                calls += 1

        sys.setprofile(count_calls)
        try:
            engine.run()
        except ValueError:
            pass
        finally:
            sys.setprofile(None)
        return Counted.looks, calls

    def check(self, make):
        """Check that a task costs in a large flow what it does in a small."""
        small, large = (
            [count / size for count in self.count(make(size))]
            for size in (200, 2000)
        )
        for before, after in zip(small, large, strict=True):
            self.assertLess(after, before * 1.05)
        looks, calls = large
        self.assertLess(looks, 50)
        self.assertLess(calls, 150)

    def test_linear(self):
        self.check(linear)

    def test_unordered(self):
        self.check(unordered)

    def test_layered(self):
        self.check(layered)

    def test_nested(self):
        self.check(nested)

    def test_reverting(self):
        self.check(failing)
