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


"""A process killed at every durable point of a flow, and one that resumes.

The points are found by enumeration: before and after each commit of a run,
until one ends without having come to its point. The process is a fork that
kills itself; the one that resumes it finds its lock free, so nobody waits
for a lease.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pathlib
import signal
import traceback
import typing

import fixtures
from oslo_config import cfg
from oslotest import base

from taskflow_service import conf as service_conf
from taskflow_service import engines
from taskflow_service import task
from taskflow_service.patterns import linear_flow
from taskflow_service.persistence import models
from taskflow_service.persistence.backends import impl_sqlalchemy
from taskflow_service.persistence.backends.sqlalchemy import owners
from taskflow_service.persistence.backends.sqlalchemy import writer
from tests import servers

PATIENCE = 60
_fork = multiprocessing.get_context('fork')


class Step(task.Task):
    """Says in a journal what it does; outlives the process."""

    def __init__(self, journal: str, name: str, fails: bool = False, **kwargs):
        super().__init__(name=name, **kwargs)
        self._journal = journal
        self._fails = fails

    def _note(self, what: str) -> None:
        descriptor = os.open(
            self._journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT
        )
        with contextlib.closing(os.fdopen(descriptor, 'w')) as file:
            file.write(f'{what} {self.name}\n')

    def execute(self) -> tuple[str, int]:
        self._note('do')
        if self._fails:
            raise ValueError('boom')
        return self.name, 1

    def revert(self, *args: typing.Any, **kwargs: typing.Any) -> None:
        self._note('undo')


def make_flow(journal: str, fails: bool) -> linear_flow.Flow:
    """Make a chain of three, the last of which may fail."""
    return linear_flow.Flow('chain').add(
        Step(journal, 'a', provides='A'),
        Step(journal, 'b', provides='B'),
        Step(journal, 'c', fails, provides='C'),
    )


#: What writes during a run: the units of the loop, and claims.
_WRITES = (
    (writer.Committer, 'commit'),
    (owners.Registry, 'renew'),
    (owners.Registry, 'take_free'),
    (owners.Registry, 'take'),
    (owners.Registry, 'release'),
    (owners.Registry, 'retire'),
)


class Point:
    """Kills the process before or after its n-th commit."""

    def __init__(self, number: int, when: str) -> None:
        self._number = number
        self._when = when

    def set(self) -> None:
        for owner, name in _WRITES:
            setattr(owner, name, self._guarded(getattr(owner, name)))

    def _guarded(self, write: typing.Any) -> typing.Any:
        def guarded(*args: typing.Any) -> typing.Any:
            self._number -= 1
            self._kill('before')
            done = write(*args)
            self._kill('after')
            return done

        return guarded

    def _kill(self, when: str) -> None:
        if self._number == 0 and self._when == when:
            os.kill(os.getpid(), signal.SIGKILL)


class CrashTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.number = 0

    def _conf(self, url: str) -> cfg.ConfigOpts:
        conf = cfg.ConfigOpts()
        service_conf.register_opts(conf)
        conf([], default_config_files=[], default_config_dirs=[])
        conf.set_override('state_path', str(self.directory / 'state'))
        conf.set_override('connection', url, 'database')
        conf.set_override('backend', 'sqlalchemy', 'persistence')
        return conf

    @contextlib.contextmanager
    def _backend(self, url: str):
        backend = impl_sqlalchemy.SQLAlchemyBackend.described(self._conf(url))
        with contextlib.closing(backend):
            yield backend

    def _run(
        self, url: str, uuid: str, journal: str, fails: bool, point: Point
    ) -> None:
        """Run the flow in this process, up to the point."""
        point.set()
        with self._backend(url) as backend:
            connection = backend.get_connection()
            engine = engines.load(
                make_flow(journal, fails),
                flow_detail=connection.get_flow_details(uuid),
                backend=backend,
            )
            with contextlib.suppress(ValueError):
                engine.run()

    def _in_a_process(self, *args: typing.Any) -> int:
        def body() -> None:
            try:
                self._run(*args)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)

        child = _fork.Process(target=body)
        child.start()
        child.join(PATIENCE)
        if child.exitcode is None:
            child.kill()
            child.join()
            self.fail('It did not end in time')
        return child.exitcode

    def _new_flow(self, url: str) -> tuple[str, str]:
        self.number += 1
        with self._backend(url) as backend:
            connection = backend.get_connection()
            book = models.LogBook('book')
            flow = models.FlowDetail('chain')
            book.add(flow)
            connection.save_logbook(book)
        return flow.uuid, str(self.directory / f'journal{self.number}')

    def _stored(self, url: str, uuid: str):
        """Read what stands in the logbook: the flow's state, its atoms."""
        with self._backend(url) as backend:
            flow = backend.get_connection().get_flow_details(uuid)
        return flow.state, {
            atom.name: (atom.state, atom.results)
            for atom in flow
            if isinstance(atom, models.TaskDetail)
        }

    def _killed_everywhere(self, url: str, fails: bool) -> None:
        uuid, journal = self._new_flow(url)
        nowhere = Point(0, 'never')
        self.assertEqual(
            0, self._in_a_process(url, uuid, journal, fails, nowhere)
        )
        expected = self._stored(url, uuid)
        self.assertEqual('REVERTED' if fails else 'SUCCESS', expected[0])
        points = 0
        for when in ('before', 'after'):
            number = 1
            while self._killed_at(
                url, fails, Point(number, when), nowhere, expected
            ):
                number += 1
            points += number - 1
        # A renewal, a claim, a commit for each of three tasks, and the row of
        # the owner: seen from two sides.
        self.assertGreaterEqual(points, 12)

    def _killed_at(
        self, url: str, fails: bool, point: Point, nowhere: Point, expected
    ) -> bool:
        """Kill, resume, compare; False if it was never at the point."""
        uuid, journal = self._new_flow(url)
        ended = self._in_a_process(url, uuid, journal, fails, point)
        if ended == 0:
            return False
        self.assertEqual(-signal.SIGKILL, ended)
        recorded = {
            name
            for name, (state, _) in self._stored(url, uuid)[1].items()
            if state == 'SUCCESS'
        }
        path = pathlib.Path(journal)
        before = len(path.read_text().splitlines()) if path.exists() else 0
        self.assertEqual(
            0, self._in_a_process(url, uuid, journal, fails, nowhere)
        )
        self.assertEqual(expected, self._stored(url, uuid))
        again = path.read_text().splitlines()[before:]
        self.assertEqual(
            set(), {f'do {name}' for name in recorded} & set(again)
        )
        return True

    def _both(self, url: str) -> None:
        with self._backend(url) as backend:
            backend.get_connection().upgrade()
        self._killed_everywhere(url, fails=False)
        self._killed_everywhere(url, fails=True)

    def test_sqlite(self) -> None:
        self._both(f'sqlite:///{self.directory}/logbook.sqlite')

    def test_postgresql(self) -> None:
        self._both(self.useFixture(servers.PostgreSQL()).url)

    def test_mariadb(self) -> None:
        self._both(self.useFixture(servers.MariaDB()).url)
