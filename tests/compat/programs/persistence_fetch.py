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

"""How backends are named, and what cannot be one."""

import contextlib
import tempfile

from taskflow.persistence import backends


def attempt(conf, **kwargs):
    try:
        backend = backends.fetch(conf, **kwargs)
        print('fine', type(backend).__name__)
        backend.close()
    except Exception as error:
        print(type(error).__name__)


attempt({'connection': 'memory'})
attempt({'connection': 'memory:///'})
attempt('memory')
attempt('memory://')
attempt({'connection': 'sqlite://'})
attempt('sqlite:///:memory:')
attempt({'connection': 'nonsense'})
attempt({'connection': 'nonsense://host'})
with tempfile.TemporaryDirectory() as path:
    attempt({'connection': 'dir', 'path': path})
    for conf in (
        {'connection': 'dir', 'path': path},
        {'connection': 'memory'},
    ):
        with backends.backend(conf) as backend:
            with contextlib.closing(backend.get_connection()) as connection:
                print(list(connection.get_logbooks()))
