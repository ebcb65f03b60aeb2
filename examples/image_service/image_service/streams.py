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

"""Reading and writing files as a task should.

A task that reads says how far it is, stops when it is told to, and leaves the
disk to others if it may not be quick. A file that is written is there whole,
or not at all, whenever the process is killed.
"""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
import os
import pathlib
import tempfile
import typing

from taskflow_service import task

from image_service import errors

CHUNK = 256 * 1024


def chunks(
    path: pathlib.Path, working: task.Task, rate: int = 0
) -> Iterator[bytes]:
    """Yield what is in a file, on behalf of a task that is running.

    :param working: tells its progress after each chunk
    :param rate: at most so many bytes in a second; 0 is no limit

    Raises ``Cancelled`` as soon as the task is to stop.
    """
    cancellation = task.current().cancellation
    with open(path, 'rb') as source:
        size = os.fstat(source.fileno()).st_size
        while chunk := source.read(CHUNK):
            cancellation.raise_if_cancelled()
            yield chunk
            working.update_progress(min(1.0, source.tell() / max(size, 1)))
            if rate:
                # Not a sleep: it ends when the task is to stop.
                cancellation.wait(len(chunk) / rate)


@contextlib.contextmanager
def written(
    path: pathlib.Path, folder: pathlib.Path
) -> Iterator[typing.BinaryIO]:
    """Give a file to write to, and have it at ``path`` at the end.

    It is made in ``folder``, under a name of its own each time: whoever does
    the same work at the same time does not meet it, and what a killed process
    leaves behind is gone with the folder.
    """
    descriptor, temporary = tempfile.mkstemp('.part', dir=folder)
    try:
        with open(descriptor, 'wb') as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename is None:
            # Of a write: it does not say to which file.
            raise errors.StoreError(
                f'Cannot write {path}: {error.strerror}'
            ) from error
        raise


def sync_folder(path: pathlib.Path) -> None:
    """Have on disk which names a folder holds."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
