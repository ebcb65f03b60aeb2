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
what it says about a file is done to it. The commands of the other pages run
one by one; a command that no rule below knows is a failure, so that nobody
documents what nobody tries.
"""

from __future__ import annotations

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

import fixtures
from oslotest import base

from tests import documented
from tests import instances
from tests import servers
from tools import readme_command

ROOT = documented.ROOT
BIN = pathlib.Path(sys.executable).parent
PATIENCE = 120
GUIDE = ROOT / 'doc' / 'source' / 'user' / 'quickstart.rst'


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
        self.blocks = readme_command.blocks(
            (ROOT / 'README.rst').read_text(encoding='utf-8')
        )

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


class GuideTest(base.BaseTestCase):
    """The quick start of the user guide, as somebody types it."""

    def setUp(self) -> None:
        super().setUp()
        self.shell = self.useFixture(_Shell())
        self.conf = self.shell.folder / 'image-service.conf'
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
        if text.startswith('pip install '):
            # Beside the environment that runs this test, which has the rest.
            text = f'{text} --quiet --no-deps --target site'
        # It is shown for its error.
        return f'! {text}' if '--checksum 0123' in text else text

    def test_from_the_first_line_to_the_last(self) -> None:
        said = ''
        for language, text in documented.blocks(GUIDE):
            if language == 'ini':
                self._change_file(text)
            elif language == 'console':
                script = '\n'.join(
                    map(self._command, documented.commands(text))
                )
                done = self.shell.run(f'set -e\n{script}')
                self.assertEqual(0, done.returncode, done.stdout)
                said += done.stdout
        for name in ('cirros', 'parallel', 'on-a-worker'):
            self.assertIn(f'name:     {name}\nstatus:   active\n', said)
        self.assertRegex(said, 'image-service: The SHA-256 .* not 0123abcd')
        self.assertIn('image-service 1.0.0  image_id, size, verified', said)
        self.assertRegex(said, 'Worker .* serves 8 tasks')


class PagesTest(base.BaseTestCase):
    """The commands of the other pages, by what they start with."""

    def setUp(self) -> None:
        super().setUp()
        self.shell = self.useFixture(_Shell())
        conf = self.shell.folder / 'taskflow_service.conf'
        conf.write_text(
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
        self.conf = conf

    def _tox(self, command: str) -> None:
        ini = configparser.ConfigParser(interpolation=None)
        ini.read(ROOT / 'tox.ini')
        words = shlex.split(command)
        for name in words[words.index('-e') + 1].split(','):
            self.assertIn(f'testenv:{name}', ini)

    def _shell(self, command: str) -> None:
        done = self.shell.run(command)
        self.assertEqual(0, done.returncode, done.stdout)

    def _manage(self, command: str) -> None:
        self._shell('taskflow-manage db sync')
        if 'FLOW_UUID' in command:
            self._shell(
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
        self._shell(command)

    def _worker(self, command: str) -> None:
        broker = self.useFixture(servers.RabbitMQ()).url
        self.conf.write_text(self.conf.read_text().replace('fake://', broker))
        words = shlex.split(command)
        words[words.index('--config-file') + 1] = str(self.conf)
        if '--list-tasks' in words:
            return self._shell(shlex.join(words))
        if '--check' in words:
            # Here is no daemon; with one it is in test_daemon.
            done = self.shell.run(shlex.join(words))
            self.assertEqual(3, done.returncode, done.stdout)
            return None
        worker = subprocess.Popen(
            words,
            cwd=self.shell.folder,
            env=self.shell.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.addCleanup(worker.stdout.close)
        try:
            log = ''
            for line in worker.stdout:
                log += line
                if ' serves ' in line:
                    worker.send_signal(signal.SIGTERM)
            worker.wait(PATIENCE)
        finally:
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()
        self.assertEqual(0, worker.returncode, log)
        self.assertIn(' serves ', log)

    def _rabbitmqctl(self, command: str) -> None:
        broker = self.useFixture(servers.RabbitMQ())
        words = shlex.split(command)[1:]
        if isinstance(broker.server, instances.RabbitMQ):
            broker.server.control(*words)
        else:
            instances.rabbitmqctl(*words)

    def _systemctl(self, command: str) -> None:
        # There is no systemd to talk to: the unit has what it would do.
        _systemctl, verb, unit = shlex.split(command)
        lines = (
            ROOT / f'etc/taskflow_service/systemd/{unit}.service'
        ).read_text()
        wanted = {
            'restart': 'ExecStart=',
            'reload': 'ExecReload=',
            'stop': 'KillMode=mixed',
        }[verb]
        self.assertIn(f'\n{wanted}', lines)

    def _example(self, command: str) -> None:
        if 'rabbit://' in command:
            # With servers: the README's third block is the same, and runs.
            return
        self._shell(command)

    def _soak(self, command: str) -> None:
        # ``test_soak`` runs it; here the options and the seed are read.
        words = shlex.split(command)
        self.assertEqual(['python', '-m', 'tests.soak'], words[:3])
        done = subprocess.run(
            [sys.executable, *words[1:], '--plan'],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertIn('kill', done.stdout)

    def _simulation(self, command: str) -> None:
        done = subprocess.run(
            [sys.executable, *shlex.split(command)[1:]],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn('saturated', done.stdout)

    RULES = (
        ('tox ', '_tox'),
        ('taskflow-manage ', '_manage'),
        ('taskflow-status ', '_manage'),
        ('taskflow-worker', '_worker'),
        ('python examples/', '_example'),
        ('python -m tests.soak', '_soak'),
        ('python -m tests.simulation', '_simulation'),
        ('rabbitmqctl ', '_rabbitmqctl'),
        ('systemctl ', '_systemctl'),
        ('eval "$(tools/find-servers)"', '_shell'),
    )

    def _commands(self) -> Iterator[documented.Command]:
        for command in documented.console_commands():
            if command.path != GUIDE:
                yield command

    def test_each_command_is_known(self) -> None:
        unknown = [
            str(command)
            for command in self._commands()
            if not any(command.text.startswith(rule) for rule, _ in self.RULES)
        ]
        self.assertEqual([], unknown)

    def _run_all(self, start: str) -> None:
        texts = sorted(
            {
                command.text
                for command in self._commands()
                if command.text.startswith(start)
            }
        )
        self.assertNotEqual([], texts)
        method = getattr(self, dict(self.RULES)[start])
        for text in texts:
            with self.subTest(text):
                method(text)

    def test_tox(self) -> None:
        self._run_all('tox ')

    def test_manage(self) -> None:
        self._run_all('taskflow-manage ')

    def test_status(self) -> None:
        self._run_all('taskflow-status ')

    def test_worker(self) -> None:
        self._run_all('taskflow-worker')

    def test_examples(self) -> None:
        self._run_all('python examples/')

    def test_soak(self) -> None:
        self._run_all('python -m tests.soak')

    def test_simulation(self) -> None:
        self._run_all('python -m tests.simulation')

    def test_rabbitmqctl(self) -> None:
        self._run_all('rabbitmqctl ')

    def test_systemctl(self) -> None:
        self._run_all('systemctl ')

    def test_servers_of_the_machine(self) -> None:
        self._run_all('eval "$(tools/find-servers)"')
