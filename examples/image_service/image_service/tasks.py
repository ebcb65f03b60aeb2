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

"""What an import does, step by step, and how each step is undone."""

from __future__ import annotations

from collections.abc import Mapping
import gzip
import hashlib
import pathlib

from taskflow_service import task
from taskflow_service.types import failure

from image_service import errors
from image_service import store
from image_service import streams


class Reserve(task.Task):
    """Make the image known, and room to work in."""

    default_provides = 'image_id'
    idempotent = True

    def execute(self, name: str) -> str:
        # However often this is attempted, it is one image.
        image_id = task.current().token
        store.current().reserve(image_id, name)
        return image_id

    def revert(self, flow_failures: Mapping[str, failure.Failure]) -> None:
        reasons = [each.exception_str or '' for each in flow_failures.values()]
        store.current().fail(
            task.current().token, '; '.join(reasons) or 'cancelled'
        )


class Stage(task.Task):
    """Copy the file into the store, where workers see it."""

    default_provides = 'staged'
    idempotent = True
    #: The file is where the program is.
    runs_in = 'engine'

    def execute(self, image_id: str, source: str) -> str:
        work = store.current().work(image_id)
        with streams.written(work / 'source', work) as target:
            for chunk in streams.chunks(pathlib.Path(source), self):
                target.write(chunk)
        return str(work / 'source')

    def revert(self, image_id: str) -> None:
        (store.current().work(image_id) / 'source').unlink(missing_ok=True)


class Verify(task.Task):
    """Compare what was copied with what the user says it is."""

    default_provides = 'verified'
    idempotent = True

    def execute(self, staged: str, checksum: str | None) -> str:
        found = hashlib.sha256()
        for chunk in streams.chunks(pathlib.Path(staged), self):
            found.update(chunk)
        if checksum not in (None, found.hexdigest()):
            raise errors.ChecksumMismatch(
                f'The SHA-256 of the file is {found.hexdigest()}, not '
                f'{checksum}'
            )
        return found.hexdigest()


class Convert(task.Task):
    """Make of the copy what the store keeps: gzip."""

    default_provides = 'size'
    idempotent = True

    def execute(self, image_id: str, staged: str) -> int:
        opened = store.current()
        work = opened.work(image_id)
        with (
            streams.written(work / 'image.gz', work) as target,
            # Without a time or a name in it: the same bytes each time.
            gzip.GzipFile(
                '',
                'wb',
                opened.options.compression_level,
                target,
                mtime=0,
            ) as packed,
        ):
            for chunk in streams.chunks(
                pathlib.Path(staged), self, opened.options.conversion_rate
            ):
                packed.write(chunk)
            return packed.tell()

    def revert(self, image_id: str) -> None:
        work = store.current().work(image_id)
        (work / 'image.gz').unlink(missing_ok=True)


class Activate(task.Task):
    """Put the image in its place; from now on it can be used."""

    #: Should its worker fall silent, it is stopped there before anybody
    #: asks here whether it was done.
    strict_fence = True

    def execute(self, image_id: str, size: int, verified: str) -> None:
        opened = store.current()
        opened.activate(image_id, size=size, checksum=verified)

    def probe(
        self, image_id: str, size: int, verified: str
    ) -> task.Done | task.Probe:
        image = store.current().get(image_id)
        return task.Done() if image.status == store.ACTIVE else task.NOT_DONE
