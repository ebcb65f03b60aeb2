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
"""Instances of the servers' own binaries, each in a folder of its own.

What has to be known about each (tried on PostgreSQL 15, MariaDB 10.11 and
RabbitMQ 3.10):

* PostgreSQL refuses to run as root, MariaDB does so unwillingly: only the
  server's processes change their user, because the Python that runs the
  tests may live where another user cannot read.
* RabbitMQ takes its port from the machine's own configuration file unless
  ``RABBITMQ_CONFIG_FILE`` names another, and Debian's command of that name
  wants to be root: the script below ``/usr/lib/rabbitmq`` does not.
* Data is written as durably as the server does by default: a test that kills
  a server wants to find again what was committed.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import glob
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from typing import Any
from typing import ClassVar

import kombu
import psycopg
import pymysql
import sqlalchemy as sa

# How long a server may take to start or to stop, seconds: it bounds a wait
# and promises nothing.
PATIENCE = 120.0

# Found out before a test nests its own: that one goes with the test, and only
# its user may enter it.
_TEMPORARY = tempfile.gettempdir()


class NotInstalled(Exception):
    """A binary of the server is neither on PATH nor in its usual folder."""


def with_database(address: str, database: str) -> str:
    """Return an SQLAlchemy url that names another database."""
    url = sa.engine.make_url(address).set(database=database)
    return url.render_as_string(hide_password=False)


def libpq(address: str) -> str:
    """Return an SQLAlchemy url as libpq wants it, without the driver."""
    url = sa.engine.make_url(address).set(drivername='postgresql')
    return url.render_as_string(hide_password=False)


def pymysql_args(address: str) -> dict[str, Any]:
    """Return an SQLAlchemy url as the arguments of ``pymysql.connect``."""
    url = sa.engine.make_url(address)
    return {
        'host': url.host or '127.0.0.1',
        'port': url.port or 3306,
        'user': url.username,
        'password': url.password or '',
        'autocommit': True,
        'connect_timeout': 5,
    }


def find_binary(*names: str) -> str:
    """Return the path of the first of these programs that is installed.

    :raises NotInstalled: if there is none of them.
    """
    folders = [
        *os.get_exec_path(),
        '/usr/sbin',
        '/usr/local/sbin',
        '/usr/lib/rabbitmq/bin',
        *sorted(glob.glob('/usr/lib/postgresql/*/bin'), reverse=True),
    ]
    for name in names:
        found = shutil.which(name, path=os.pathsep.join(folders))
        if found:
            return found
    raise NotInstalled(f'there is no program {" or ".join(names)} here')


def free_port() -> int:
    """Return a TCP port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port: int = probe.getsockname()[1]
    return port


def rabbitmqctl(*args: str) -> None:
    """Run ``rabbitmqctl`` against the broker of this machine.

    :raises NotInstalled: if there is none.
    :raises subprocess.SubprocessError: if it fails, or takes a minute.
    """
    subprocess.run(
        [find_binary('rabbitmqctl'), '-q', *args],
        check=True,
        capture_output=True,
        timeout=60,
    )


