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
"""What an event says: payloads with a published, versioned schema.

The schemas are the files beside this module, and part of the public
interface. Within a major version fields are only added, each change in a file
of its own; a payload names its schema and version. No payload holds arguments
or results of tasks, and the texts of failures are masked and cut short.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
import datetime
import enum
from importlib import resources
import json
import typing

from taskflow_service import masking
from taskflow_service.types import failure as ft

#: Version of each payload's schema.
VERSION = '1.0'
#: Failures that an event of a flow lists.
MOST_FAILURES = 10
#: Characters of the text of a failure.
LONGEST_TEXT = 1000

Payload = dict[str, typing.Any]


class Subject(enum.StrEnum):
    """Whose life it is."""

    FLOW = 'flow'
    TASK = 'task'
    WORKER = 'worker'


class Phase(enum.StrEnum):
    """What has happened in it."""

    START = 'start'
    END = 'end'
    ERROR = 'error'


class Event(typing.NamedTuple):
    """One event.

    :ivar publisher: the kind of program, a dot and its host or name
    """

    subject: Subject
    phase: Phase
    publisher: str
    payload: Payload

    @property
    def type(self) -> str:
        """By which listeners tell events: ``taskflow.flow.start``."""
        return f'taskflow.{self.subject}.{self.phase}'


def make(
    subject: Subject,
    phase: Phase,
    publisher: str,
    at: float,
    **fields: typing.Any,
) -> Event:
    """Make an event of something that happened ``at`` (wall clock)."""
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
    payload = {
        'schema': f'taskflow.{subject}',
        'version': VERSION,
        'at': moment.isoformat(timespec='microseconds'),
        **fields,
    }
    return Event(subject, phase, publisher, payload)


def whose(context: Mapping[str, typing.Any] | None) -> Payload:
    """Say on whose behalf a flow runs, as its captured context has it."""
    known = context or {}
    return {
        'request_id': known.get('request_id'),
        'project_id': known.get('project_id'),
        'user_id': known.get('user'),
    }


def failed(atom: str | None, failure: ft.Failure) -> Payload:
    """Say why an atom failed; ``None``: why the flow as a whole did."""
    text = masking.mask(failure.exception_str or '')
    if len(text) > LONGEST_TEXT:
        text = text[: LONGEST_TEXT - 3] + '...'
    return {'atom': atom, 'types': list(failure), 'message': text}


def first_failures(
    found: Iterable[tuple[str | None, ft.Failure]],
) -> list[Payload]:
    """Say why atoms failed, up to a bound."""
    told: list[Payload] = []
    for atom, failure in found:
        if len(told) == MOST_FAILURES:
            break
        told.append(failed(atom, failure))
    return told


def schema(subject: Subject, version: str = VERSION) -> Payload:
    """Return the JSON Schema of the payloads of a subject."""
    folder = resources.files(__package__) / 'schemas'
    text = (folder / f'{subject}-{version}.json').read_text('utf-8')
    return typing.cast(Payload, json.loads(text))
