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

"""Temporary books and details."""

import contextlib

from taskflow.patterns import linear_flow
from taskflow.persistence import backends
from taskflow.persistence import models
from taskflow.utils import persistence_utils as utils

book = utils.temporary_log_book()
print(book.name, len(book))
book, detail = utils.temporary_flow_detail()
print(book.name, detail.name, book.find(detail.uuid) is detail)
with backends.backend({'connection': 'memory'}) as backend:
    book = utils.temporary_log_book(backend)
    with contextlib.closing(backend.get_connection()) as connection:
        print(connection.get_logbook(book.uuid).name)
    detail = utils.create_flow_detail(linear_flow.Flow('f'), backend=backend)
    with contextlib.closing(backend.get_connection()) as connection:
        print(connection.get_flow_details(detail.uuid).name)
    book = models.LogBook('mine')
    detail = utils.create_flow_detail(
        linear_flow.Flow('g'), book=book, backend=backend, meta={'m': 1}
    )
    print(detail.name, detail.meta, len(book))
detail = utils.create_flow_detail(linear_flow.Flow('h'))
print(detail.name, detail.meta, detail.state)
book, detail = utils.temporary_flow_detail(meta={'x': 1})
print(detail.meta)
