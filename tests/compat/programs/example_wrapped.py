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

"""Failures of tasks that run together, handled by their kinds."""

import threading

from taskflow import engines
from taskflow import exceptions
from taskflow import task
from taskflow.patterns import unordered_flow

together = threading.Barrier(2, timeout=20)


class First(Exception):
    pass


class Second(Exception):
    pass


class Fails(task.Task):
    def __init__(self, name, error):
        super().__init__(name)
        self.error = error

    def execute(self):
        together.wait()
        raise self.error

    def revert(self, **kwargs):
        pass


def run(*errors):
    flow = unordered_flow.Flow('f').add(
        *[Fails(f't{n}', error) for n, error in enumerate(errors)]
    )
    try:
        engines.run(flow, engine='parallel', max_workers=2)
    except exceptions.WrappedFailure as wrapped:
        found = []
        for failure in wrapped:
            found.append(failure.check(First, Second).__name__)
        print(sorted(found))
    except Exception as error:
        print(type(error).__name__)


run(First(), Second())
run(First(), First())
