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

"""A graph flow with bound deciders and hooks, as Watcher's."""

from taskflow import engines
from taskflow import exceptions
from taskflow import task
from taskflow.patterns import graph_flow


class Action(task.Task):
    def __init__(self, name, fail=False, skip=False):
        super().__init__(name=name)
        self.fail = fail
        self.skip = skip

    def pre_execute(self):
        print('pre', self.name)
        if self.skip:
            raise exceptions.ExecutionFailure('cancelled')

    def execute(self, *args, **kwargs):
        print('execute', self.name)
        if self.fail:
            raise RuntimeError(self.name)
        return True

    def post_execute(self):
        print('post', self.name)

    def revert(self, *args, **kwargs):
        print('revert', self.name, kwargs.get('result') is True)

    def decide(self, history):
        return all(history.values())


def run(*actions):
    flow = graph_flow.Flow('watcher')
    for action in actions:
        flow.add(action)
    for before, after in zip(actions, actions[1:], strict=False):
        flow.link(before, after, decider=before.decide)
    engine = engines.load(flow, engine='serial')
    try:
        engine.run()
        print('fine')
    except exceptions.WrappedFailure as error:
        print('wrapped', error.check('taskflow.exceptions.ExecutionFailure'))
    except Exception as error:
        print(type(error).__name__, error)
    print(
        engine.storage.get_flow_state(),
        [engine.storage.get_atom_state(action.name) for action in actions],
    )


run(Action('a'), Action('b'), Action('c'))
run(Action('a'), Action('b', fail=True), Action('c'))
run(Action('a'), Action('b', skip=True), Action('c'))
