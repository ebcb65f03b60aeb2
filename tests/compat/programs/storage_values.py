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

"""Names and values of a storage."""

from taskflow import engines
from taskflow import exceptions
from taskflow import task
from taskflow.patterns import linear_flow


class T(task.Task):
    default_provides = ('x', 'y')

    def execute(self, a, b=5):
        return a, b


engine = engines.load(linear_flow.Flow('f').add(T('t')), store={'a': 1})
storage = engine.storage
print(storage.flow_name, storage.flow_meta, storage.get_flow_state())
print(storage.fetch('a'), storage.fetch_all())
try:
    storage.fetch('x')
except exceptions.NotFound:
    print('NotFound')
engine.compile()
engine.prepare()
try:
    storage.fetch('x')
except exceptions.NotFound:
    print('NotFound')
engine.run()
print(sorted(storage.fetch_all().items()))
print(storage.fetch('x'), storage.fetch('y'))
print(storage.fetch('x', many_handler=lambda values: sum(values)))
storage.inject({'a': 2, 'new': 3})
print(sorted(storage.fetch_all().items()))
storage.inject([('pair', 4)], transient=True)
print(storage.fetch('pair'), sorted(storage.fetch_all()))
storage.inject({'x': 'injected'})
print(storage.fetch('x'))
print(storage.fetch_mapped_args({'one': 'a', 'two': 'new'}))
print(
    storage.fetch_mapped_args(
        {'one': 'a', 'two': 'none'}, optional_args=['two']
    )
)
try:
    storage.fetch_mapped_args({'two': 'none'})
except exceptions.NotFound:
    print('NotFound')
print(storage.fetch_mapped_args(None), storage.fetch_mapped_args({}))
print(
    storage.fetch_unsatisfied_args(
        't', {'a': 'a', 'q': 'q', 'r': 'r'}, optional_args=['r']
    )
)
storage.inject_atom_args('t', {'only': 1})
print(storage.fetch_mapped_args({'o': 'only'}, atom_name='t'))
try:
    storage.fetch('only')
except exceptions.NotFound:
    print('NotFound')
storage.inject_atom_args('t', {'kept': 1}, transient=False)
print(storage.fetch_mapped_args({'k': 'kept'}, atom_name='t'))
