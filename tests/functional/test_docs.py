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
"""Every command that the documentation shows does what it is shown for.

The README's first and third block run as they stand, except that the package
is installed already and that the addresses are those of the test's servers.
The quick start of the user guide runs from its first line to its last, and
what it says about a file is done to it. So does the page of the image service.
The commands of the other pages run one by one, by a rule for what they begin
with, and the inventory holds that each command of each page has a runner, so
that nobody documents what nobody tries.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
import configparser
import contextlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import ddt
import fixtures
from oslotest import base

from taskflow_service import identity
from tests import daemons
from tests import documented
from tests import servers
from tests import supervisor
from tests.functional import test_logbook_backup
from tools import readme_command

ROOT = documented.ROOT
BIN = pathlib.Path(sys.executable).parent
PATIENCE = 120
README = ROOT / 'README.rst'
GUIDE = ROOT / 'doc' / 'source' / 'user' / 'quickstart.rst'
IMAGES = ROOT / 'examples' / 'image_service' / 'README.rst'
UNIT = ROOT / 'etc/taskflow_service/systemd/taskflow-worker.service'


class _Shell(fixtures.Fixture):
    """A clean home and working folder in which commands run."""

    def _setUp(self) -> None:
        self.folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        (self.folder / 'examples').symlink_to(ROOT / 'examples')
        (self.folder / 'tools').symlink_to(ROOT / 'tools')
        # The README's environment is the one that runs this test.
        (self.folder / '.venv').symlink_to(BIN.parent)
        self.environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(('OS_', 'TFS_', 'XDG_'))
            and key != 'PYTHONDONTWRITEBYTECODE'
        }
        self.environment |= {
            'HOME': str(self.folder),
            'PATH': f'{BIN}{os.pathsep}{os.environ["PATH"]}',
            'OS_DEFAULT__STATE_PATH': str(self.folder / 'state'),
            # Many short programs, which then compile things only once.
            'PYTHONPYCACHEPREFIX': str(self.folder / 'cache'),
        }

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script by bash; stop it, and its children, when it is late."""
        process = subprocess.Popen(
            ['bash', '-c', script],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=PATIENCE)
        finally:
            # What a script that failed has left in the background.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return subprocess.CompletedProcess(script, process.returncode, output)


class ReadmeTest(base.BaseTestCase):
    """The quick start, as a newcomer reads it."""

    def setUp(self) -> None:
        super().setUp()
        self.shell = self.useFixture(_Shell())
        self.blocks = readme_command.blocks(README.read_text(encoding='utf-8'))

    def _run(self, script: str) -> str:
        done = self.shell.run(script)
        self.assertEqual(0, done.returncode, done.stdout)
        return done.stdout

    def _assert_ran(self, output: str) -> None:
        results = re.search(
            r'^Final results: (\{.*?\})$', output, re.MULTILINE | re.DOTALL
        )
        self.assertIsNotNone(results, output)
        for name in ('hi_happened', 'goodbye_happened'):
            self.assertIn(name, results.group(1))

    def test_the_first_command_runs_a_flow_without_a_server(self) -> None:
        *_, run = self.blocks[0].split(' && ')
        output = self._run(run)
        self._assert_ran(output)
        self.assertIn('SUCCESS', output)
        # What it says about how to look again, works.
        again = re.search(
            r'^ *(\S.*taskflow-manage flow .*)$', output, re.MULTILINE
        )
        self.assertIsNotNone(again, output)
        self.assertIn('SUCCESS', self._run(again.group(1)))

    def test_the_third_block_runs_it_with_servers(self) -> None:
        broker = self.useFixture(servers.RabbitMQ()).url
        database = self.useFixture(servers.PostgreSQL()).url
        _install, script = self.blocks[2].split('\n', 1)
        script = script.replace(
            'rabbit://guest:guest@127.0.0.1:5672/', broker
        ).replace(
            'postgresql+psycopg://postgres@127.0.0.1:5432/test', database
        )
        self.assertIn(broker, script)
        self.assertIn(database, script)
        output = self._run('set -e\n' + script + '\nwait $!')
        self._assert_ran(output)
        # "wait" gave the worker's exit code. The worker said the rest, not the
        # program: its log is in the same terminal.
        self.assertIn('hello world', output)
        self.assertIn('goodbye world (hi said on', output)


