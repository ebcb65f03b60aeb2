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
"""Record a database of today's schema, with flows in all states.

``python -m tests.recorded.schema`` writes ``tests/recorded/schema`` for a
version that is not there; what is there is never written again. The last flow
is caught while it runs, as a crash would leave it; so the record of its
process's name is kept as well, by which its death is proven.
"""

from __future__ import annotations

import pathlib
import sqlite3
import sys
import tempfile

from oslo_config import cfg

from taskflow_service import conf as service_conf
from taskflow_service import engines
from taskflow_service.persistence import backends
from taskflow_service.persistence.backends.sqlalchemy import migration
from tests.recorded import conversations
from tests.recorded import flows

FOLDER = conversations.HERE / 'schema'


def make_conf(folder: str, url: str) -> cfg.ConfigOpts:
    """Make the configuration of a process with that state path."""
    conf = cfg.ConfigOpts()
    service_conf.register_opts(conf)
    conf([], default_config_files=[], default_config_dirs=[])
    conf.set_override('state_path', folder)
    conf.set_override('backend', 'sqlalchemy', 'persistence')
    conf.set_override('connection', url, 'database')
    conf.set_override('allowed_modules', ['tests.recorded'], 'serialization')
    return conf


def record(folder: str) -> tuple[str, str]:
    """Run the flows; return the database and the name's record as text."""
    path = pathlib.Path(folder, 'logbook.sqlite')
    conf = make_conf(folder, f'sqlite:///{path}')
    backends.from_conf(conf, upgrade=True)
    taken: list[str] = []

    def load(factory, name):
        return engines.load_from_factory(
            factory, factory_args=[name], conf=conf
        )

    def dump() -> None:
        with sqlite3.connect(path) as connection:
            taken.append('\n'.join(connection.iterdump()) + '\n')
        (names,) = pathlib.Path(folder, 'names').glob('*.json')
        taken.append(names.read_text('ascii') + '\n')

    load(flows.good, 'good').run()
    load(flows.retried, 'retried').run()
    try:
        load(flows.failing, 'failing').run()
    except ValueError:
        pass
    suspended = load(flows.good, 'suspended')
    flows.on_task['give'] = suspended.suspend
    suspended.run()
    flows.on_task['pause'] = dump
    load(flows.good, 'interrupted').run()
    database, name = taken
    return database, name


def main() -> int:
    database = FOLDER / f'{migration.head()}.sql'
    if database.exists():
        print(f'{database} is there, and is never edited', file=sys.stderr)
        return 1
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        text, name = record(folder)
    database.write_text(text, 'utf-8')
    (FOLDER / f'{migration.head()}.name.json').write_text(name, 'ascii')
    return 0


if __name__ == '__main__':
    sys.exit(main())
