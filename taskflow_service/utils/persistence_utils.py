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


"""Logbooks and flow details for callers who do not care which."""

from __future__ import annotations

from collections.abc import Mapping
import contextlib
import typing

from taskflow_service.persistence import base
from taskflow_service.persistence import models


def temporary_log_book(
    backend: base.Backend | None = None,
) -> models.LogBook:
    """Make a logbook named ``tmp``, saved if a backend is given."""
    book = models.LogBook('tmp')
    if backend is not None:
        with contextlib.closing(backend.get_connection()) as connection:
            connection.save_logbook(book)
    return book


def temporary_flow_detail(
    backend: base.Backend | None = None,
    meta: Mapping[typing.Any, typing.Any] | None = None,
) -> tuple[models.LogBook, models.FlowDetail]:
    """Make a logbook and a flow detail in it, saved if a backend is given."""
    book = models.LogBook('tmp')
    flow_detail = models.FlowDetail('tmp-flow-detail')
    if meta:
        flow_detail.meta.update(meta)
    book.add(flow_detail)
    if backend is not None:
        with contextlib.closing(backend.get_connection()) as connection:
            connection.save_logbook(book)
    return book, flow_detail


def create_flow_detail(
    flow: typing.Any,
    book: models.LogBook | None = None,
    backend: base.Backend | None = None,
    meta: Mapping[typing.Any, typing.Any] | None = None,
) -> models.FlowDetail:
    """Make the flow detail of a flow, in a book if there is any to be in.

    :param flow: the flow whose name it takes
    :param book: the book to add it to; with a backend but no book it is put
        into a temporary one
    :param backend: where the book is saved

    Returns the flow detail, stored if a backend was given.
    """
    name = getattr(flow, 'name', None)
    if backend is not None and book is None:
        book = models.LogBook('tmp')
    flow_detail = models.FlowDetail(name or 'tmp-flow-detail')
    if meta:
        flow_detail.meta.update(meta)
    if book is not None:
        book.add(flow_detail)
        if backend is not None:
            with contextlib.closing(backend.get_connection()) as connection:
                return (
                    connection.save_logbook(book).find(flow_detail.uuid)
                    or flow_detail
                )
    return flow_detail