class _ImageServiceTest(base.BaseTestCase):
    """A page that begins with the installation of the image service."""

    def setUp(self) -> None:
        super().setUp()
        self.shell = self.useFixture(_Shell())
        # Building leaves something behind beside the sources.
        (self.shell.folder / 'examples').unlink()
        shutil.copytree(
            ROOT / 'examples' / 'image_service',
            self.shell.folder / 'examples' / 'image_service',
        )
        site = self.shell.folder / 'site'
        self.shell.environment['PYTHONPATH'] = str(site)
        self.shell.environment['PATH'] = os.pathsep.join(
            (str(site / 'bin'), self.shell.environment['PATH'])
        )

    def _command(self, text: str) -> str:
        if text.startswith('pip install '):
            # Beside the environment that runs this test, which has the rest.
            site = self.shell.folder / 'site'
            return f'{text} --quiet --no-deps --target {site}'
        return text

    def _run(self, commands: Iterable[str], folder: str = '.') -> str:
        script = '\n'.join(map(self._command, commands))
        done = self.shell.run(f'set -e\ncd {folder}\n{script}')
        self.assertEqual(0, done.returncode, done.stdout)
        return done.stdout


class GuideTest(_ImageServiceTest):
    """The quick start of the user guide, as somebody types it."""

    def setUp(self) -> None:
        super().setUp()
        self.conf = self.shell.folder / 'image-service.conf'
        self.addresses = {
            'rabbit://guest:guest@127.0.0.1:5672/': self.useFixture(
                servers.RabbitMQ()
            ).url,
            'postgresql+psycopg://postgres@127.0.0.1:5432/test': (
                self.useFixture(servers.PostgreSQL()).url
            ),
        }

    def _change_file(self, text: str) -> None:
        for documented_one, real in self.addresses.items():
            text = text.replace(documented_one, real)
        conf = configparser.ConfigParser(interpolation=None)
        conf.read(self.conf)
        conf.read_string(text)
        with open(self.conf, 'w', encoding='utf-8') as file:
            conf.write(file)

    def _command(self, text: str) -> str:
        # It is shown for its error.
        refused = '! ' if '--checksum 0123' in text else ''
        return refused + super()._command(text)

    def test_from_the_first_line_to_the_last(self) -> None:
        said = ''
        for language, text in documented.blocks(GUIDE):
            if language == 'ini':
                self._change_file(text)
            elif language == 'console':
                said += self._run(documented.commands(text))
        for name in ('cirros', 'parallel', 'on-a-worker'):
            self.assertIn(f'name:     {name}\nstatus:   active\n', said)
        self.assertRegex(said, 'image-service: The SHA-256 .* not 0123abcd')
        self.assertIn('image-service 1.0.0  image_id, size, verified', said)
        self.assertRegex(said, 'Worker .* serves 8 tasks')


class ImageServiceReadmeTest(_ImageServiceTest):
    """The commands of the example's own page, in its folder."""

    def test_from_the_first_line_to_the_last(self) -> None:
        shell = self.shell
        shell.environment['OS_IMAGE_SERVICE__STORE_PATH'] = str(
            shell.folder / 'images'
        )
        (shell.folder / 'disk.raw').write_bytes(b'disk' * 1000)
        said = self._run(
            (
                command.text.replace('FILE', '../../disk.raw').replace(
                    'NAME', 'cirros'
                )
                for command in documented.console_commands(IMAGES)
            ),
            'examples/image_service',
        )
        self.assertIn('name:     cirros\nstatus:   active\n', said)


