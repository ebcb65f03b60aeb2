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

"""What tasks did: a file of lines, which no engine, worker or server keeps.

Whoever runs a task appends a line when it begins and another when it ends;
the order of the lines is the order of the effects.
"""

from __future__ import annotations

from collections.abc import Iterator
import json
import os
import pathlib
import time
import typing
import uuid

from taskflow_service import task


class Effect(typing.NamedTuple):
    """One line."""

    time: float
    flow: str
    atom: str
    #: do, undo or probe.
    what: str
    #: begin, end (with a result), failed, or cancelled.
    phase: str
    attempt: int
    try_number: int
    #: Of this one start of the task's body.
    run: str
    #: At begin: the run whose result it was given. At the end of an undo: the
    #: one that was undone. Of a probe: what it found, if anything.
    given: str | None
    #: idempotent, probed or plain: what the task promises.
    promise: str
    pid: int


class Run:
    """One start of a task's body, in the process that runs it."""

    def __init__(
        self, path: str, what: str, given: str | None, promise: str
    ) -> None:
        self.attempt = typing.cast(task.Attempt, task.current())
        self.run = uuid.uuid4().hex
        self._path = path
        self._what = what
        self._promise = promise
        self.note('begin', given)

    def note(self, phase: str, given: str | None = None) -> None:
        """Append a line, whole, also when several processes do so."""
        attempt = self.attempt
        line = json.dumps(
            Effect(
                time.time(),
                attempt.flow_uuid,
                attempt.atom,
                self._what,
                phase,
                attempt.attempt,
                attempt.try_number,
                self.run,
                given,
                self._promise,
                os.getpid(),
            )
        )
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(handle, f'{line}\n'.encode())
        finally:
            os.close(handle)


def read(path: str | pathlib.Path, word: str = '') -> Iterator[Effect]:
    """Yield the effects whose lines hold a word."""
    try:
        stream = open(path, encoding='ascii')
    except FileNotFoundError:
        return
    with stream:
        for line in stream:
            if word in line:
                yield Effect(*json.loads(line))