class Instance:
    """A server of our own: a folder, a port, and one process at a time.

    Not thread-safe; every method blocks until the server is where it should
    be, or raises after :data:`PATIENCE` seconds.
    """

    user: ClassVar[str]
    url: str

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = pathlib.Path(
            tempfile.mkdtemp(prefix='tfs-server-', dir=_TEMPORARY)
        )
        self.log = self.folder / 'server.log'
        self._process: subprocess.Popen[bytes] | None = None
        self._prepared = False

    @staticmethod
    def ping(url: str) -> None:
        """Connect and disconnect; raise if that fails."""
        raise NotImplementedError

    def _prepare(self) -> None:
        """Fill the folder, once, before the first start."""
        raise NotImplementedError

    def _command(self) -> Sequence[str]:
        raise NotImplementedError

    def _environment(self) -> Mapping[str, str]:
        return {}

    @property
    def pid(self) -> int:
        """The process that :meth:`kill` kills."""
        if self._process is None:
            raise RuntimeError(f'{self.url} does not run')
        return self._process.pid

    def start(self) -> None:
        """Start the server and return when it answers."""
        if not self._prepared:
            self._prepare()
            self._prepared = True
        self._process = self._popen(self._command())
        self._await(self._process)

    def stop(self) -> None:
        """End the server in order, as its operator would."""
        self._end(self._stop_signal)

    def kill(self) -> None:
        """End the server as a power cut does."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze the server: connections stay open, nothing answers."""
        self._signal_group(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal_group(signal.SIGCONT)

    def remove(self) -> None:
        """End the server, whatever it does, and remove its folder."""
        if self._process is not None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    _stop_signal = signal.SIGTERM

    def _signal_group(self, number: int) -> None:
        # Each server leads a session of its own.
        os.killpg(self.pid, number)

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if number == signal.SIGKILL:
            self._kill_group(process.pid)
        elif process.poll() is None:
            process.send_signal(number)
        try:
            process.wait(PATIENCE)
        finally:
            self._kill_group(process.pid)
            process.wait(PATIENCE)

    @staticmethod
    def _kill_group(group: int) -> None:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def _account(self) -> dict[str, Any]:
        """Who the server runs as: itself where we are root, else we."""
        if os.getuid() != 0:
            return {}
        try:
            entry = pwd.getpwnam(self.user)
        except KeyError:
            entry = pwd.getpwnam('nobody')
        for path in (self.folder, *self.folder.rglob('*')):
            # What a running server does not need any more may be gone.
            with contextlib.suppress(FileNotFoundError):
                os.chown(path, entry.pw_uid, entry.pw_gid)
        return {
            'user': entry.pw_uid,
            'group': entry.pw_gid,
            'extra_groups': [],
        }

    def _variables(self) -> dict[str, str]:
        return {
            'PATH': os.environ.get('PATH', os.defpath),
            'HOME': str(self.folder),
            'LC_ALL': 'C.UTF-8',
            **self._environment(),
        }

    def _popen(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        with self.log.open('ab') as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=self._variables(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._account(),
            )

    def _run(self, command: Sequence[str]) -> None:
        process = self._popen(command)
        if process.wait(PATIENCE):
            raise RuntimeError(f'{command[0]} failed: {self._last_words()}')

    def _await(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.ping(self.url)
            except Exception as exc:
                if time.monotonic() > deadline:
                    raise RuntimeError(
                        f'{self.url}: no answer: {self._last_words()}'
                    ) from exc
            try:
                # The pause between two tries ends with the server.
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            raise RuntimeError(f'{self.url} ended: {self._last_words()}')

    def _last_words(self) -> str:
        return self.log.read_text(errors='replace')[-2000:]


class PostgreSQL(Instance):
    """A PostgreSQL server that trusts whoever connects."""

    user = 'postgres'
    _stop_signal = signal.SIGINT  # "fast": does not wait for clients

    def __init__(self) -> None:
        self._initdb = find_binary('initdb')
        self._postgres = find_binary('postgres')
        super().__init__()
        self.url = (
            f'postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres'
        )

    @staticmethod
    def ping(url: str) -> None:
        psycopg.connect(libpq(url), connect_timeout=5).close()

    def _prepare(self) -> None:
        self._run(
            [
                self._initdb,
                f'--pgdata={self.folder}/data',
                '--username=postgres',
                '--auth=trust',
                '--encoding=UTF8',
                '--no-locale',
                '--no-sync',
            ]
        )

    def _command(self) -> Sequence[str]:
        return [
            self._postgres,
            '-D',
            f'{self.folder}/data',
            '-p',
            str(self.port),
            '-c',
            'listen_addresses=127.0.0.1',
            '-c',
            f'unix_socket_directories={self.folder}',
        ]


class MariaDB(Instance):
    """A MariaDB or MySQL server whose root has no password."""

    user = 'mysql'

    def __init__(self) -> None:
        self._mariadbd = find_binary('mariadbd', 'mysqld')
        super().__init__()
        self.url = f'mysql+pymysql://root@127.0.0.1:{self.port}/mysql'

    @staticmethod
    def ping(url: str) -> None:
        pymysql.connect(**pymysql_args(url)).close()

    def _prepare(self) -> None:
        data = f'--datadir={self.folder}/data'
        try:
            install = find_binary('mariadb-install-db')
        except NotInstalled:
            self._run(
                [
                    self._mariadbd,
                    '--no-defaults',
                    '--initialize-insecure',
                    data,
                ]
            )
            return
        self._run(
            [
                install,
                '--no-defaults',
                '--auth-root-authentication-method=normal',
                '--skip-test-db',
                data,
            ]
        )

    def _command(self) -> Sequence[str]:
        return [
            self._mariadbd,
            '--no-defaults',
            f'--datadir={self.folder}/data',
            f'--socket={self.folder}/socket',
            f'--pid-file={self.folder}/pid',
            f'--port={self.port}',
            '--bind-address=127.0.0.1',
        ]


class RabbitMQ(Instance):
    """A RabbitMQ node without plug-ins, on a port of its own."""

    user = 'rabbitmq'
    #: Lines for its configuration file besides our own.
    settings: tuple[str, ...] = ()

    def __init__(self) -> None:
        scripts = pathlib.Path('/usr/lib/rabbitmq/bin')
        if (scripts / 'rabbitmq-server').exists():
            self._server = str(scripts / 'rabbitmq-server')
            self._ctl = str(scripts / 'rabbitmqctl')
        else:
            self._server = find_binary('rabbitmq-server')
            self._ctl = find_binary('rabbitmqctl')
        super().__init__()
        self._dist_port = free_port()
        self._node = f'tfs{self.port}@localhost'
        self.url = f'rabbit://guest:guest@127.0.0.1:{self.port}/'

    @staticmethod
    def ping(url: str) -> None:
        amqp = url.replace('rabbit://', 'amqp://', 1)
        with kombu.Connection(amqp, connect_timeout=5) as connection:
            try:
                connection.connect()
            except connection.connection_errors as exc:
                raise ConnectionError(f'{url}: {exc}') from exc

    def _prepare(self) -> None:
        conf = self.folder / 'rabbitmq.conf'
        conf.write_text(
            f'listeners.tcp.local = 127.0.0.1:{self.port}\n'
            'log.console = true\n'
            'log.file = false\n'
            # Do not refuse to work on a small or a full machine.
            'disk_free_limit.absolute = 1MB\n'
            + ''.join(f'{line}\n' for line in self.settings)
        )
        (self.folder / 'rabbitmq-env.conf').write_text('')
        (self.folder / 'enabled_plugins').write_text('[].\n')
        cookie = self.folder / '.erlang.cookie'
        cookie.write_text(f'TFS{self.port}')
        cookie.chmod(0o400)

    def _environment(self) -> Mapping[str, str]:
        return {
            'RABBITMQ_NODENAME': self._node,
            'RABBITMQ_NODE_PORT': str(self.port),
            'RABBITMQ_DIST_PORT': str(self._dist_port),
            'RABBITMQ_CONF_ENV_FILE': f'{self.folder}/rabbitmq-env.conf',
            'RABBITMQ_CONFIG_FILE': f'{self.folder}/rabbitmq.conf',
            'RABBITMQ_ENABLED_PLUGINS_FILE': f'{self.folder}/enabled_plugins',
            'RABBITMQ_MNESIA_BASE': f'{self.folder}/mnesia',
            'RABBITMQ_LOG_BASE': f'{self.folder}/log',
            'ERL_EPMD_ADDRESS': '127.0.0.1',
            'RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS': (
                '-kernel inet_dist_use_interface {127,0,0,1}'
            ),
        }

    def _command(self) -> Sequence[str]:
        return [self._server]

    def queues(self) -> list[str]:
        """List the names of the queues in the first virtual host."""
        return list(self.count_messages())

    def count_messages(self) -> dict[str, tuple[int, int]]:
        """Count, by queue of the first virtual host, messages and readers."""
        command = [self._ctl, '-q', '-n', self._node, 'list_queues']
        listed = subprocess.run(
            [*command, 'name', 'messages', 'consumers'],
            cwd=self.folder,
            env=self._variables(),
            check=True,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            **self._account(),
        )
        rows = [line.split() for line in listed.stdout.splitlines()[1:]]
        return {row[0]: (int(row[1]), int(row[2])) for row in rows}

    def control(self, *args: str) -> None:
        """Run ``rabbitmqctl`` against this node."""
        self._run([self._ctl, '-q', '-n', self._node, *args])
