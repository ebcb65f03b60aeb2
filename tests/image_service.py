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

"""The example of a service, installed and configured as an operator would.

It is built once in a test process, into a folder that its programs get by
``PYTHONPATH``: the environment of the tests stays as it is.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterator
import contextlib
import functools
import gzip
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from typing import Any

import fixtures

from taskflow_service.persistence import backends

ROOT = pathlib.Path(__file__).parent.parent
SOURCE = ROOT / 'examples' / 'image_service'
DEADLINE = 60

IMAGE_SERVICE = 'image_service.cmd'
WORKER = 'taskflow_service.cmd.worker'

#: Not that of the test that happens to need it first.
_TEMP = tempfile.gettempdir()

#: Bytes a second at which a conversion outlasts every test.
SLOWLY = 1


@functools.cache
def site() -> pathlib.Path:
    """Build the distribution; return the folder that it is importable from."""
    made = pathlib.Path(tempfile.mkdtemp(prefix='image-service-', dir=_TEMP))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    subprocess.run(
        [
            sys.executable,
            '-c',
            'import setuptools; setuptools.setup()',
            '--quiet',
            'build_py',
            '--build-lib',
            str(made),
            'egg_info',
            '--egg-base',
            str(made),
        ],
        cwd=SOURCE,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return made


def environment() -> dict[str, str]:
    """Return the environment of a program of the service."""
    made = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(('OS_', 'TFS_'))
    }
    # Many short programs: let them compile what they import only once.
    made.pop('PYTHONDONTWRITEBYTECODE', None)
    made['PYTHONPYCACHEPREFIX'] = str(site() / 'cache')
    made['PYTHONPATH'] = f'{site()}{os.pathsep}{ROOT}'
    return made


class Program(subprocess.Popen[str]):
    """A program with its output in files, in a session of its own."""

    def __init__(self, folder: pathlib.Path, *words: str, **more: object):
        self.folder = folder
        with (
            open(folder / 'out', 'w') as out,
            open(folder / 'err', 'w') as err,
        ):
            super().__init__(
                [sys.executable, '-m', *words],
                cwd=folder,
                env=environment(),
                stdout=out,
                stderr=err,
                text=True,
                start_new_session=True,
                **more,
            )

    def end(self) -> tuple[int, str, str]:
        """Wait for its end; return code, output and errors."""
        return self.wait(DEADLINE), self.said('out'), self.said('err')

    def said(self, name: str) -> str:
        """Return what it has written so far."""
        return (self.folder / name).read_text()

    def kill_all(self) -> None:
        """Kill it with all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait()


class ImageService(fixtures.Fixture):
    """A configuration file, a store and a logbook of one test."""

    def __init__(
        self,
        engine: str = 'serial',
        transport_url: str = 'fake://',
        connection: str | None = None,
        namespace: str = 'image_service',
        executor: str = 'threads',
        lease: int = 15,
    ) -> None:
        super().__init__()
        self._engine = engine
        self._transport_url = transport_url
        self._connection = connection
        self._namespace = namespace
        self._executor = executor
        self._lease = lease

    def _setUp(self) -> None:
        self.path = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.store = self.path / 'store'
        #: Where the logbook is.
        self.url = (
            self._connection or f'sqlite:///{self.path}/state/logbook.sqlite'
        )
        self._programs = 0
        self.configure()
        if self._connection is not None:
            # As "taskflow-manage db sync" does.
            with backends.backend(self._connection):
                pass

    def configure(self, conversion_rate: int = 0) -> None:
        """Write the configuration file."""
        connection = (
            f'connection = {self._connection}' if self._connection else ''
        )
        (self.path / 'image-service.conf').write_text(
            textwrap.dedent(f"""
                [DEFAULT]
                transport_url = {self._transport_url}
                state_path = {self.path}/state
                [image_service]
                store_path = {self.store}
                conversion_rate = {conversion_rate}
                [engine]
                type = {self._engine}
                executor = {self._executor}
                [persistence]
                backend = sqlalchemy
                [database]
                {connection}
                [remote]
                namespace = {self._namespace}
                lease = {self._lease}
                [worker]
                tasks = image.*
                setup = image_service
            """)
        )

    def start(self, program: str, *words: str, **more: object) -> Program:
        """Start a program with the configuration file."""
        self._programs += 1
        folder = self.path / f'program-{self._programs}'
        folder.mkdir()
        file = self.path / 'image-service.conf'
        started = Program(
            folder, program, '--config-file', str(file), *words, **more
        )
        self.addCleanup(started.kill_all)
        return started

    def image(self, size: int) -> pathlib.Path:
        """Make a file that does not get smaller when it is compressed."""
        path = self.path / f'{size}.raw'
        path.write_bytes(os.urandom(size))
        return path

    def await_conversion(self, program: Program) -> None:
        """Block until an image is being converted; the program must live."""
        deadline = time.monotonic() + DEADLINE
        work = self.store / 'work'
        # What is written next to what was staged is what is made of it.
        while not (
            list(work.glob('*/source')) and list(work.glob('*/*.part'))
        ):
            if time.monotonic() > deadline:
                raise AssertionError(f'not converted: {program.said("err")}')
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = program.wait(0.05)
                raise AssertionError(f'{code}: {program.said("err")}')

    def images(self) -> list[dict[str, Any]]:
        """Return the records of all images."""
        return [
            json.loads(path.read_text())
            for path in self.store.glob('records/*.json')
        ]

    def content(self, image_id: str) -> bytes:
        """Return what is in an image."""
        path = self.store / 'images' / f'{image_id}.gz'
        return gzip.decompress(path.read_bytes())

    def files(self) -> Iterator[str]:
        """List all that is in the store besides records."""
        for path in self.store.rglob('*'):
            if path.is_file() and path.suffix != '.json':
                yield str(path.relative_to(self.store))
