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
"""Durable flows, in raw commits of the same two rows.

A raw commit is what any engine that keeps its promise has to do for a task:
one transaction that changes the row of the flow and the row of a task, through
SQLAlchemy Core on a connection that is held.  The servers are those that the
functional tests would use, and everything happens in a database of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
import importlib
import json
import pathlib
import tempfile
from typing import Any
import unittest

import sqlalchemy as sa

from benchmarks import many
from benchmarks import measure
from benchmarks import others
from benchmarks import shapes
from taskflow_service.persistence import backends
from taskflow_service.utils import persistence_utils
from tests import servers

CHAIN = measure.Budget(promise=2, aim=1.5)
AGAINST_DBOS = measure.Budget(promise=3, aim=4, at_least=True)
FAN_OUT = measure.Budget(promise=5, aim=8, at_least=True)

_SERVERS = {
    'PostgreSQL': servers.PostgreSQL,
    'MariaDB': servers.MariaDB,
}
_META = sa.MetaData()
_FLOWS = sa.Table(
    'bench_flows',
    _META,
    sa.Column('id', sa.Integer, primary_key=True, autoincrement=False),
    sa.Column('turn', sa.Integer, nullable=False),
    sa.Column('state', sa.String(32), nullable=False),
)
_ATOMS = sa.Table(
    'bench_atoms',
    _META,
    sa.Column('id', sa.Integer, primary_key=True, autoincrement=False),
    sa.Column('state', sa.String(32), nullable=False),
    sa.Column('results', sa.Text, nullable=True),
)
_RESULT = json.dumps({'v': 1, 'd': 0})


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ('journal_mode=WAL', 'synchronous=FULL'):
        cursor.execute(f'PRAGMA {pragma}')
    cursor.close()


def _engine(url: str) -> sa.Engine:
    engine = sa.create_engine(url)
    if engine.dialect.name == 'sqlite':
        sa.event.listen(engine, 'connect', _set_up_sqlite)
    return engine


class Raw:
    """Commits two rows for each task; the tables are made once."""

    def __init__(self, url: str, n: int) -> None:
        self._engine = _engine(url)
        self._n = n
        _META.create_all(self._engine)
        with self._engine.begin() as connection:
            connection.execute(_FLOWS.delete())
            connection.execute(_ATOMS.delete())
            connection.execute(
                _FLOWS.insert(), [{'id': 1, 'turn': 0, 'state': 'RUNNING'}]
            )
            connection.execute(
                _ATOMS.insert(),
                [{'id': i, 'state': 'PENDING'} for i in range(n)],
            )

    def __call__(self) -> float:
        """Return seconds per commit of a flow's row and an atom's row."""
        flow = (
            _FLOWS.update()
            .where(_FLOWS.c.id == 1)
            .values(turn=sa.bindparam('new_turn'))
        )
        atom = (
            _ATOMS.update()
            .where(_ATOMS.c.id == sa.bindparam('which'))
            .values(state='SUCCESS', results=_RESULT)
        )
        with self._engine.connect() as connection:

            def work() -> None:
                for i in range(self._n):
                    connection.execute(flow, {'new_turn': i})
                    connection.execute(atom, {'which': i})
                    connection.commit()

            return measure.seconds(work) / self._n

    def close(self) -> None:
        _META.drop_all(self._engine)
        self._engine.dispose()


@contextlib.contextmanager
def _sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield f'sqlite:///{pathlib.Path(folder, "bench.sqlite")}'


class Durable:
    """Runs flows whose logbook is in one database."""

    def __init__(self, url: str) -> None:
        self._us = shapes.Library('taskflow_service')
        self.backend = backends.fetch({'connection': url})
        with contextlib.closing(self.backend.get_connection()) as connection:
            connection.upgrade()

    def seconds(self, shape: str, n: int, **options: Any) -> float:
        """Return seconds per task of ``run()``."""
        _, detail = persistence_utils.temporary_flow_detail(self.backend)
        engine = self._us.engines.load(
            shapes.SHAPES[shape](self._us, n),
            store=shapes.STORES.get(shape),
            flow_detail=detail,
            backend=self.backend,
            **options,
        )
        engine.compile()
        engine.prepare()
        return measure.seconds(engine.run) / n

    def close(self) -> None:
        self.backend.close()


def _measure(
    name: str, url: str, scale: measure.Scale
) -> Iterator[measure.Row]:
    n = scale.size(1000)
    wide = scale.size(10000, 500)
    with contextlib.ExitStack() as stack:
        raw = Raw(url, n)
        stack.callback(raw.close)
        durable = Durable(url)
        stack.callback(durable.close)
        raw()
        durable.seconds('results', 10, engine='serial')
        yield measure.Row(
            f'durable chain, {name}, {n} tasks',
            measure.ratio(
                lambda: durable.seconds('results', n, engine='serial'),
                raw,
                scale.pairs,
            ),
            'raw commits a task',
            CHAIN,
        )
        yield measure.Row(
            f'durable fan-out, {name}, {wide} tasks',
            measure.speedup(
                lambda: durable.seconds(
                    'unordered', wide, engine='parallel', executor='threads'
                ),
                raw,
                scale.pairs,
            ),
            'x the rate of raw commits',
            FAN_OUT if name == 'PostgreSQL' else None,
        )
        if scale is measure.FULL:
            yield from _against(name, url, durable, scale)


def _against(
    name: str, url: str, durable: Durable, scale: measure.Scale
) -> Iterator[measure.Row]:
    """Measure what takes its time: others, and many flows at once."""
    n = 200
    yield measure.Row(
        f"durable chain against TaskFlow's backend, {name}, {n} tasks",
        measure.speedup(
            lambda: durable.seconds('results', n, engine='serial'),
            lambda: _taskflow(url, n),
            scale.pairs,
        ),
        'x',
    )
    if name != 'PostgreSQL':
        return
    if others.installed('dbos'):
        for note, given in (
            ('', url),
            (', synchronous_commit=off', _asynchronous(url)),
        ):
            ours = Durable(given)
            dbos = others.Dbos(given)
            try:
                yield measure.Row(
                    f'durable chain against DBOS, {name}{note}',
                    measure.speedup(
                        lambda: ours.seconds('results', n, engine='serial'),  # noqa: B023
                        lambda: dbos.seconds(n),  # noqa: B023
                        scale.pairs,
                    ),
                    'x',
                    None if note else AGAINST_DBOS,
                )
            finally:
                dbos.close()
                ours.close()
    yield many.row(
        f'10,000 flows of 3 tasks in one loop, {name}',
        many.Many(10000, 3, durable.backend),
        scale.pairs,
        many.BUDGET,
    )


def _asynchronous(url: str) -> str:
    return (
        sa.make_url(url)
        .update_query_dict({'options': '-c synchronous_commit=off'})
        .render_as_string(hide_password=False)
    )


def _taskflow(url: str, n: int) -> float:
    """Return seconds per task of TaskFlow with its own backend."""
    them = shapes.Library('taskflow')
    backends_ = importlib.import_module('taskflow.persistence.backends')
    utils = importlib.import_module('taskflow.utils.persistence_utils')
    with backends_.backend({'connection': url}) as backend:
        _, detail = utils.temporary_flow_detail(backend)
        engine = them.engines.load(
            shapes.SHAPES['results'](them, n),
            store=shapes.STORES.get('results'),
            flow_detail=detail,
            backend=backend,
        )
        engine.compile()
        engine.prepare()
        return measure.seconds(engine.run) / n


def rows(scale: measure.Scale) -> Iterator[measure.Row]:
    """Measure every row of this suite."""
    with _sqlite() as url:
        yield from _measure('SQLite', url, scale)
    for name, fixture in _SERVERS.items():
        try:
            with fixture() as server:
                yield from _measure(name, server.url, scale)
        except unittest.SkipTest as exc:
            yield measure.Row(f'durable chain, {name}', None, note=str(exc))
