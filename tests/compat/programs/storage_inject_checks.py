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

"""Injecting before and after compiling; what the checks then say."""

from taskflow import engines
from taskflow import exceptions
from taskflow import retry
from taskflow import task
from taskflow.patterns import linear_flow


class T(task.Task):
    def execute(self, a, b):
        return a, b

    def revert(self, c, **kwargs):
        pass


class R(retry.AlwaysRevert):
    def execute(self, limit, **kwargs):
        return limit


def attempt(engine):
    try:
        engine.validate()
        print('valid')
    except exceptions.MissingDependencies as error:
        print(sorted(error.missing_requirements))


engine = engines.load(linear_flow.Flow('f', retry=R('r')).add(T('t')))
engine.compile()
engine.prepare()
attempt(engine)
engine.storage.inject({'a': 1})
attempt(engine)
engine.storage.inject_atom_args('t', {'b': 2})
attempt(engine)
engine.storage.inject({'c': 1}, transient=True)
attempt(engine)
engine.storage.inject_atom_args('r', {'limit': 3}, transient=False)
attempt(engine)
engine.run()
print(engine.storage.get_execute_result('t'))
engine.storage.inject({'a': 9})
engine.reset()
engine.run()
print(engine.storage.get_execute_result('t'))
