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

"""Engines run flows: at once or side by side, to the end or until told."""

from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import task
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow


class Say(task.Task):
    default_provides = 'said'

    def execute(self):
        print(f'  {self.name}')
        return self.name

    def revert(self):
        print(f'  {self.name} undone')


class Square(task.Task):
    def execute(self, number):
        return number * number


class Fail(task.Task):
    def execute(self):
        raise ConnectionError('nobody answers')


class Wait(task.Task):
    run_timeout = 0.05

    def execute(self):
        cancellation = task.current().cancellation
        while not cancellation.wait(10):
            pass
        cancellation.raise_if_cancelled()


def run_at_once():
    print('run: the results, by name')
    flow = linear_flow.Flow('squares').add(Square(provides='square'))
    print(' ', engines.run(flow, store={'number': 7}))


def side_by_side():
    print('in four threads')
    flow = unordered_flow.Flow('squares')
    for number in range(3):
        flow.add(Square(f's{number}', f'r{number}', inject={'number': number}))
    engine = engines.load(flow, engine='parallel', max_workers=4)
    engine.run()
    print(' ', sorted(engine.storage.fetch_all().items()))


def what_failed():
    print('a failure is raised, and what was done is undone')
    flow = linear_flow.Flow('call').add(Say('dial'), Fail('talk'))
    engine = engines.load(flow)
    try:
        engine.run()
    except ConnectionError as error:
        print(f'  raised: {error}')
    print(f'  the flow is {engine.storage.get_flow_state()}')


def suspend_and_go_on():
    print('suspend between two tasks, and go on')
    flow = linear_flow.Flow('journey').add(Say('leave'), Say('arrive'))
    engine = engines.load(flow)

    def stop_after_the_first(state, details):
        engine.suspend()

    engine.atom_notifier.register('SUCCESS', stop_after_the_first)
    engine.run()
    print(f'  the flow is {engine.storage.get_flow_state()}')
    engine.atom_notifier.deregister('SUCCESS', stop_after_the_first)
    engine.run()
    print(f'  the flow is {engine.storage.get_flow_state()}')


def cancel():
    print('cancel: what was done is undone')
    flow = linear_flow.Flow('journey').add(Say('leave'), Say('arrive'))
    engine = engines.load(flow)
    engine.atom_notifier.register(
        'SUCCESS', lambda state, details: engine.cancel(reason='it rains')
    )
    try:
        engine.run()
    except exceptions.Cancelled as error:
        print(f'  cancelled: {error.reason}')
    print(f'  the flow is {engine.storage.get_flow_state()}')


def too_long():
    print('a task that takes too long')
    flow = linear_flow.Flow('wait').add(Wait())
    engine = engines.load(flow, engine='parallel')
    try:
        engine.run()
    except exceptions.RunTimeout:
        print(f'  the flow is {engine.storage.get_flow_state()}')


def many():
    print('many flows in one loop')
    with engines.Loop() as loop:
        futures = {}
        for number in range(100):
            flow = linear_flow.Flow('one').add(Square(provides='square'))
            engine = engines.load(flow, store={'number': number})
            futures[engine] = loop.submit(engine)
        total = 0
        for engine, future in futures.items():
            future.result()
            total += engine.storage.fetch('square')
    print(f'  the sum of {len(futures)} squares is {total}')


def picture():
    print('a flow as a picture')
    flow = linear_flow.Flow('journey').add(Say('leave'), Say('arrive'))
    engine = engines.load(flow)
    engine.compile()
    print(engine.compilation.export('mermaid'))


if __name__ == '__main__':
    run_at_once()
    side_by_side()
    what_failed()
    suspend_and_go_on()
    cancel()
    too_long()
    many()
    picture()
