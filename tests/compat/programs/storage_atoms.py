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

"""Atoms in a storage of one's own."""

from taskflow import retry
from taskflow import states
from taskflow import storage
from taskflow import task
from taskflow.types import failure
from taskflow.utils import persistence_utils


class T(task.Task):
    def execute(self):
        pass


def make(error):
    try:
        raise error
    except Exception:
        return failure.Failure()


def attempt(what, *args, **kwargs):
    try:
        print('fine', what(*args, **kwargs))
    except Exception as error:
        print(type(error).__name__)


_, detail = persistence_utils.temporary_flow_detail()
store = storage.Storage(detail)
uuid = store.ensure_atom(T('t', provides=('a', 'b')))
print(
    uuid == store.get_atom_uuid('t'),
    uuid == store.ensure_atom(T('t')),
    len(store.ensure_atoms([T('u'), retry.Times(1, 'r')])),
)
attempt(store.ensure_atom, 'no atom')
attempt(store.get_atom_uuid, 'nobody')
attempt(store.get_atom_state, 'nobody')
attempt(store.save, 'nobody', 1)
print(store.get_atom_state('t'), store.get_atom_intention('t'))
store.set_atom_state('t', states.RUNNING)
store.set_atom_intention('t', states.REVERT)
print(store.get_atom_state('t'), store.get_atom_intention('t'))
print(store.get_atoms_states(['t']), store.get_atoms_states([]))
attempt(store.get_execute_result, 't')
store.save('t', (1, 2))
print(store.get('t'), store.get_atom_state('t'), store.fetch('b'))
store.save('u', make(OSError('u')), state=states.FAILURE)
print(store.has_failures(), sorted(store.get_failures()), str(store.get('u')))
store.save('t', 'reverted', state=states.REVERTED)
print(store.get_revert_result('t'), sorted(store.get_revert_failures()))
store.save('u', make(KeyError('v')), state=states.REVERT_FAILURE)
print(str(store.get_revert_result('u')))
store.reset('u')
print(store.get_atom_state('u'), store.has_failures())
attempt(store.get, 'u')
store.reset('nobody') if False else attempt(store.reset, 'nobody')