#: What commands begin with, and which method of PagesTest runs them. The
#: longest that fits counts.
RULES = {
    'eval "$(tools/find-servers)"': '_shell_command',
    'mariadb-dump ': '_backup',
    'mysqldump ': '_backup',
    'openssl rand ': '_key',
    'pip install .': '_install',
    'python -m tests.property.': '_replay',
    'python -m tests.recorded.': '_record',
    'python -m tests.simulation SEED ': '_replay',
    'python -m tests.simulation.scale ': '_scale',
    'python -m tests.soak ': '_soak',
    'python examples/': '_shell_command',
    'rabbitmqctl ': '_rabbitmqctl',
    'reno ': '_tool',
    'sqlite3 ': '_backup',
    'systemctl ': '_systemctl',
    'taskflow-manage ': '_manage',
    'taskflow-status ': '_manage',
    'taskflow-worker ': '_worker',
    'tox ': '_tool',
}


def _rule(command: documented.Command) -> str | None:
    fitting = [each for each in RULES if command.text.startswith(each)]
    return max(fitting, key=len, default=None)


def _commands(path: pathlib.Path) -> Iterator[documented.Command]:
    yield from documented.console_commands(path)
    yield from documented.inline_commands(path)
    yield from documented.literal_commands(path)


def _essence(text: str) -> str:
    """Return a command without the file that it takes its options from."""
    return re.sub(r' --config-file \S+', '', text)


def _as_they_stand() -> set[documented.Command]:
    """Return what is run from a page's first line to its last."""
    pages = {
        README: documented.literal_commands,
        GUIDE: documented.console_commands,
        IMAGES: documented.console_commands,
    }
    return {
        command for path, listed in pages.items() for command in listed(path)
    }


def _without_runner(pages: list[pathlib.Path]) -> list[str]:
    """List the commands of pages that no test here runs."""
    run = _as_they_stand()
    missing = []
    for path in pages:
        hidden = {*documented.literal_commands(path)} - run
        # A sentence may name a command by how it begins.
        shown = tuple(_essence(each.text) for each in run)
        missing += [
            str(command)
            for command in _commands(path)
            if command in hidden
            or (
                command not in run
                and _rule(command) is None
                and not any(each.startswith(command.text) for each in shown)
            )
        ]
    return missing


class InventoryTest(base.BaseTestCase):
    """No page shows a command that no test runs."""

    def test_each_command_of_each_page_has_a_runner(self) -> None:
        self.assertEqual([], _without_runner(documented.pages()))

    def test_the_readme_has_a_runner_for_each_of_its_blocks(self) -> None:
        # The first and the third are run here, and CI runs the second.
        self.assertEqual(3, len(list(documented.literal_commands(README))))
        ci = (ROOT / '.ci' / 'run').read_text()
        self.assertIn('tools/readme_command.py README.rst 2', ci)

    def test_a_command_without_a_runner_is_found_wherever_it_stands(
        self,
    ) -> None:
        folder = self.useFixture(fixtures.TempDir()).path
        page = pathlib.Path(folder, 'page.rst')
        page.write_text(
            'Make a user by ``useradd taskflow``, ``flow list`` is a name::\n'
            '\n'
            '    systemctl stop taskflow-worker\n'
            '\n'
            '.. code-block:: console\n'
            '\n'
            '   $ frobnicate\n'
            '   $ taskflow-manage db sync\n'
        )
        found = [each.partition(': ')[2] for each in _without_runner([page])]
        self.assertEqual(
            [
                'frobnicate',
                'useradd taskflow',
                # It would be run; but it has to be in a console block.
                'systemctl stop taskflow-worker',
            ],
            found,
        )


