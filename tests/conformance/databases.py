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


"""What a durable backend does beyond :mod:`tests.conformance.backends`."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import threading
import typing

from alembic import autogenerate
from alembic.runtime import migration as alembic_migration
import sqlalchemy as sa
from sqlalchemy import event

from taskflow_service import clock as clocks
from taskflow_service import exceptions
from taskflow_service.persistence import base
from taskflow_service.persistence import models
from taskflow_service.persistence import ownership
from taskflow_service.persistence import unit
from taskflow_service.persistence.backends import impl_sqlalchemy
from taskflow_service.persistence.backends.sqlalchemy import migration
from taskflow_service.persistence.backends.sqlalchemy import schema
from tests.conformance import backends

LEASE = 15.0
HEARTBEAT = LEASE / 3


class Told:
    """A driver that remembers what it was told."""

    def __init__(self) -> None:
        self.asks: list[tuple[str, str]] = []
        self.losses: list[str] = []
        #: Whether its process might speak when it heard of each loss.
        self.spoke: list[bool] = []
        self.claims: ownership.Ownership | None = None

    def asked(self, flow_uuid: str, what: str) -> None:
        self.asks.append((flow_uuid, what))

    def lost(self, flow_uuid: str) -> None:
        self.losses.append(flow_uuid)
        if self.claims is not None:
            self.spoke.append(self.claims.may_speak())


class Process:
    """A process of its own, as far as a database can tell.

    It has its own clock, so that it is paused by leaving that alone.
    """

    def __init__(self, url: str, name: str, dead: set[str]) -> None:
        self.name = name
        self.clock = clocks.VirtualClock()
        self.backend = impl_sqlalchemy.SQLAlchemyBackend(
            {'connection': url},
            make_ownership=lambda registry: ownership.Ownership(
                registry,
                name,
                f'host.{name}',
                dead.__contains__,
                LEASE,
                clock=self.clock,
            ),
        )
        self.told = Told()
        self.writer = self.backend.open_writer()

    def claim(self, flow_uuid: str) -> unit.Claim:
        return self.backend.claim(flow_uuid, 0, self.told)

    def close(self) -> None:
        self.writer.close()
        self.backend.close()


class Faults:
    """Errors at chosen moments of an engine's statements and commits."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._error = engine.dialect.loaded_dbapi.OperationalError
        self._real_commit = engine.dialect.do_commit
        self.left = 0

    def _raise(self) -> None:
        if self.left:
            self.left -= 1
            raise self._error('server closed the connection unexpectedly')

    @contextlib.contextmanager
    def before(self, word: str, times: int = 1) -> Iterator[None]:
        """Fail before a statement is sent."""
        self.left = times

        def hook(conn, cursor, statement, *args):  # type: ignore[no-untyped-def]
            if word in statement:
                self._raise()

        event.listen(self._engine, 'before_cursor_execute', hook)
        try:
            yield
        finally:
            event.remove(self._engine, 'before_cursor_execute', hook)

    @contextlib.contextmanager
    def after_commit(self, times: int = 1) -> Iterator[None]:
        """Lose the answer of a commit that the server has done."""
        self.left = times

        def hook(conn, cursor, statement, *args):  # type: ignore[no-untyped-def]
            # PostgreSQL: the statement is its own transaction.
            if statement.startswith('WITH given'):
                self._raise()

        def do_commit(dbapi):  # type: ignore[no-untyped-def]
            self._real_commit(dbapi)
            self._raise()

        event.listen(self._engine, 'after_cursor_execute', hook)
        self._engine.dialect.do_commit = do_commit  # type: ignore[method-assign]
        try:
            yield
        finally:
            event.remove(self._engine, 'after_cursor_execute', hook)
            self._engine.dialect.do_commit = self._real_commit  # type: ignore[method-assign]

    @contextlib.contextmanager
    def at_commit(self, times: int = 1) -> Iterator[None]:
        """Fail a commit before the server does it."""
        self.left = times

        def do_commit(dbapi):  # type: ignore[no-untyped-def]
            self._raise()
            self._real_commit(dbapi)

        with self._commits_by(do_commit), self.before('WITH given', times):
            yield

    @contextlib.contextmanager
    def deadlocks(self, times: int) -> Iterator[None]:
        """Roll transactions back as deadlocks when they are committed."""
        dbapi: typing.Any = self._engine.dialect.loaded_dbapi
        self.left = times

        def do_commit(connection):  # type: ignore[no-untyped-def]
            if not self.left:
                self._real_commit(connection)
                return
            self.left -= 1
            connection.rollback()
            if self._engine.dialect.name == 'postgresql':
                raise dbapi.errors.DeadlockDetected('deadlock detected')
            raise dbapi.OperationalError(1213, 'Deadlock found')

        with self._commits_by(do_commit):
            yield

    @contextlib.contextmanager
    def _commits_by(self, call: typing.Any) -> Iterator[None]:
        self._engine.dialect.do_commit = call  # type: ignore[method-assign]
        try:
            yield
        finally:
            self._engine.dialect.do_commit = self._real_commit  # type: ignore[method-assign]


