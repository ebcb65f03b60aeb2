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


"""taskflow-manage: the schema and its upkeep, and a look at logbooks."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import contextlib
import datetime
import json
import re
import sys
import time
import typing

from cliff import app
from cliff import columns
from cliff import command
from cliff import commandmanager
from cliff import lister
from cliff import show
from oslo_config import cfg

from taskflow_service import exceptions
from taskflow_service.cmd import program
from taskflow_service.persistence import models
from taskflow_service.persistence.backends import impl_sqlalchemy
from taskflow_service.persistence.backends.sqlalchemy import migration

PROG = 'taskflow-manage'

_UNITS = {'s': 1, 'm': 60, 'h': 3600, 'd': 86400, 'w': 7 * 86400}


class ManageApp(app.App):
    """The options that all commands share, and what they work on."""

    def __init__(self) -> None:
        super().__init__(
            description=__doc__,
            version=program.version(),
            command_manager=commandmanager.CommandManager(
                'taskflow_service.manage'
            ),
            deferred_help=True,
        )

    def build_option_parser(
        self,
        description: str | None,
        version: str | None,
        argparse_kwargs: dict[str, typing.Any] | None = None,
    ) -> argparse.ArgumentParser:
        """Add ours to cliff's own options."""
        parser = super().build_option_parser(
            description, version, argparse_kwargs
        )
        parser.add_argument(
            '--config-file',
            action='append',
            default=[],
            metavar='PATH',
            help='configuration file; may be given several times, the last '
            'one wins',
        )
        parser.add_argument(
            '--config-dir',
            action='append',
            default=[],
            metavar='DIR',
            help='directory whose *.conf files are read after the others',
        )
        parser.add_argument(
            '--connection',
            metavar='URL',
            help='database URL, instead of [database] connection',
        )
        return parser

    def load_conf(self) -> cfg.ConfigOpts:
        """Read the configuration that the options name."""
        argv = ['--debug'] if self.options.debug else []
        for name in ('config_file', 'config_dir'):
            for value in getattr(self.options, name):
                argv += ['--' + name.replace('_', '-'), value]
        conf = program.load_conf(PROG, argv)
        if self.options.connection:
            conf.set_override(
                'connection', self.options.connection, 'database'
            )
        return conf

    @contextlib.contextmanager
    def opened(
        self, checked: bool = True
    ) -> typing.Iterator[impl_sqlalchemy.SQLAlchemyBackend]:
        """Give the backend of the configuration.

        Makes no schema. ``checked``: the schema is the one of this code.
        """
        backend = impl_sqlalchemy.SQLAlchemyBackend.described(self.load_conf())
        with contextlib.closing(backend):
            if checked:
                _must_exist(backend)
                backend.ready()
            yield backend


def _must_exist(backend: impl_sqlalchemy.SQLAlchemyBackend) -> None:
    """Do not make an empty file by looking at one that is not there."""
    if not backend.exists():
        raise exceptions.ConfigurationError(
            '[database] connection: there is no logbook at '
            f'{backend.engine.url.database}; name the database with '
            '--config-file or --connection'
        )


