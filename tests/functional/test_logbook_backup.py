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

"""A logbook that is copied while flows run, and the flows in the copy."""

from __future__ import annotations

import collections
import contextlib
import shlex
import shutil
import subprocess
import threading
import typing

import ddt
import fixtures
from oslotest import base
import sqlalchemy as sa

from taskflow_service import engines
from taskflow_service import task
from taskflow_service.patterns import linear_flow
from taskflow_service.persistence import backends
from taskflow_service.persistence import models
from tests import documented
from tests import instances
from tests import servers

LOGBOOK = documented.ROOT / 'doc' / 'source' / 'admin' / 'logbook.rst'
#: What the page shows; each is run here with the address of a server.
COMMANDS = {
    command.text
    for command in documented.inline_commands(LOGBOOK)
    if command.text.startswith(('mariadb-dump ', 'mysqldump ', 'sqlite3 '))
}
FLOWS = 20
TASKS = 10
PATIENCE = 60


class Step(task.Task):
    """Adds one; what it was given proves that nothing before is missing."""

    def __init__(self, number: int, count: typing.Callable[[], None]) -> None:
        super().__init__(
            f's{number}',
            provides=f'v{number}',
            rebind={'before': f'v{number - 1}'},
        )
        self._count = count

    def execute(self, before: int) -> int:
        self._count()
        return before + 1


@ddt.ddt
class BackupTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.count = 0
        self.lock = threading.Lock()
        self.under_way = threading.Event()

    def _counted(self) -> None:
        with self.lock:
            self.count += 1
            if self.count == FLOWS * TASKS // 3:
                self.under_way.set()

    def _run(
        self, backend: typing.Any, names: typing.Iterable[str]
    ) -> list[typing.Any]:
        connection = backend.get_connection()
        loop = engines.Loop()
        self.addCleanup(loop.close)
        return [
            loop.submit(
                engines.load(
                    linear_flow.Flow('f').add(
                        *[Step(n, self._counted) for n in range(TASKS)]
                    ),
                    flow_detail=connection.get_flow_details(name),
                    backend=backend,
                    store={'v-1': 0},
                )
            )
            for name in names
        ]

    def _copied(
        self, url: str, copy_url: str, copy: typing.Callable[[], object]
    ) -> None:
        backend = backends.fetch(url)
        self.addCleanup(backend.close)
        names = [f'f{number}' for number in range(FLOWS)]
        book = models.LogBook('book')
        for name in names:
            book.add(models.FlowDetail(name, name))
        with contextlib.closing(backend.get_connection()) as connection:
            connection.upgrade()
            connection.save_logbook(book)
        running = self._run(backend, names)
        self.assertTrue(self.under_way.wait(PATIENCE))
        copy()
        for future in running:
            future.result(PATIENCE)
        restored = backends.fetch(copy_url)
        self.addCleanup(restored.close)
        connection = restored.get_connection()
        connection.validate()
        left = [
            each.uuid
            for each in connection.find_flows()
            if each.state != 'SUCCESS'
        ]
        for future in self._run(restored, left):
            future.result(PATIENCE)
        self.assertEqual(
            {'SUCCESS': FLOWS},
            dict(
                collections.Counter(f.state for f in connection.find_flows())
            ),
        )
        for name in names:
            results = [
                atom.results
                for atom in connection.get_flow_details(name)
                if atom.name.startswith('s')
            ]
            self.assertEqual(list(range(1, TASKS + 1)), results)

    def _pipe(self, dump: list[str], restore: list[str]) -> None:
        for program in (dump[0], restore[0]):
            if shutil.which(program) is None:
                self.skipTest(f'{program} is not installed')
        made = subprocess.run(
            dump, check=True, capture_output=True, timeout=PATIENCE
        )
        subprocess.run(
            restore,
            check=True,
            capture_output=True,
            timeout=PATIENCE,
            input=made.stdout,
        )

    def test_sqlite(self) -> None:
        directory = self.useFixture(fixtures.TempDir()).path
        path, copy = f'{directory}/logbook.sqlite', f'{directory}/copy.sqlite'

        (command,) = (c for c in COMMANDS if c.startswith('sqlite3 '))
        words = shlex.split(command)
        if shutil.which(words[0]) is None:
            self.skipTest(f'{words[0]} is not installed')
        self._copied(
            f'sqlite:///{path}',
            f'sqlite:///{copy}',
            lambda: subprocess.run(
                words, cwd=directory, check=True, timeout=PATIENCE
            ),
        )

    def test_postgresql(self) -> None:
        one = self.useFixture(servers.PostgreSQL()).url
        two = self.useFixture(servers.PostgreSQL()).url
        self._copied(
            one,
            two,
            lambda: self._pipe(
                ['pg_dump', instances.libpq(one)],
                ['psql', '-v', 'ON_ERROR_STOP=1', instances.libpq(two)],
            ),
        )

    @ddt.data(*sorted(c for c in COMMANDS if 'dump ' in c))
    def test_mariadb(self, command: str) -> None:
        one = self.useFixture(servers.MariaDB()).url
        two = self.useFixture(servers.MariaDB()).url

        dump, *options = shlex.split(command)

        def client(program: str, url: str, *options: str) -> list[str]:
            parts = sa.make_url(url)
            return [
                program,
                f'--host={parts.host}',
                f'--port={parts.port or 3306}',
                f'--user={parts.username}',
                *options,
                str(parts.database),
            ]

        self._copied(
            one,
            two,
            lambda: self._pipe(
                client(dump, one, *options),
                client('mariadb', two),
            ),
        )
