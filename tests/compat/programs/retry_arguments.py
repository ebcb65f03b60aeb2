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

"""What retries require, provide and are injected."""

from taskflow import engines
from taskflow import retry
from taskflow import task
from taskflow.patterns import linear_flow


class Limited(retry.Times):
    def execute(self, history, seed, *args, **kwargs):
        print('execute', seed, len(history))
        return {'n': len(history), 'seed': seed}

    def on_failure(self, history, seed, limit=3, *args, **kwargs):
        print('on_failure', seed, limit)
        return retry.RETRY if len(history) < limit else retry.REVERT


class Use(task.Task):
    def execute(self, n, seed):
        print('use', n, seed)
        raise OSError('use')


def run(controller, **store):
    print(
        sorted(controller.requires),
        sorted(controller.optional),
        sorted(controller.provides),
    )
    engine = engines.load(
        linear_flow.Flow('f', retry=controller).add(
            Use('use', rebind={'seed': 's'})
        ),
        store=store,
    )
    try:
        engine.run()
    except OSError as error:
        print('raised', error)


run(Limited(5, 'r', provides={'n', 'seed'}), seed=1, s=2)
run(
    Limited(5, 'r', provides={'n', 'seed'}, rebind={'seed': 'other'}),
    other=9,
    s=1,
)
for wrong in (
    lambda: retry.Times(provides=5),
    lambda: retry.Times(rebind={'q': 'r'}),
    lambda: retry.ForEach(),
    lambda: retry.Retry('abstract'),
):
    try:
        print(wrong())
    except (TypeError, ValueError) as error:
        print(type(error).__name__)
