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

"""The example of a service, in every way in which it can be configured.

Each time one process is killed while it converts an image: the worker, or
the program itself where the tasks run in it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
import resource
import signal
import subprocess
import sys

from oslotest import base
import testscenarios

from taskflow_service.persistence import backends
from tests import daemons
from tests import image_service
from tests import servers

load_tests = testscenarios.load_tests_apply_scenarios

IMAGE_SERVICE = image_service.IMAGE_SERVICE
MEGABYTE = 1024 * 1024


class KilledTest(base.BaseTestCase):
    scenarios = testscenarios.multiply_scenarios(
        [
            ('serial', {'engine': 'serial', 'remote': False}),
            ('parallel', {'engine': 'parallel', 'remote': False}),
            ('embedded worker', {'engine': 'workers', 'remote': False}),
            ('worker', {'engine': 'workers', 'remote': True}),
        ],
        [
            ('SQLite', {'database': None}),
            ('PostgreSQL', {'database': servers.PostgreSQL}),
            ('MariaDB', {'database': servers.MariaDB}),
        ],
    )

    def setUp(self):
        super().setUp()
        where = {}
        if self.remote:
            broker = self.useFixture(servers.RabbitMQ())
            where['transport_url'] = broker.url
            where['namespace'] = broker.namespace
        if self.database is not None:
            where['connection'] = self.useFixture(self.database()).url
        self.service = self.useFixture(
            image_service.ImageService(self.engine, **where)
        )
        self.image = self.service.image(MEGABYTE)

    def test_an_image_is_imported_though_somebody_is_killed(self):
        service = self.service
        service.configure(conversion_rate=image_service.SLOWLY)
        worker = None
        if self.remote:
            worker = service.start(image_service.WORKER)
        program = self._import('first')
        service.await_conversion(program)
        (worker or program).kill_all()
        service.configure()
        if self.remote:
            worker = service.start(image_service.WORKER)
        else:
            program = service.start(IMAGE_SERVICE, 'resume')
        other = self._import('second')
        for each, name in ((program, 'first'), (other, 'second')):
            code, said, complaints = each.end()
            self.assertEqual(0, code, complaints)
            self.assertIn(f'name:     {name}\nstatus:   active\n', said)
        if worker is not None:
            worker.terminate()
            self.assertEqual(0, worker.wait(image_service.DEADLINE))
        self._assert_imported()

    def _import(self, name):
        return self.service.start(
            IMAGE_SERVICE, 'import', str(self.image), '--name', name
        )

    def _assert_imported(self):
        images = self.service.images()
        self.assertEqual(
            {('first', 'active'), ('second', 'active')},
            {(image['name'], image['status']) for image in images},
        )
        for image in images:
            self.assertEqual(
                self.image.read_bytes(), self.service.content(image['id'])
            )
        self.assertEqual(2, len(list(self.service.files())))
        # One conversion was begun again, and nothing that was done by then.
        self.assertEqual({1, 2}, _attempts(self.service, 'convert'))
        self.assertEqual({1}, _attempts(self.service, 'stage'))


class UndoneTest(base.BaseTestCase):
    def _failing(self, program):
        """Wait for a program that must fail; return its one line."""
        code, _said, complaints = program.end()
        self.assertEqual(1, code)
        lines = [
            line
            for line in complaints.splitlines()
            if line.startswith('image-service: ')
        ]
        self.assertEqual(1, len(lines), complaints)
        self.assertNotIn('Traceback', complaints)
        return lines[0]

    def _assert_nothing_left(self, service, number=1):
        self.assertEqual([], list(service.files()))
        self.assertEqual([], list((service.store / 'work').iterdir()))
        statuses = [image['status'] for image in service.images()]
        self.assertEqual(['error'] * number, statuses)

    def test_a_wrong_checksum(self):
        for engine in ('serial', 'parallel'):
            service = self.useFixture(image_service.ImageService(engine))
            image = str(service.image(MEGABYTE))
            line = self._failing(
                service.start(
                    IMAGE_SERVICE, 'import', image, '--checksum', 'abc'
                )
            )
            self.assertRegex(line, '^image-service: The SHA-256 .* not abc$')
            self._assert_nothing_left(service)

    def test_a_full_disk(self):
        service = self.useFixture(image_service.ImageService())
        image = str(service.image(MEGABYTE))
        # The copy has room, and what is made of it is a little larger.
        program = service.start(
            IMAGE_SERVICE, 'import', image, preexec_fn=_limit_files
        )
        line = self._failing(program)
        self.assertRegex(line, 'Cannot write .*/image.gz: File too large')
        self._assert_nothing_left(service)

    def test_on_a_worker(self):
        broker = self.useFixture(servers.RabbitMQ())
        service = self.useFixture(
            image_service.ImageService(
                'workers', broker.url, namespace=broker.namespace
            )
        )
        worker = service.start(image_service.WORKER, preexec_fn=_limit_files)
        line = self._failing(
            service.start(
                IMAGE_SERVICE, 'import', str(service.image(MEGABYTE))
            )
        )
        self.assertRegex(line, 'Cannot write .*/image.gz: File too large')
        small = str(service.image(1))
        line = self._failing(
            service.start(IMAGE_SERVICE, 'import', small, '--checksum', 'abc')
        )
        self.assertIn('not abc', line)
        self._assert_nothing_left(service, 2)
        worker.terminate()
        self.assertEqual(0, worker.wait(image_service.DEADLINE))

    def test_a_killed_task_process(self):
        service = self.useFixture(
            image_service.ImageService('parallel', executor='processes')
        )
        image = str(service.image(MEGABYTE))
        service.configure(conversion_rate=image_service.SLOWLY)
        program = service.start(IMAGE_SERVICE, 'import', image)
        service.await_conversion(program)
        os.kill(self._converting(program), signal.SIGKILL)
        self.assertIn('ended with signal 9', self._failing(program))
        self._assert_nothing_left(service)
        service.configure()
        code, said, complaints = service.start(
            IMAGE_SERVICE, 'import', image
        ).end()
        self.assertEqual(0, code, complaints)
        self.assertIn('status:   active', said)

    def _converting(self, program):
        """Find the task process that writes what becomes an image."""
        for pid in daemons.children(program):
            for handle in pathlib.Path(f'/proc/{pid}/fd').iterdir():
                if os.readlink(handle).endswith('.part'):
                    return pid
        raise AssertionError('Nobody converts')

    def test_an_undo_that_fails_is_done_by_resume(self):
        service = self.useFixture(image_service.ImageService())
        service.configure(conversion_rate=image_service.SLOWLY)
        program = service.start(
            IMAGE_SERVICE, 'import', str(service.image(MEGABYTE))
        )
        service.await_conversion(program)
        images = service.store / 'images'
        images.rmdir()
        images.write_text('No images can be removed from here.')
        program.send_signal(signal.SIGINT)
        line = self._failing(program)
        self.assertRegex(line, 'interrupted.*; .* image-service resume$')
        (image,) = service.images()
        self.assertEqual('importing', image['status'])
        images.unlink()
        self._failing(service.start(IMAGE_SERVICE, 'resume'))
        self._assert_nothing_left(service)

    def test_an_interrupted_resume(self):
        service = self.useFixture(image_service.ImageService())
        service.configure(conversion_rate=image_service.SLOWLY)
        image = service.image(100_000)
        program = service.start(IMAGE_SERVICE, 'import', str(image))
        service.await_conversion(program)
        program.kill_all()
        # What the killed conversion has left is no sign of the next one.
        for path in service.store.glob('work/*/*.part'):
            path.unlink()
        service.configure(conversion_rate=40_000)
        program = service.start(IMAGE_SERVICE, 'resume')
        service.await_conversion(program)
        program.send_signal(signal.SIGINT)
        code, said, _complaints = program.end()
        self.assertEqual((130, ''), (code, said))
        service.configure()
        code, said, complaints = service.start(IMAGE_SERVICE, 'resume').end()
        self.assertEqual(0, code, complaints)
        self.assertIn('status:   active', said)

    def test_an_interruption(self):
        service = self.useFixture(image_service.ImageService())
        service.configure(conversion_rate=image_service.SLOWLY)
        program = service.start(
            IMAGE_SERVICE, 'import', str(service.image(MEGABYTE))
        )
        service.await_conversion(program)
        program.send_signal(signal.SIGINT)
        self.assertIn('was cancelled: interrupted', self._failing(program))
        self._assert_nothing_left(service)


class KilledProgramTest(base.BaseTestCase):
    def test_its_workers_go_on_for_the_next_one(self):
        broker = self.useFixture(servers.RabbitMQ())
        service = self.useFixture(
            image_service.ImageService(
                'workers', broker.url, namespace=broker.namespace, lease=5
            )
        )
        service.configure(conversion_rate=40_000)
        worker = service.start(image_service.WORKER)
        image = service.image(100_000)
        program = service.start(IMAGE_SERVICE, 'import', str(image))
        service.await_conversion(program)
        program.kill_all()
        code, said, complaints = service.start(IMAGE_SERVICE, 'resume').end()
        self.assertEqual(0, code, complaints)
        self.assertIn('status:   active', said)
        (kept,) = service.images()
        self.assertEqual(image.read_bytes(), service.content(kept['id']))
        # It is what the worker had begun to make.
        self.assertEqual({1}, _attempts(service, 'convert'))
        # Of what the killed program has not recorded it makes a note.
        worker.terminate()
        self.assertEqual(0, worker.wait(image_service.DEADLINE - 10))


class CommandTest(base.BaseTestCase):
    def test_what_is_wrong_is_said_in_a_line(self):
        service = self.useFixture(image_service.ImageService())
        for words, said in (
            (['show', 'x'], 'There is no image x'),
            (['import', 'nowhere'], "No such file or directory: '.*/nowhere'"),
            (['--config-file', 'none', 'list'], 'none'),
        ):
            code, _said, complaints = service.start(
                IMAGE_SERVICE, *words
            ).end()
            self.assertEqual(1, code)
            self.assertRegex(complaints, f'\\Aimage-service: .*{said}.*\n\\Z')

    def test_its_own_tests(self):
        done = subprocess.run(
            [sys.executable, '-m', 'unittest', 'discover', '-s', 'tests'],
            cwd=image_service.SOURCE,
            env=image_service.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertRegex(done.stdout, r'Ran [1-9]\d* tests')


def _attempts(service, task):
    """Return how often a task was attempted, in all flows."""
    with (
        contextlib.closing(backends.fetch(service.url)) as backend,
        contextlib.closing(backend.get_connection()) as connection,
    ):
        return {atom.attempt for atom in connection.find_atoms(name=task)}


_limit_files = functools.partial(
    resource.setrlimit, resource.RLIMIT_FSIZE, (MEGABYTE, MEGABYTE)
)
