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

"""Failures as plain data, and their exceptions made again.

An exception is made again without running its class's own code: what its
built-in base makes of the arguments, and the attributes that it had.  What
the exception held that has no stored form (a response object, a session) is
replaced by its ``repr()``: a failure can always be stored, and its type is
worth more than an attribute.

The stored form is that of ``Failure.to_dict()``, except that only the failure
itself lists causes (the causes of a cause are those after it), and with what
it takes to make its exception; of causes texts and arguments are kept:

=========  =================================================================
``class``  its name, as ``classes.path_of()`` gives it
``init``   what its base is made of, where that is not ``exc_args``
``state``  its attributes, where there are any
=========  =================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taskflow_service import exceptions
from taskflow_service.serialization import classes
from taskflow_service.types import failure as failures

#: Texts longer than this keep their beginning and their end.
MAX_TEXT = 65536

#: The same for a failure that was too large as it was.
MAX_BRIEF_TEXT = 4096


def write(failure: failures.Failure) -> Mapping[str, Any]:
    """Return a failure as data; its arguments are whatever they were."""
    form = _write_rebuildable(failure, MAX_TEXT)
    form['causes'] = [_write_texts(one, MAX_TEXT) for one in failure.causes]
    return form


def write_brief(failure: failures.Failure) -> Mapping[str, Any]:
    """Return as much of a failure as always fits: names and short texts."""
    brief = _write_texts(failure, MAX_BRIEF_TEXT)
    return {**brief, 'exc_args': [], 'causes': []}


def write_exception(error: Exception) -> Mapping[str, Any]:
    """Return an exception that another one holds, without its causes."""
    failure = failures.Failure.from_exception(error)
    return _write_rebuildable(failure, MAX_BRIEF_TEXT)


def _write_texts(failure: failures.Failure, limit: int) -> dict[str, Any]:
    return {
        'exception_str': _cut(failure.exception_str, limit),
        'traceback_str': _cut(failure.traceback_str, limit),
        'exc_type_names': list(failure),
        'version': failure.DICT_VERSION,
        'exc_args': failure.exception_args,
    }


def _write_rebuildable(
    failure: failures.Failure, limit: int
) -> dict[str, Any]:
    form = _write_texts(failure, limit)
    error = failure.exception
    if error is None:
        return form
    try:
        form['class'] = classes.path_of(type(error))
    except LookupError:
        return form
    # What Python itself would copy it from: (class, args[, state]).
    made_of = _built_in(type(error)).__reduce__(error)
    if made_of[1] != error.args:
        form['init'] = made_of[1]
    if len(made_of) > 2 and made_of[2]:
        form['state'] = made_of[2]
    return form


def _cut(text: str | None, limit: int) -> str:
    if text is None:
        return ''
    if len(text) <= limit:
        return text
    half = limit // 2
    return (
        f'{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n'
        f'{text[-half:]}'
    )


def read(
    form: Mapping[str, Any], stored: Any, allowed: classes.Allowed
) -> failures.Failure:
    """Return the failure that was written.

    ``form`` is what write() returned; ``stored`` its JSON tree, written again
    as it is if the failure is, so that what cannot be rebuilt here may be
    elsewhere.
    """
    parts = _texts_of(form)
    causes = [_texts_of(cause) for cause in form['causes']]
    for index, cause in enumerate(causes):
        cause['causes'] = causes[index + 1 :]
    parts['causes'] = causes
    return failures.Failure.restored(parts, rebuild(form, allowed), stored)


def _texts_of(form: Mapping[str, Any]) -> dict[str, Any]:
    extra = ('class', 'init', 'state')
    return {key: value for key, value in form.items() if key not in extra}


def read_exception(
    form: Mapping[str, Any], allowed: classes.Allowed
) -> Exception:
    """Return the exception that was written, or one that stands for it."""
    error = rebuild(form, allowed)
    if error is None:
        failure = failures.Failure.from_dict(_texts_of(form))
        return exceptions.WrappedFailure([failure])
    return error


def rebuild(
    form: Mapping[str, Any], allowed: classes.Allowed
) -> Exception | None:
    """Make the exception of a failure; None if that cannot be done here."""
    if 'class' not in form:
        return None
    try:
        cls = allowed.find(form['class'])
        if not issubclass(cls, Exception):
            return None
        base = _built_in(cls)
        made_of = form.get('init', form['exc_args'])
        error: Exception = base.__new__(cls, *made_of)
        base.__init__(error, *made_of)
        error.args = tuple(form['exc_args'])
        BaseException.__setstate__(error, form.get('state', {}))
        str(error)
    # Arguments of another version of the class, or what a row was edited to:
    # the failure is kept in any case.
    except Exception:
        return None
    return error


def _built_in(cls: type) -> Any:
    return next(base for base in cls.__mro__ if base.__module__ == 'builtins')