@ddt.ddt
class PagesTest(base.BaseTestCase):
    """The commands of the other pages, by what they start with."""

    def setUp(self) -> None:
        super().setUp()
        self.shell = self.useFixture(_Shell())
        self.conf = self.shell.folder / 'taskflow_service.conf'
        self.conf.write_text(
            textwrap.dedent(
                f"""
                [DEFAULT]
                state_path = {self.shell.folder}/state
                transport_url = fake://
                [database]
                connection = sqlite:///{self.shell.folder}/logbook.sqlite
                """
            )
        )
        self.shell.environment['OS_DATABASE__CONNECTION'] = (
            f'sqlite:///{self.shell.folder}/logbook.sqlite'
        )
        self.broker: servers.RabbitMQ | None = None

    @ddt.data(*RULES)
    def test_commands_that_begin_with(self, start: str) -> None:
        run = _as_they_stand()
        texts = dict.fromkeys(
            command.text
            for path in documented.pages()
            for command in _commands(path)
            if command not in run and _rule(command) == start
        )
        self.assertNotEqual({}, texts)
        for text in texts:
            with self.subTest(text):
                getattr(self, RULES[start])(text)

    def _shell_command(self, command: str) -> str:
        done = self.shell.run(command)
        self.assertEqual(0, done.returncode, done.stdout)
        return done.stdout

    def _copy(self) -> pathlib.Path:
        copy = self.shell.folder / 'tests'
        if not copy.exists():
            ignored = shutil.ignore_patterns('__pycache__')
            shutil.copytree(ROOT / 'tests', copy, ignore=ignored)
        return copy

    def _in_the_sources(self, command: str) -> str:
        """Run ``python -m tests...`` on a copy, where it may write."""
        self._copy()
        return self._shell_command(command)

    def _tool(self, command: str) -> None:
        # They are what runs tests and checks, so no test runs them: that tox
        # knows what it is told, and has reno, is all that is looked at.
        ini = configparser.ConfigParser(interpolation=None)
        ini.read(ROOT / 'tox.ini')
        words = shlex.split(command)
        if words[0] == 'reno':
            needed = (ROOT / 'doc' / 'requirements.txt').read_text()
            self.assertRegex(needed, '(?m)^reno')
            return
        for name in words[words.index('-e') + 1].split(','):
            self.assertIn(f'testenv:{name}', ini)

    def _install(self, command: str) -> None:
        # Building leaves something behind beside the sources.
        self._shell_command(
            f'git -c safe.directory="*" clone -q {ROOT} clone && cd clone && '
            f'{command} --quiet --no-deps --target site && '
            'test -e site/bin/taskflow-worker'
        )

    def _key(self, command: str) -> None:
        self.assertRegex(self._shell_command(command), r'\A[0-9a-f]{64}\n\Z')

    def _backup(self, command: str) -> None:
        # It is run, with the address of a server, and restored.
        self.assertIn(command, test_logbook_backup.COMMANDS)

    def _replay(self, command: str) -> None:
        command = command.replace('SEED', '1')
        self._in_the_sources(command.replace('SCENARIO', 'crowd'))

    def _record(self, command: str) -> None:
        # What was recorded is never written again: as if it never was.
        kept = 'schema' if command.endswith('.schema') else 'v*'
        folder = self._copy() / 'recorded'
        recorded = sorted(folder.glob(kept))
        self.assertNotEqual([], recorded)
        for path in recorded:
            shutil.rmtree(path)
        self._in_the_sources(command)
        self.assertTrue(recorded[-1].is_dir())

    def _scale(self, command: str) -> None:
        self.assertIn('saturated', self._in_the_sources(command))

    def _soak(self, command: str) -> None:
        # ``test_soak`` runs it; here the options and the seed are read.
        self.assertIn('kill', self._in_the_sources(f'{command} --plan'))

    def _manage(self, command: str) -> None:
        self._shell_command('taskflow-manage db sync')
        if command == 'taskflow-manage flow show':  # named in a sentence
            command += ' FLOW_UUID'
        if 'FLOW_UUID' in command:
            self._shell_command(
                'python examples/hello_remote.py --connection '
                + shlex.quote(
                    self.shell.environment['OS_DATABASE__CONNECTION']
                )
            )
            listed = self.shell.run('taskflow-manage flow list -f json')
            flows = json.loads(listed.stdout[listed.stdout.index('[') :])
            uuid = next(
                value
                for key, value in flows[0].items()
                if key.lower() in ('uuid', 'flow', 'flow uuid')
            )
            command = command.replace('FLOW_UUID', uuid)
        self._shell_command(command)

    def _worker(self, command: str) -> None:
        words = shlex.split(command)
        file = words.index('--config-file') + 1
        if '--list-tasks' in words:
            words[file] = str(self.conf)
            self.assertIn('demo.hello', self._shell_command(shlex.join(words)))
            return
        daemon, service = self._service()
        words[file] = str(daemon.file)
        if '--check' in words:
            service.start()
            self._await_check(shlex.join(words))
            service.stop()
            self.assertEqual(3, self.shell.run(shlex.join(words)).returncode)
            return
        # As the unit has it, which is what the service runs.
        with open(UNIT, encoding='utf-8') as lines:
            self.assertIn(f'ExecStart=/usr/bin/{command}\n', lines)
        service.start()
        service.stop()
        self.assertIn(' serves ', daemon.read_log())

    def _await_check(self, command: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while (done := self.shell.run(command)).returncode != 0:
            self.assertEqual(3, done.returncode, done.stdout)
            self.assertLess(time.monotonic(), deadline, done.stdout)
        self.assertIn('last heard itself', done.stdout)

    def _service(self) -> tuple[daemons.Daemon, supervisor.Service]:
        broker = self.useFixture(servers.RabbitMQ())
        daemon = self.useFixture(daemons.Daemon(broker, processes=2))
        # It would count more than the one in the service's file.
        self.shell.environment.pop('OS_DEFAULT__STATE_PATH', None)
        service = supervisor.Service(
            UNIT,
            daemon.path,
            {
                '/usr/bin/taskflow-worker': str(BIN / 'taskflow-worker'),
                '/etc/taskflow_service/taskflow_service.conf': str(
                    daemon.file
                ),
            },
            self.shell.environment,
        )
        self.addCleanup(service.remove)
        return daemon, service

    def _systemctl(self, command: str) -> None:
        _systemctl, verb, unit = shlex.split(command)
        self.assertEqual(UNIT.stem, unit)
        daemon, service = self._service()
        service.start()
        first = service.main
        daemon.file.write_text(
            daemon.file.read_text().replace(
                '[worker]\n', '[worker]\ngraceful_shutdown_timeout = 41\n'
            )
        )
        service.control(verb)
        if verb == 'reload':
            self.assertIs(first, service.main)
            daemon.await_log(first, 'has read its configuration again', 3)
            self.assertIn('to [41]', daemon.read_log())
            service.stop()
        elif verb == 'restart':
            self.assertNotEqual(first.pid, service.main.pid)
            service.stop()
        self.assertIsNone(service.main)
        ends = [past.end for past in identity.dead(daemon.conf)]
        starts = 2 if verb == 'restart' else 1
        self.assertEqual(['clean'] * 2 * starts, ends)

    def _rabbitmqctl(self, command: str) -> None:
        # As it stands, users and all: on a broker that is nobody else's.
        if self.broker is None:
            self.broker = self.useFixture(servers.RabbitMQ(private=True))
        self.broker.server.control(*shlex.split(command)[1:])


class UnitTest(base.BaseTestCase):
    """The unit, as systemd itself reads it."""

    def test_systemd_has_nothing_to_say_of_it(self) -> None:
        analyze = shutil.which('systemd-analyze')
        if analyze is None:
            self.skipTest('systemd-analyze is not installed')
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        # A command that is not installed is all that may be missing here.
        for path, name in (
            (UNIT.read_text(), UNIT.name),
            (UNIT.read_text() + '\nWantedBi=nobody\n', 'wrong.service'),
        ):
            (folder / name).write_text(
                path.replace('/usr/bin/taskflow-worker', '/bin/true')
            )
        done = [
            subprocess.run(
                [analyze, 'verify', '--man=no', str(folder / name)],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=PATIENCE,
            )
            for name in (UNIT.name, 'wrong.service')
        ]
        self.assertEqual((0, ''), (done[0].returncode, done[0].stdout))
        self.assertIn('WantedBi', done[1].stdout)
