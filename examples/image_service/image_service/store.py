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

"""The store: images, what is known of them, and what is being made of them.

Below ``[image_service] store_path``::

    records/ID.json   what is known of an image
    images/ID.gz      its content, once it is active
    work/ID/          everything that an import that is under way has made

One flow alone changes what belongs to an image, so that nothing is locked.
"""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import typing

from oslo_config import cfg

from image_service import conf as conf_mod
from image_service import errors
from image_service import streams

IMPORTING, ACTIVE, ERROR = 'importing', 'active', 'error'


@dataclasses.dataclass(frozen=True)
class Image:
    """What is known of an image: its record."""

    id: str
    name: str
    status: str = IMPORTING
    #: Of the file as it was given, in bytes and as SHA-256.
    size: int | None = None
    checksum: str | None = None
    #: Bytes that it takes in the store.
    stored: int | None = None
    #: Why there is no image, if its status is ``error``.
    reason: str | None = None


class Store:
    """The directory of one configuration. Blocks to have things on disk."""

    def __init__(self, options: cfg.ConfigOpts.GroupAttr) -> None:
        self.options = options
        self._path = pathlib.Path(options.store_path).absolute()
        try:
            for name in ('records', 'images', 'work'):
                (self._path / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise errors.StoreError(
                f'[image_service] store_path: {self._path} cannot be used '
                f'({error.strerror}); name a directory in which this process '
                f'can write'
            ) from error

    def get(self, image_id: str) -> Image:
        """Return an image; raises ImageNotFound."""
        # What a user types is no path.
        if pathlib.Path(image_id).name == image_id:
            with contextlib.suppress(FileNotFoundError):
                return _read(self._record(image_id))
        raise errors.ImageNotFound(f'There is no image {image_id}')

    def list(self) -> Iterator[Image]:
        """Yield all images."""
        for path in sorted((self._path / 'records').glob('*.json')):
            yield _read(path)

    def content(self, image_id: str) -> pathlib.Path:
        """Return where the content of an active image is."""
        return self._path / 'images' / f'{image_id}.gz'

    def work(self, image_id: str) -> pathlib.Path:
        """Return the folder of an import that is under way."""
        return self._path / 'work' / image_id

    def reserve(self, image_id: str, name: str) -> None:
        """Make an image known, and room to work in; may be done again."""
        self.work(image_id).mkdir(exist_ok=True)
        self._write(Image(image_id, name))

    def activate(self, image_id: str, **known: typing.Any) -> None:
        """Put what was made of an image in its place; may be done again."""
        image = self.get(image_id)
        if image.status != ACTIVE:
            made = self.work(image_id) / 'image.gz'
            # It is there already if the process died after this line.
            if made.exists():
                os.replace(made, self.content(image_id))
                streams.sync_folder(self._path / 'images')
            stored = self.content(image_id).stat().st_size
            self._write(
                dataclasses.replace(
                    image, status=ACTIVE, stored=stored, **known
                )
            )
        self._clear(image_id)

    def fail(self, image_id: str, reason: str) -> None:
        """Leave nothing of an image but why; may be done again."""
        self.content(image_id).unlink(missing_ok=True)
        with contextlib.suppress(errors.ImageNotFound):
            image = self.get(image_id)
            self.work(image_id).mkdir(exist_ok=True)
            self._write(Image(image_id, image.name, ERROR, reason=reason))
        self._clear(image_id)

    def _record(self, image_id: str) -> pathlib.Path:
        return self._path / 'records' / f'{image_id}.json'

    def _write(self, image: Image) -> None:
        path = self._record(image.id)
        with streams.written(path, self.work(image.id)) as stream:
            stream.write(json.dumps(dataclasses.asdict(image)).encode())

    def _clear(self, image_id: str) -> None:
        shutil.rmtree(self.work(image_id), ignore_errors=True)


def _read(path: pathlib.Path) -> Image:
    return Image(**json.loads(path.read_text()))


_store: Store | None = None


def set_up(conf: cfg.ConfigOpts) -> None:
    """Open the store for the tasks of this process.

    The program calls it, and each worker: its entry point is named in
    ``[worker] setup``.
    """
    global _store
    conf_mod.register_opts(conf)
    _store = Store(conf.image_service)


def current() -> Store:
    """Return the store of this process."""
    if _store is None:
        raise errors.StoreError(
            'No store is open in this process; put image_service into '
            '[worker] setup'
        )
    return _store