@contextlib.contextmanager
def statements(engine: sa.Engine) -> Iterator[list[str]]:
    """Collect the statements that are sent, and COMMITs."""
    seen: list[str] = []

    def hook(conn, cursor, statement, *args):  # type: ignore[no-untyped-def]
        seen.append(statement)

    def committed(conn):  # type: ignore[no-untyped-def]
        seen.append('COMMIT')

    event.listen(engine, 'before_cursor_execute', hook)
    event.listen(engine, 'commit', committed)
    try:
        yield seen
    finally:
        event.remove(engine, 'before_cursor_execute', hook)
        event.remove(engine, 'commit', committed)


class DatabaseSuite(backends.RowsSuite):
    """The cases; ``url`` names an empty database."""

    url: str
    backend: impl_sqlalchemy.SQLAlchemyBackend

    def make_backend(self) -> base.Backend:
        return impl_sqlalchemy.SQLAlchemyBackend({'connection': self.url})

    def setUp(self) -> None:
        super().setUp()
        self.dead: set[str] = set()

    def process(self, name: str) -> Process:
        made = Process(self.url, name, self.dead)
        self.addCleanup(made.close)
        return made

    # Schema

    def test_migrations_make_what_the_models_say(self) -> None:
        with self.backend.engine.connect() as conn:
            context = alembic_migration.MigrationContext.configure(
                conn,
                opts={
                    'version_table': schema.VERSION_TABLE,
                    'compare_type': True,
                    'compare_server_default': False,
                },
            )
            self.assertEqual(
                [], autogenerate.compare_metadata(context, schema.metadata)
            )

    def test_several_processes_make_the_schema_at_once(self) -> None:
        with self.backend.engine.begin() as conn:
            schema.metadata.drop_all(conn)
            conn.exec_driver_sql(f'DROP TABLE {schema.VERSION_TABLE}')
        made = [self.make_backend() for _ in range(3)]
        errors: list[Exception] = []

        def sync(backend: base.Backend) -> None:
            try:
                backend.get_connection().upgrade()
            except Exception as error:
                errors.append(error)

        threads = [
            threading.Thread(target=sync, args=(each,)) for each in made
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for each in made:
            self.addCleanup(each.close)
        self.assertEqual([], errors)
        self.test_migrations_make_what_the_models_say()

    def test_units_of_many_threads_share_commits(self) -> None:
        names = [f'f{number}' for number in range(50)]
        self.saved_book(*names)
        self.backend.open_writer().commit([self.change('f0', 0, new_turn=0)])
        together = threading.Semaphore(0)
        lost: list[str] = []

        def commit(name: str) -> None:
            writer = self.backend.open_writer()
            together.release()
            # One of them gives a flow that is not its own.
            epoch = 9 if name == 'f7' else 0
            for turn in range(3):
                committed = writer.commit([self.change(name, turn, epoch)])
                lost.extend(committed.lost)

        threads = [
            threading.Thread(target=commit, args=(name,)) for name in names
        ]

        def wait(*_args: typing.Any) -> None:
            # Whoever comes first is slow enough for all to come.
            for _ in names:
                together.acquire(timeout=30)

        event.listen(
            self.backend.engine, 'before_cursor_execute', wait, once=True
        )
        with statements(self.backend.engine) as seen:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        fences = [each for each in seen if 'turn = ' in each]
        self.assertLess(len(fences), 100)
        self.assertEqual(['f7'] * 3, lost)
        turns = {each.uuid: each.turn for each in self.connection.find_flows()}
        self.assertEqual(
            {name: 0 if name == 'f7' else 3 for name in names}, turns
        )

    def test_syncing_again_changes_nothing(self) -> None:
        self.saved_book('f')
        self.connection.upgrade()
        self.assertEqual('f', self.connection.get_flow_details('f').name)

    def _set_version(self, version: str | None) -> None:
        with self.backend.engine.begin() as conn:
            conn.exec_driver_sql(f'DELETE FROM {schema.VERSION_TABLE}')
            if version is not None:
                conn.exec_driver_sql(
                    f"INSERT INTO {schema.VERSION_TABLE} VALUES ('{version}')"
                )

    def test_a_newer_database_is_refused_by_its_version(self) -> None:
        self._set_version('999')
        fresh = self.make_backend()
        self.addCleanup(fresh.close)
        for call in (
            fresh.get_connection().validate,
            fresh.get_connection().upgrade,
            fresh.open_writer,
        ):
            error = self.assertRaises(exceptions.SchemaMismatch, call)
            self.assertIn('999', str(error))
            self.assertIn('upgrade taskflow-service', str(error))

    def test_a_database_without_schema_says_what_to_run(self) -> None:
        self._set_version(None)
        fresh = self.make_backend()
        self.addCleanup(fresh.close)
        error = self.assertRaises(
            exceptions.SchemaMismatch, fresh.get_connection().get_logbook, 'x'
        )
        self.assertIn('taskflow-manage db sync', str(error))

    def test_it_stands_beside_the_tables_of_others(self) -> None:
        # As a service has them in whose database the logbook is made.
        engine = self.backend.engine
        theirs = sa.MetaData()
        sa.Table('volumes', theirs, sa.Column('id', sa.Integer()))
        sa.Table(
            'alembic_version', theirs, sa.Column('version_num', sa.String(32))
        )
        with engine.begin() as conn:
            schema.metadata.drop_all(conn)
            conn.exec_driver_sql(f'DROP TABLE {schema.VERSION_TABLE}')
            theirs.create_all(conn)
            conn.execute(
                sa.insert(theirs.tables['alembic_version']),
                {'version_num': 'cafe01'},
            )
        self.connection.upgrade()
        self.saved_book('f')
        self.connection.validate()
        names = set(sa.inspect(engine).get_table_names())
        self.assertEqual(
            {'volumes', 'alembic_version'},
            {name for name in names if not name.startswith('tfs_')},
        )
        with engine.connect() as conn:
            context = alembic_migration.MigrationContext.configure(conn)
            self.assertEqual(('cafe01',), context.get_current_heads())
            # Their autogenerate is told which tables are not theirs.
            mine = alembic_migration.MigrationContext.configure(
                conn,
                opts={
                    'include_name': lambda name, kind, _parents: (
                        kind != 'table' or not name.startswith('tfs_')
                    )
                },
            )
            self.assertEqual([], autogenerate.compare_metadata(mine, theirs))

    # Units

    def test_a_step_of_a_chain_is_one_commit(self) -> None:
        self.saved_book('f')
        writer = self.writer()
        writer.commit([self.change('f', 0, atoms=[self.row('f', 'a')])])
        with statements(self.backend.engine) as seen:
            writer.commit(
                [
                    self.change(
                        'f', 1, atoms=[self.row('f', 'a'), self.row('f', 'b')]
                    )
                ]
            )
        # With COMMIT; SQLite's BEGIN goes past SQLAlchemy, by the driver.
        expected = {'postgresql': 1, 'mysql': 3, 'sqlite': 3}
        self.assertEqual(
            expected[self.backend.engine.dialect.name], len(seen), seen
        )

    def test_flows_of_a_unit_share_its_statements(self) -> None:
        names = [f'f{number}' for number in range(50)]
        self.saved_book(*names)
        writer = self.writer()
        with statements(self.backend.engine) as seen:
            writer.commit(
                [
                    self.change(name, 0, atoms=[self.row(name, 'a')])
                    for name in names
                ]
            )
        self.assertLessEqual(len(seen), 4, seen)

    def test_the_same_unit_again_changes_nothing(self) -> None:
        self.saved_book('f')
        writer = self.writer()
        change = self.change('f', 0, atoms=[self.row('f', 'a')])
        self.assertEqual(unit.Committed(), writer.commit([change]))
        writer.commit([self.change('f', 1, new_turn=1, state='SUCCESS')])
        self.assertEqual(unit.Committed(), writer.commit([change]))
        self.assertEqual(1, self.connection.get_flow_details('f').turn)

    def test_a_stale_epoch_writes_nothing(self) -> None:
        self.saved_book('f', 'g')
        writer = self.writer()
        committed = writer.commit(
            [
                self.change('f', 0, epoch=9, atoms=[self.row('f', 'a')]),
                self.change('g', 0, atoms=[self.row('g', 'a')]),
            ]
        )
        self.assertEqual(frozenset('f'), committed.lost)
        self.assertEqual(0, len(self.connection.get_flow_details('f')))
        self.assertEqual(1, len(self.connection.get_flow_details('g')))

    def test_a_row_that_was_changed_by_hand_is_refused(self) -> None:
        self.saved_book('f')
        with self.backend.engine.begin() as conn:
            conn.execute(sa.update(schema.flows).values(turn=5))
        committed = self.writer().commit([self.change('f', 0)])
        self.assertIn('by hand', str(committed.refused['f']))
        self.assertEqual(frozenset(), committed.lost)

    def test_nonsense_in_a_row_is_one_clear_error(self) -> None:
        flow = self.saved_book('f').find('f')
        flow.add(models.TaskDetail('t', 't'))
        self.connection.update_flow_details(flow)
        for table, column, nonsense in (
            (schema.atoms, 'results', '{"v": 1, "d": '),
            (schema.atoms, 'results', 'hello'),
            (schema.atoms, 'results', '{"v": 99, "d": 1}'),
            (schema.atoms, 'state', 'BANANA'),
            (schema.atoms, 'intention', 'BANANA'),
            (schema.atoms, 'kind', 'BANANA'),
            (schema.flows, 'state', 'BANANA'),
            (schema.flows, 'meta', 'BANANA'),
        ):
            with self.backend.engine.begin() as conn:
                kept = conn.execute(sa.select(table.c[column])).scalar()
                conn.execute(sa.update(table).values({column: nonsense}))
            error = self.assertRaises(
                exceptions.ValueUnreadable,
                self.connection.get_flow_details,
                'f',
            )
            self.assertIn(column, str(error))
            self.assertIn('low f', str(error))
            # It can be looked at, so that it can be mended.
            self.assertEqual(1, len(self.connection.find_flows()))
            self.assertEqual(1, len(self.connection.find_atoms()))
            with self.backend.engine.begin() as conn:
                conn.execute(sa.update(table).values({column: kept}))
        self.connection.get_flow_details('f')

    def test_a_poison_flow_is_refused_alone(self) -> None:
        if self.backend.engine.dialect.name == 'sqlite':
            self.skipTest('SQLite takes any length')
        names = [f'f{number:02}' for number in range(20)]
        self.saved_book(*names)
        writer = self.writer()
        committed = writer.commit(
            [
                self.change(
                    name,
                    0,
                    atoms=[
                        self.row(name, 'x' * 300 if name == 'f07' else 'a')
                    ],
                )
                for name in names
            ]
        )
        self.assertEqual(['f07'], list(committed.refused))
        self.assertIsInstance(
            committed.refused['f07'], exceptions.StorageFailure
        )
        self.assertNotIsInstance(
            committed.refused['f07'], exceptions.StorageOutage
        )
        for name in names:
            self.assertEqual(
                0 if name == 'f07' else 1,
                self.connection.get_flow_details(name).turn,
            )
        good = self.change('f07', 0, atoms=[self.row('f07', 'a')])
        self.assertEqual(unit.Committed(), writer.commit([good]))

    def _survives(self, fault: Callable[[Faults], typing.Any]) -> None:
        self.saved_book('f', 'g')
        writer = self.writer()
        writer.commit([self.change('f', 0), self.change('g', 0)])
        changes = [
            self.change('f', 1, atoms=[self.row('f', 'a')]),
            self.change('g', 1, epoch=3, atoms=[self.row('g', 'a')]),
        ]
        faults = Faults(self.backend.engine)
        with fault(faults):
            committed = writer.commit(changes)
        self.assertEqual(0, faults.left)
        self.assertEqual(frozenset('g'), committed.lost)
        self.assertEqual({}, committed.refused)
        flow = self.connection.get_flow_details('f')
        self.assertEqual((2, 1), (flow.turn, len(flow)))
        self.assertEqual(0, len(self.connection.get_flow_details('g')))
        self.assertEqual(
            unit.Committed(), writer.commit([self.change('f', 2)])
        )

    def test_an_error_before_the_commit(self) -> None:
        self._survives(lambda faults: faults.before('tfs_flow_details'))

    def test_an_error_at_the_commit(self) -> None:
        self._survives(lambda faults: faults.at_commit())

    def test_a_commit_whose_answer_is_lost(self) -> None:
        self._survives(lambda faults: faults.after_commit())

    def test_no_connection_is_an_outage_and_the_unit_may_come_again(
        self,
    ) -> None:
        self.saved_book('f')
        writer = self.writer()
        change = self.change('f', 0, atoms=[self.row('f', 'a')])
        faults = Faults(self.backend.engine)

        def refuse(*args: typing.Any) -> typing.NoReturn:
            raise faults._error('could not connect')

        with faults.after_commit():
            event.listen(self.backend.engine, 'do_connect', refuse)
            try:
                if self.backend.engine.dialect.name != 'sqlite':
                    self.backend.engine.dispose()
                self.assertRaises(
                    exceptions.StorageOutage, writer.commit, [change]
                )
            finally:
                event.remove(self.backend.engine, 'do_connect', refuse)
        self.assertEqual(unit.Committed(), writer.commit([change]))
        flow = self.connection.get_flow_details('f')
        self.assertEqual((1, 1), (flow.turn, len(flow)))

    # Ownership

    def test_a_claim_and_a_release(self) -> None:
        self.saved_book('f')
        one = self.process('one')
        self.assertEqual(unit.Claim('f', 1, 0), one.claim('f'))
        self.assertEqual('one', self.connection.get_flow_details('f').owner)
        change = self.change('f', 0, epoch=1, release=True)
        self.assertEqual(unit.Committed(), one.writer.commit([change]))
        self.assertIsNone(self.connection.get_flow_details('f').owner)
        claim = self.process('two').claim('f')
        self.assertEqual(unit.Claim('f', 2, 1), claim)

    def test_a_flow_that_is_driven_is_refused(self) -> None:
        self.saved_book('f')
        one, two = self.process('one'), self.process('two')
        one.claim('f')
        for process in (one, two):
            error = self.assertRaises(exceptions.FlowOwned, process.claim, 'f')
            self.assertEqual(('f', 'one'), (error.flow_uuid, error.owner))
            self.assertIn('host.one', str(error))
        self.assertRaises(exceptions.NotFound, one.claim, 'x')

    def test_a_connection_does_not_write_what_is_owned(self) -> None:
        book = self.saved_book('f')
        flow = book.find('f')
        task = models.TaskDetail('t', 't')
        flow.add(task)
        self.connection.update_flow_details(flow)
        self.process('one').claim('f')
        self.connection.save_logbook(book)
        task.put('SUCCESS', 1)
        for call, argument in (
            (self.connection.update_flow_details, flow),
            (self.connection.update_atom_details, task),
            (self.connection.save_logbook, book),
        ):
            self.assertRaises(exceptions.FlowOwned, call, argument)
        self.assertIsNone(self.connection.get_atom_details('t').results)

    def test_a_unit_outside_of_a_run_does_not_touch_an_owned_flow(
        self,
    ) -> None:
        self.saved_book('f', 'g')
        one, two = self.process('one'), self.process('two')
        claim = one.claim('f')
        # What another process read of it when it loaded it.
        late = self.change('f', claim.turn, claim.epoch, state='PENDING')
        committed = two.writer.commit([late, self.change('g', 0)])
        self.assertIsInstance(committed.refused['f'], exceptions.FlowOwned)
        self.assertEqual('one', committed.refused['f'].owner)
        self.assertEqual(frozenset(), committed.lost)
        self.assertEqual(
            'RUNNING', self.connection.get_flow_details('g').state
        )
        self.assertEqual(
            unit.Committed(),
            one.writer.commit([self.change('f', claim.turn, claim.epoch)]),
        )

    def test_who_is_proven_dead_is_followed_at_once(self) -> None:
        self.saved_book('f')
        self.process('one').claim('f')
        self.dead.add('one')
        self.assertEqual(2, self.process('two').claim('f').epoch)

    def _wait_out(self, waiting: Process, flow_uuid: str) -> unit.Claim | None:
        """Let a process look for a lease, with nobody renewing."""
        for _ in range(4):
            with contextlib.suppress(exceptions.FlowOwned):
                return waiting.claim(flow_uuid)
            waiting.clock.advance(HEARTBEAT)
        return None

    def test_silence_for_a_lease_loses_a_flow(self) -> None:
        self.saved_book('f', 'g')
        one, two = self.process('one'), self.process('two')
        one.claim('f')
        self.assertRaises(exceptions.FlowOwned, two.claim, 'f')
        two.clock.advance(LEASE - HEARTBEAT)
        # That was too long a time without looking: the watch starts again.
        for _ in range(3):
            self.assertRaises(exceptions.FlowOwned, two.claim, 'f')
            two.clock.advance(HEARTBEAT)
        self.assertEqual(unit.Claim('f', 2, 0), two.claim('f'))

        stale = self.change('f', 0, epoch=1, atoms=[self.row('f', 'a')])
        claim = one.claim('g')
        other = self.change('g', 0, epoch=claim.epoch, state='SUCCESS')
        committed = one.writer.commit([stale, other])
        self.assertEqual(frozenset('f'), committed.lost)
        self.assertEqual(0, len(self.connection.get_flow_details('f')))
        self.assertEqual(
            'SUCCESS', self.connection.get_flow_details('g').state
        )

    def test_who_renews_keeps_its_flows(self) -> None:
        self.saved_book('f')
        one, two = self.process('one'), self.process('two')
        one.claim('f')
        for _ in range(6):
            self.assertRaises(exceptions.FlowOwned, two.claim, 'f')
            one.backend.claims.beat()
            two.clock.advance(HEARTBEAT)

    def test_a_renewal_between_the_look_and_the_claim_wins(self) -> None:
        self.saved_book('f')
        one, two = self.process('one'), self.process('two')
        one.claim('f')
        for _ in range(3):
            self.assertRaises(exceptions.FlowOwned, two.claim, 'f')
            two.clock.advance(HEARTBEAT)
        registry = two.backend.claims._registry
        take = registry.take

        def renewed_first(*args: typing.Any) -> bool:
            one.backend.claims.beat()
            return bool(take(*args))

        registry.take = renewed_first
        self.assertRaises(exceptions.FlowOwned, two.claim, 'f')
        self.assertEqual('one', self.connection.get_flow_details('f').owner)

    def test_an_owner_without_a_row_is_silent(self) -> None:
        self.saved_book('f')
        one, two = self.process('one'), self.process('two')
        one.claim('f')
        with self.backend.engine.begin() as conn:
            conn.execute(sa.delete(schema.owners))
        self.assertEqual(2, self._wait_out(two, 'f').epoch)
        one.backend.claims.beat()
        self.assertEqual(['f'], one.told.losses)

    def test_who_lost_a_flow_hears_of_it_at_its_renewal(self) -> None:
        self.saved_book('f', 'g')
        one, two = self.process('one'), self.process('two')
        for name in ('f', 'g'):
            one.claim(name)
        self.assertTrue(one.backend.claims.may_speak())
        self.assertIsNotNone(self._wait_out(two, 'f'))
        one.backend.claims.beat()
        self.assertEqual(['f'], one.told.losses)
        self.assertTrue(one.backend.claims.may_speak())
        self.assertRaises(exceptions.FlowOwned, one.claim, 'g')

    def test_who_lost_a_flow_hears_of_it_before_it_may_speak_again(
        self,
    ) -> None:
        self.saved_book('f')
        one, two = self.process('one'), self.process('two')
        one.told.claims = one.backend.claims
        one.claim('f')
        self.assertIsNotNone(self._wait_out(two, 'f'))
        one.backend.claims.beat()
        self.assertEqual([False], one.told.spoke)
        self.assertTrue(one.backend.claims.may_speak())

    def test_until_it_has_verified_it_must_not_speak(self) -> None:
        self.saved_book('f')
        one, two = self.process('one'), self.process('two')
        one.claim('f')
        self.assertIsNotNone(self._wait_out(two, 'f'))
        registry = one.backend.claims._registry

        def away(owner: str) -> typing.NoReturn:
            raise exceptions.StorageOutage('away')

        registry.mine = away
        self.assertRaises(exceptions.StorageOutage, one.backend.claims.beat)
        self.assertFalse(one.backend.claims.may_speak())
        del registry.mine
        one.backend.claims.beat()
        self.assertTrue(one.backend.claims.may_speak())

    def test_who_slept_must_not_speak_before_its_next_renewal(self) -> None:
        self.saved_book('f')
        one = self.process('one')
        one.claim('f')
        self.assertTrue(one.backend.claims.may_speak())
        one.clock.suspend(LEASE)
        self.assertFalse(one.backend.claims.may_speak())
        one.backend.claims.beat()
        self.assertTrue(one.backend.claims.may_speak())

    def test_a_lease_that_was_not_renewed_is_not_good(self) -> None:
        self.saved_book('f')
        one = self.process('one')
        one.claim('f')
        registry = one.backend.claims._registry

        def away(*args: typing.Any) -> typing.NoReturn:
            raise exceptions.StorageOutage('away')

        registry.renew = away
        one.clock.advance(LEASE - 1)
        self.assertFalse(one.backend.claims.good())
        self.assertFalse(one.backend.claims.may_speak())
        one.backend.claims.forget(['f'])
        self.assertTrue(one.backend.claims.may_speak())

    def test_two_backends_of_a_process_do_not_take_from_each_other(
        self,
    ) -> None:
        self.saved_book('f')
        one, again = self.process('one'), self.process('one')
        one.claim('f')
        self.assertRaises(exceptions.FlowOwned, again.claim, 'f')
        again.close()
        self.assertEqual('one', self.connection.get_flow_details('f').owner)

    def test_a_claim_whose_answer_was_lost_is_made_again(self) -> None:
        self.saved_book('f')
        one = self.process('one')
        registry = one.backend.claims._registry
        take_free = registry.take_free

        def answer_lost(*args: typing.Any) -> typing.NoReturn:
            take_free(*args)
            raise exceptions.StorageOutage('the answer was lost')

        registry.take_free = answer_lost
        self.assertRaises(exceptions.StorageOutage, one.claim, 'f')
        self.assertEqual('one', self.connection.get_flow_details('f').owner)
        registry.take_free = take_free
        self.assertEqual(2, one.claim('f').epoch)

    def test_a_claim_waits_through_an_outage(self) -> None:
        self.saved_book('f')
        one = self.process('one')
        registry = one.backend.claims._registry
        renew = registry.renew

        def away(*args: typing.Any) -> typing.NoReturn:
            # Somebody has to move the clock of who waits.
            threading.Thread(
                target=lambda: (
                    one.clock.wait_for_waiters(2),
                    one.clock.advance(HEARTBEAT),
                )
            ).start()
            registry.renew = renew
            raise exceptions.StorageOutage('away')

        registry.renew = away
        self.assertEqual(1, one.backend.claim('f').epoch)

    def test_a_claim_that_was_rolled_back_is_made_again(self) -> None:
        # As on two nodes of a Galera cluster, of which one was first.
        if self.backend.engine.dialect.name == 'sqlite':
            self.skipTest('SQLite knows no deadlock at COMMIT')
        self.saved_book('f', 'g')
        one, two = self.process('one'), self.process('two')
        faults = Faults(one.backend.engine)
        one.claim('g')
        with faults.deadlocks(9):
            claim = one.claim('f')
        self.assertEqual((unit.Claim('f', 1, 0), 0), (claim, faults.left))
        faults = Faults(two.backend.engine)
        with faults.deadlocks(9):
            self.assertRaises(exceptions.FlowOwned, two.claim, 'f')

    def test_what_is_asked_reaches_the_driver_once(self) -> None:
        self.saved_book('f', 'g')
        one = self.process('one')
        one.claim('f')
        self.connection.ask('f', 'cancel')
        self.connection.ask('g', 'suspend')
        one.backend.claims.beat()
        one.backend.claims.beat()
        self.assertEqual([('f', 'cancel')], one.told.asks)
        one.writer.commit(
            [self.change('f', 0, epoch=1, ended_at=1.0, release=True)]
        )
        [flow] = self.connection.find_flows(name='f')
        self.assertIsNone(flow.asked)

    # A large database

    def _fill(self, number: int) -> None:
        """Store finished flows, a task each, by the shortest way."""
        with self.backend.engine.begin() as conn:
            conn.execute(
                sa.insert(schema.logbooks),
                [
                    {'uuid': f'b{at}', 'name': 'book', 'created_at': 1.0}
                    for at in range(number // 10)
                ],
            )
            for start in range(0, number, 1000):
                span = range(start, min(start + 1000, number))
                conn.execute(
                    sa.insert(schema.flows),
                    [
                        {
                            'uuid': f'f{at:07}',
                            'parent': f'b{at // 10}',
                            'name': f'flow {at % 100}',
                            'state': 'SUCCESS' if at % 10 else 'REVERTED',
                            'created_at': float(at),
                            'ended_at': float(at + 1),
                        }
                        for at in span
                    ],
                )
                conn.execute(
                    sa.insert(schema.atoms),
                    [
                        {
                            'flow_uuid': f'f{at:07}',
                            'uuid': f'a{at:07}',
                            'name': 'task',
                            'kind': 'TASK_DETAIL',
                            'state': 'SUCCESS',
                        }
                        for at in span
                    ],
                )

    def test_purging_goes_on_where_it_was(self) -> None:
        self._fill(250)
        self.saved_book('running')
        purge = self.backend.purge(150.0, ['SUCCESS'])
        self.assertEqual(100, next(purge))
        purge.close()
        left = sum(self.backend.purge(150.0, ['SUCCESS']))
        self.assertEqual(134, 100 + left)
        self.assertEqual(0, self.backend.count_ended(150.0, ['SUCCESS']))
        self.assertEqual(15, self.backend.count_ended(150.0))
        self.assertEqual(116, sum(self.backend.purge(1000.0)))
        self.assertEqual(
            ['running'], [each.uuid for each in self.connection.find_flows()]
        )
        with self.backend.engine.connect() as conn:
            count = sa.select(sa.func.count()).select_from(schema.atoms)
            self.assertEqual(0, conn.execute(count).scalar())

    def test_queries_use_indexes(self) -> None:
        self._fill(3000)
        with self.backend.engine.begin() as conn:
            analyze = {
                'mysql': 'ANALYZE TABLE tfs_flow_details, tfs_atom_details',
            }.get(conn.dialect.name, 'ANALYZE')
            conn.exec_driver_sql(analyze)
        with (
            statements(self.backend.engine) as seen,
            texts(self.backend.engine) as explained,
        ):
            self.connection.find_flows(limit=10)
            self.connection.find_flows(limit=10, marker='f0001500')
            self.connection.find_flows('REVERTED', limit=10)
            self.connection.find_flows(name='flow 7', limit=10)
            self.connection.find_flows(owner='x', limit=10)
            self.connection.find_flows(
                'SUCCESS', next_action_before=1.0, limit=10
            )
            self.connection.get_flow_details('f0001500')
            self.connection.get_atom_details('a0001500')
            next(self.backend.purge(100.0, ['SUCCESS']))
            next(self.backend.purge(200.0))
        self.assertTrue(seen)
        for statement, parameters in explained:
            if statement.startswith(('SELECT', 'DELETE', 'WITH')):
                self.assertEqual(
                    [], self._scans(statement, parameters), statement
                )

    def _scans(self, statement: str, parameters: typing.Any) -> list[str]:
        """Explain a statement; return the steps that read whole tables."""
        with self.backend.engine.connect() as conn:
            name = conn.dialect.name
            explain = 'EXPLAIN QUERY PLAN ' if name == 'sqlite' else 'EXPLAIN '
            rows = conn.exec_driver_sql(explain + statement, parameters)
            steps = [' '.join(map(str, row)) for row in rows]
            types = {
                'sqlite': ('SCAN tfs_',),
                'postgresql': ('Seq Scan on tfs_flow', 'Seq Scan on tfs_atom'),
                'mysql': (' ALL ',),
            }[name]
        return [
            step
            for step in steps
            if any(each in step for each in types)
            and 'USING INDEX' not in step
            and 'USING COVERING INDEX' not in step
            and 'tfs_logbooks' not in step
            and 'tfs_owners' not in step
        ]


@contextlib.contextmanager
def texts(engine: sa.Engine) -> Iterator[list[tuple[str, typing.Any]]]:
    """Note the statements that are executed, with their parameters."""
    seen: list[tuple[str, typing.Any]] = []

    def hook(conn, cursor, statement, parameters, context, many):  # type: ignore[no-untyped-def]
        seen.append((statement, parameters))

    event.listen(engine, 'before_cursor_execute', hook)
    try:
        yield seen
    finally:
        event.remove(engine, 'before_cursor_execute', hook)


def head() -> str:
    """Name the newest version of the schema."""
    return migration.head()