class Command(command.Command):
    """One whose errors are one line."""

    app: ManageApp

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Run the command; return its exit code."""
        run = super().run
        argv = ['--debug'] if self.app.options.debug else []
        return program.run_main(PROG, lambda _: run(parsed_args), argv)

    def say(self, text: str) -> None:
        """Print a line of output."""
        print(text, file=self.app.stdout)


class DbSync(Command):
    """Make the schema, or bring it to the newest version."""

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        with self.app.opened(checked=False) as backend:
            backend.upgrade()
            self.say(f'The schema is at version {migration.head()}.')


class DbVersion(Command):
    """Show the version of the schema, and the newest that is known."""

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        with self.app.opened(checked=False) as backend:
            _must_exist(backend)
            with backend.connect() as conn:
                found = migration.version(conn)
                self.say(
                    f'found: {found or "none"}, newest: {migration.head()}'
                )
                # Says what is wrong, if anything is.
                migration.check(conn)
        return 0


class DbPurge(Command):
    """Delete flows that ended long ago, with all they hold."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            '--older-than',
            required=True,
            type=age,
            metavar='AGE',
            help='only flows that ended longer ago than this: a number and a '
            'unit, s, m, h, d or w, as in 30d',
        )
        parser.add_argument(
            '--state',
            action='append',
            choices=('SUCCESS', 'FAILURE', 'REVERTED'),
            help='only flows that ended in this state; may be given several '
            'times (default: all three)',
        )
        parser.add_argument(
            '--dry-run',
            action='store_true',
            help='only count what would be deleted',
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        before = time.time() - parsed_args.older_than
        with self.app.opened() as backend:
            total = backend.count_ended(before, parsed_args.state)
            if parsed_args.dry_run:
                self.say(f'{total} flows would be deleted.')
                return
            done = 0
            for batch in backend.purge(before, parsed_args.state):
                done += batch
                print(f'{done} of {total} flows', file=self.app.stderr)
            self.say(f'{done} flows were deleted.')


class FlowList(Command, lister.Lister):
    """List flows, the newest first."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            '--state',
            action='append',
            help='only flows in this state; may be given several times',
        )
        parser.add_argument('--name', help='only flows of this name')
        parser.add_argument('--book', help='only flows of this logbook (uuid)')
        parser.add_argument(
            '--owner', help='only flows run by this process (incarnation)'
        )
        parser.add_argument(
            '--older-than',
            type=age,
            metavar='AGE',
            help='only flows created longer ago than this, as in 2h',
        )
        parser.add_argument(
            '--limit',
            type=int,
            default=100,
            help='most flows to show (default: 100)',
        )
        parser.add_argument(
            '--marker',
            metavar='UUID',
            help='the last flow of the page before',
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Sequence[Sequence[typing.Any]]]:
        with self.app.opened() as backend:
            found = backend.get_connection().find_flows(
                parsed_args.state,
                name=parsed_args.name,
                book_uuid=parsed_args.book,
                owner=parsed_args.owner,
                created_before=None
                if parsed_args.older_than is None
                else time.time() - parsed_args.older_than,
                limit=parsed_args.limit,
                marker=parsed_args.marker,
            )
        header = ('uuid', 'name', 'state', 'book', 'owner', 'created', 'ended')
        return header, [
            (
                flow.uuid,
                flow.name,
                flow.state,
                flow.book_uuid,
                flow.owner,
                moment(flow.created_at),
                moment(flow.ended_at),
            )
            for flow in found
        ]


class FlowShow(Command, show.ShowOne):
    """Show a flow and its atoms."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument('uuid', help='uuid of the flow')
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Sequence[typing.Any]]:
        with self.app.opened() as backend:
            flow = backend.get_connection().get_flow_details(parsed_args.uuid)
        shown = {
            'uuid': flow.uuid,
            'name': flow.name,
            'state': flow.state,
            'owner': flow.owner,
            'epoch': flow.epoch,
            'project': flow.project,
            'deadline': moment(flow.deadline),
            'next_action': moment(flow.next_action_at),
            'created': moment(flow.created_at),
            'updated': moment(flow.updated_at),
            'ended': moment(flow.ended_at),
            'meta': Meta(plain(flow.meta)),
            'atoms': Atoms([describe(atom) for atom in flow]),
        }
        return tuple(shown), tuple(shown.values())


class Meta(columns.FormattableColumn[typing.Any]):
    """Metadata: a line for each key, for people."""

    def human_readable(self) -> str:
        value = self.machine_readable()
        if not isinstance(value, dict):
            return str(value)
        return '\n'.join(f'{key}: {each}' for key, each in value.items())


class Atoms(columns.FormattableColumn[typing.Any]):
    """Atoms: a line for each, for people."""

    def human_readable(self) -> str:
        lines = []
        for atom in self.machine_readable():
            line = f'{atom["name"]}: {atom["state"]}'
            if atom['worker']:
                line += f' at {atom["worker"]}'
            for name in ('failure', 'results'):
                if atom[name] is not None:
                    line += f', {name} {_short(atom[name])}'
            lines.append(line)
        return '\n'.join(lines)


def _short(value: typing.Any, most: int = 100) -> str:
    text = ' '.join(str(value).split())
    return text if len(text) <= most else text[: most - 3] + '...'


def describe(atom: models.AtomDetail) -> dict[str, typing.Any]:
    """Show an atom as a dictionary of JSON's own types."""
    return {
        'uuid': atom.uuid,
        'name': atom.name,
        'kind': models.atom_detail_type(atom),
        'state': atom.state,
        'intention': atom.intention,
        'attempt': atom.attempt,
        'worker': atom.worker,
        'request_uuid': atom.request_uuid,
        'started': moment(atom.started_at),
        'finished': moment(atom.finished_at),
        'results': plain(atom.results),
        'failure': None if atom.failure is None else str(atom.failure),
        'revert_results': plain(atom.revert_results),
        'revert_failure': (
            None if atom.revert_failure is None else str(atom.revert_failure)
        ),
        'meta': plain(atom.meta),
    }


def plain(value: typing.Any) -> typing.Any:
    """Show a value in JSON's own types: as it is, else as its repr."""
    try:
        return json.loads(json.dumps(value, default=repr))
    except (TypeError, ValueError):
        return repr(value)


def moment(when: float | None) -> str | None:
    """Show seconds since the epoch as ISO 8601, UTC."""
    if when is None:
        return None
    return datetime.datetime.fromtimestamp(when, datetime.UTC).isoformat(
        timespec='milliseconds'
    )


def age(text: str) -> float:
    """Read an age such as 30d, in seconds."""
    match = re.fullmatch(r'(\d+(?:\.\d+)?)([smhdw])', text)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no age; write a number and a unit, s, m, h, d or w, "
            'as in 30d'
        )
    return float(match[1]) * _UNITS[match[2]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run taskflow-manage; return its exit code."""
    return program.run_main(PROG, _main, argv)


def _main(argv: list[str]) -> int:
    if not argv:
        argv = ['--help']
    return int(ManageApp().run(argv) or 0)


if __name__ == '__main__':
    sys.exit(main())
