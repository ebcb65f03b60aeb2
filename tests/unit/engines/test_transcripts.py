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

"""The same flow, the same events, whatever runs its tasks.

Every program here has one order only; a difference between two executors is
a bug of one of them. Classes are the module's own, so that other processes
find them.
"""

from __future__ import annotations

import importlib.util

from oslotest import base

from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import retry
from taskflow_service import task
from taskflow_service.patterns import graph_flow
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow
from tests import remote
from tests.unit.engines import hands

#: Name -> (engine's options, whether in a loop of many flows).
EXECUTORS = {
    'serial': ({'engine': 'serial'}, False),
    'threads': ({'engine': 'parallel', 'executor': 'threads'}, False),
    'serial in a loop': ({'engine': 'serial'}, True),
    'threads in a loop': ({'engine': 'parallel'}, True),
}
if importlib.util.find_spec('taskflow_service.executors.processes'):
    EXECUTORS['processes'] = (
        {'engine': 'parallel', 'executor': 'processes', 'max_workers': 1},
        False,
    )


DETAILS = "'progress_details': None, "


class Add(task.Task):
    default_provides = 'sum'

    def execute(self, sum=0):
        return sum + 1

    def revert(self, result, **kwargs):
        return f'not {result}'


class Progress(task.Task):
    def execute(self):
        self.update_progress(0.5)

    def revert(self, **kwargs):
        pass


class FailAtFirst(task.Task):
    def execute(self, number):
        if number < 3:
            raise hands.Boom(f'{number}')
        return number

    def revert(self, **kwargs):
        pass


class CannotRevert(task.Task):
    def execute(self):
        pass

    def revert(self, **kwargs):
        raise hands.Boom('revert')


def all_is_well():
    return linear_flow.Flow('f').add(Add('a'), Progress('b'), Add('c'))


def fails():
    return linear_flow.Flow('f').add(Add('a'), Add('b'), hands.Fail('c'))


def retried():
    controller = retry.Times(5, 'times', provides='number')
    return linear_flow.Flow('f').add(
        Add('a'),
        linear_flow.Flow('inner', controller).add(FailAtFirst('b'), Add('c')),
    )


def given_up():
    controller = retry.Times(2, 'times', provides='number', revert_all=True)
    return linear_flow.Flow('f').add(
        Add('a'), linear_flow.Flow('inner', controller).add(FailAtFirst('b'))
    )


def ignored():
    a, b, c = Add('a'), Add('b'), Add('c')
    flow = graph_flow.Flow('f').add(a, b, c)
    return flow.link(a, b, decider=lambda history: False).link(b, c)


def failure_ignored():
    maybe = hands.Fail('maybe')
    maybe.ignore_failure = True
    return linear_flow.Flow('f').add(Add('a'), maybe, Add('b'))


def cannot_revert():
    return linear_flow.Flow('f').add(
        Add('a'), CannotRevert('b'), hands.Fail('c')
    )


def nested():
    first, last = Add('b'), linear_flow.Flow('i').add(hands.Fail('c'))
    inner = graph_flow.Flow('h', retry.AlwaysRevertAll('r'))
    inner.add(last, first).link(first, last)
    outer = unordered_flow.Flow('g').add(Add('a'))
    return linear_flow.Flow('f').add(outer, inner)


PROGRAMS = (
    all_is_well,
    fails,
    retried,
    given_up,
    ignored,
    failure_ignored,
    cannot_revert,
    nested,
)


class TranscriptTest(base.BaseTestCase):
    def transcript(self, make, options, in_loop):
        """Run a program; return all that its user can see of it."""
        engine = engines.load(make(), **options)
        heard = hands.listen(engine)
        try:
            if in_loop:
                with engines.Loop() as loop:
                    loop.submit(engine).result(60)
            else:
                engine.run()
        except (hands.Boom, exceptions.WrappedFailure) as error:
            heard.append(f'raised {type(error).__name__} {error}')
        heard.append(str(engine.storage.fetch_all().get('sum')))
        for detail in engine.storage._flowdetail:
            heard.append(
                f'{detail.name} {detail.state} {detail.intention} '
                f'{detail.attempt} {detail.seq} {detail.meta}'
            )
        return heard

    def test_all_executors_agree(self):
        for make in PROGRAMS:
            expected = self.transcript(make, *EXECUTORS['serial'])
            for name, how in EXECUTORS.items():
                self.assertEqual(
                    expected,
                    self.transcript(make, *how),
                    f'{make.__name__} in {name}',
                )

    def test_workers_agree_as_well(self):
        bus = self.useFixture(remote.Bus())
        workers = {'engine': 'workers', 'conf': bus.conf}
        for make in PROGRAMS:
            expected = self.transcript(make, *EXECUTORS['serial'])
            self.assertEqual(
                # Progress travels with the heartbeats: of a task that ends
                # before the next there is nothing to tell.
                [each.replace(DETAILS, '') for each in expected],
                self.transcript(make, workers, in_loop=False),
                make.__name__,
            )

    def test_what_they_agree_on(self):
        self.assertEqual(
            [
                'PENDING -> RUNNING',
                'a: PENDING -> RUNNING',
                'a: RUNNING -> SUCCESS',
                'b: PENDING -> RUNNING',
                'b: RUNNING -> SUCCESS',
                'c: PENDING -> RUNNING',
                'c: RUNNING -> FAILURE',
                'c: FAILURE -> REVERTING',
                'c: REVERTING -> REVERTED',
                'b: SUCCESS -> REVERTING',
                'b: REVERTING -> REVERTED',
                'a: SUCCESS -> REVERTING',
                'a: REVERTING -> REVERTED',
                'RUNNING -> REVERTED',
                'raised Boom c',
            ],
            self.transcript(fails, *EXECUTORS['serial'])[:-4],
        )

    def test_a_retry_in_the_middle(self):
        heard = self.transcript(retried, *EXECUTORS['serial'])
        once = [
            'times: SUCCESS -> RETRYING',
            'b: REVERTED -> PENDING',
            'times: RETRYING -> RUNNING',
            'times: RUNNING -> SUCCESS',
        ]
        first = heard.index(once[0])
        self.assertEqual(once, heard[first : first + 4])
        self.assertEqual(2, heard.count(once[0]))
        self.assertEqual('RUNNING -> SUCCESS', heard[-6])
