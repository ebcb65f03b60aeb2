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


"""Tasks that other processes run: they leave what they did in a file."""

from __future__ import annotations

import os
import pathlib
import signal
import threading
import typing

from taskflow_service import task

#: Seconds after which a task that waits gives up.
LONG = 60.0


def note(path: str, line: str) -> None:
    """Append a line to a file; whole, also when several do so."""
    with open(path, 'a', encoding='ascii') as stream:
        stream.write(line + '\n')


def notes(path: str) -> list[str]:
    """Read what was noted."""
    file = pathlib.Path(path)
    return file.read_text(encoding='ascii').split() if file.exists() else []


class Pid(task.Task):
    """Returns its process's id."""

    def execute(self) -> int:
        return os.getpid()


class Exit(task.Task):
    """Takes its process along."""

    def execute(self, how: str) -> None:
        if how == 'exit':
            os._exit(9)
        os.kill(os.getpid(), signal.SIGKILL)


class Hog(task.Task):
    """Takes memory, and returns how much it got."""

    def execute(self, megabytes: int) -> int:
        return len(bytearray(megabytes * 1024 * 1024))


class Deaf(task.Task):
    """Does not listen to its cancellation."""

    def execute(self, path: str) -> None:
        note(path, str(os.getpid()))
        threading.Event().wait(LONG)


class Polite(task.Task):
    """Stops when it is asked to."""

    def execute(self, path: str) -> None:
        note(path, str(os.getpid()))
        attempt = typing.cast(task.Attempt, task.current())
        attempt.cancellation.wait(LONG)
        attempt.cancellation.raise_if_cancelled()
