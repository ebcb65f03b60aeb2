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

"""Retries in a storage of one's own."""

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


def show(history):
    return [
        (value, {name: str(f) for name, f in failures.items()})
        for value, failures in history
    ], str(history.failure)


_, detail = persistence_utils.temporary_flow_detail()
store = storage.Storage(detail)
store.ensure_atoms([retry.Times(2, 'r', provides='n'), T('t')])
print(show(store.get_retry_history('r')))
store.save('r', 'a')
print(show(store.get_retry_history('r')), store.fetch('n'))
store.save_retry_failure('r', 't', make(OSError('1')))
store.save_retry_failure('r', 't', make(OSError('again')))
print(show(store.get_retry_history('r')))
store.save('r', 'b')
print(show(store.get_retry_history('r')), store.fetch('n'))
print([(name, len(history)) for name, history in store.get_retry_histories()])
store.save('r', make(KeyError('own')), state=states.FAILURE)
print(show(store.get_retry_history('r')))
store.cleanup_retry_history('r', states.REVERTED)
print(show(store.get_retry_history('r')), store.get_atom_state('r'))
attempt(store.get_retry_history, 't')
attempt(store.get_retry_history, 'nobody')
attempt(store.save_retry_failure, 't', 'x', make(OSError('x')))
attempt(store.set_task_progress, 'r', 0.5)
