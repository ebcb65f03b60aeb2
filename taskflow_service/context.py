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

"""The request context that travels with a flow and its tasks.

What is kept is what an operator looks for in a log line, and what a task
needs to act for a project: identifiers and roles. Tokens are never kept: a
flow outlives them, and a logbook is no place for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import typing

from oslo_context import context

Values = dict[str, typing.Any]

#: Under these names ``RequestContext.from_dict`` reads what it is given;
#: only they are kept, so that no secret of a subclass slips through.
_KEPT = (
    'user',
    'project_id',
    'system_scope',
    'domain',
    'user_domain',
    'project_domain',
    'is_admin',
    'is_admin_project',
    'read_only',
    'show_deleted',
    'request_id',
    'global_request_id',
    'resource_uuid',
    'roles',
)

#: Only for log lines; oslo.context keeps them out of ``to_dict``.
_NAMES = (
    'user_name',
    'project_name',
    'domain_name',
    'user_domain_name',
    'project_domain_name',
)


def capture() -> Values | None:
    """Take down the calling thread's context, without its token.

    Returns a dictionary of JSON values, or None if no context is current.
    What is empty is left out.
    """
    current = context.get_current()
    if current is None:
        return None
    # The base class's view: a subclass may give more, or rename.
    known = context.RequestContext.to_dict(current)
    values = {key: known[key] for key in _KEPT}
    values.update((key, getattr(current, key)) for key in _NAMES)
    return {
        key: value for key, value in values.items() if value not in (None, [])
    }


def restore(values: Mapping[str, typing.Any]) -> context.RequestContext:
    """Make a context out of what ``capture`` gave; it is not current.

    Keys that this version does not know are ignored.
    """
    known = {key: values[key] for key in (*_KEPT, *_NAMES) if key in values}
    previous = context.get_current()
    made = context.RequestContext.from_dict(known, overwrite=False)
    # A context makes itself current where there is none.
    set_current(previous)
    return made


def set_current(current: context.RequestContext | None) -> None:
    """Make a context, or none, the calling thread's."""
    if current is not None:
        current.update_store()
        return
    # oslo.context has no call for this; its own fixture does the same.
    context._request_store.__dict__.pop('context', None)


@contextlib.contextmanager
def using(values: Mapping[str, typing.Any] | None) -> Iterator[None]:
    """Make a captured context the thread's, and put back what was there.

    With None no context is current inside: threads are used again, and a
    task must not see what another one left.
    """
    previous = context.get_current()
    set_current(restore(values) if values is not None else None)
    try:
        yield
    finally:
        set_current(previous)
