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

"""The connection of a backend: save, get, update, destroy."""

import contextlib
import tempfile

from taskflow import exceptions
from taskflow.persistence import backends
from taskflow.persistence import models


def attempt(what, *args):
    try:
        return what(*args)
    except exceptions.NotFound:
        return 'NotFound'


def use(conf):
    with contextlib.closing(backends.fetch(conf)) as backend:
        with contextlib.closing(backend.get_connection()) as connection:
            connection.upgrade()
            connection.validate()
            print(connection.backend is backend)
            book = models.LogBook('book', 'b1')
            book.meta = {'m': [1, 2]}
            saved = connection.save_logbook(book)
            print(saved.name, saved.uuid, saved.meta)
            flow = models.FlowDetail('flow', 'f1')
            atom = models.TaskDetail('atom', 'a1')
            retry = models.RetryDetail('retry', 'r1')
            flow.add(atom)
            flow.add(retry)
            book.add(flow)
            attempt(connection.update_flow_details, flow)
            connection.save_logbook(book)
            atom.put('SUCCESS', {'x': [1, 'two', None]})
            retry.put('SUCCESS', 'v1')
            connection.update_atom_details(atom)
            connection.update_atom_details(retry)
            flow.state = 'RUNNING'
            flow.meta = {'k': 'v'}
            connection.update_flow_details(flow)
            found = connection.get_logbook('b1')
            print(found.name, found.meta, len(found))
            for one in found:
                print(one.name, one.state, one.meta)
                for each in sorted(one, key=lambda item: item.name):
                    print(
                        type(each).__name__,
                        each.name,
                        each.state,
                        each.results,
                        each.intention,
                    )
            lazy = connection.get_logbook('b1', lazy=True)
            print(len(lazy))
            print([each.name for each in connection.get_logbooks()])
            print([each.uuid for each in connection.get_flows_for_book('b1')])
            got = connection.get_flow_details('f1')
            print(
                got.name,
                len(got),
                len(connection.get_flow_details('f1', lazy=True)),
            )
            print(connection.get_atom_details('a1').results)
            print(
                sorted(
                    each.uuid for each in connection.get_atoms_for_flow('f1')
                )
            )
            for what in (
                connection.get_logbook,
                connection.get_flow_details,
                connection.get_atom_details,
                connection.destroy_logbook,
            ):
                print(attempt(what, 'nobody'))
            print(
                attempt(
                    connection.update_atom_details, models.TaskDetail('x', 'x')
                )
            )
            connection.destroy_logbook('b1')
            print(attempt(connection.get_logbook, 'b1'))
            connection.save_logbook(models.LogBook('again', 'b2'))
            connection.clear_all()


with tempfile.TemporaryDirectory() as path:
    for conf in (
        {'connection': 'memory'},
        {'connection': 'memory://'},
        {'connection': f'sqlite:///{path}/db.sqlite'},
    ):
        print('--', conf['connection'].partition(':')[0])
        use(conf)
