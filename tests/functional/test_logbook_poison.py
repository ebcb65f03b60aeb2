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

"""A value that was accepted here and that the database refuses.

The databases refuse by a constraint of their own, which a test puts there.
"""

from __future__ import annotations

import contextlib
import threading
import time
import typing

import fixtures
from oslo_config import cfg
from oslotest import base

from taskflow_service import conf as service_conf
from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import identity
from taskflow_service import retry
from taskflow_service import task
from taskflow_service.engines import adoption
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow
from taskflow_service.persistence import backends
from taskflow_service.persistence import models
from taskflow_service.types import notifier
from tests import remote
from tests import servers
from tests.unit.engines import hands

PATIENCE = 60
FLOWS = 30
#: Seconds until a revert is tried again.
LATER = 0.5
POISON = 'arsenic'
#: A task's name: the failure that replaces its value has it as well.
STRONG = f'vial-of-{POISON}'


class Say(task.Task):
    """Returns a value; takes note of what it does."""

    def __init__(
        self,
        name: str,
        done: list[str],
        value: typing.Any = 'good',
        undo: typing.Any = None,
        **kwargs: typing.Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self._done = done
        self._value = value
        self._undo = undo

    def execute(self) -> typing.Any:
        self._done.append(self.name)
        if isinstance(self._value, Exception):
            raise self._value
        return self._value

    def revert(self, **kwargs: typing.Any) -> typing.Any:
        self._done.append(f'-{self.name}')
        return self._undo


class Waits(Say):
    """Ends when it is let go."""

    def __init__(self, *args: typing.Any, **kwargs: typing.Any) -> None:
        super().__init__(*args, **kwargs)
        self.go = threading.Event()

    def execute(self) -> typing.Any:
        self.go.wait(PATIENCE)
        return super().execute()


class Poisoned(retry.Times):
    """A retry whose first value the database does not take."""

    def execute(self, history: typing.Any, **kwargs: typing.Any) -> typing.Any:
        return POISON


class Hurried(retry.Backoff):
    """Waits longer when it is asked again; takes note of what it is asked."""

    asked: typing.ClassVar[list[int]] = []

    def delay_for(self, try_number: int, rng: typing.Any) -> float:
        self.asked.append(try_number)
        return 0.05 if len(self.asked) == 1 else LATER


class Undone(Say):
    """Cannot be undone at first, for a reason that is refused."""

    def __init__(self, *args: typing.Any, **kwargs: typing.Any) -> None:
        super().__init__(*args, **kwargs)
        self.at: list[float] = []

    def revert(self, **kwargs: typing.Any) -> typing.Any:
        self.at.append(time.monotonic())
        if len(self.at) == 1:
            raise ValueError(POISON)
        return super().revert()


class PoisonSuite:
    """The cases; ``make_url`` makes a database, ``refuse`` is its SQL."""

    refuse: typing.ClassVar[tuple[str, ...]]

    def make_url(self) -> str:
        """Make an empty database."""
        raise NotImplementedError

    def setUp(self) -> None:
        super().setUp()  # type: ignore[misc]
        self.backend = backends.fetch(self.make_url())
        self.addCleanup(self.backend.close)
        self.connection = self.backend.get_connection()
        self.connection.upgrade()
        with self.backend.engine.begin() as conn:
            for statement in self.refuse:
                conn.exec_driver_sql(statement)
        self.loop = engines.Loop()
        self.addCleanup(self.loop.close)
        self.done: list[str] = []

    def _engines(
        self, flows: typing.Iterable[typing.Any], **options: typing.Any
    ) -> list[typing.Any]:
        book = models.LogBook('book')
        flows = list(flows)
        details = [models.FlowDetail(flow.name) for flow in flows]
        for detail in details:
            book.add(detail)
        self.connection.save_logbook(book)
        return [
            engines.load(
                flow, flow_detail=detail, backend=self.backend, **options
            )
            for flow, detail in zip(flows, details, strict=True)
        ]

    def _engine(self, flow: typing.Any, **options: typing.Any) -> typing.Any:
        return self._engines([flow], **options)[0]

    def _stored(self, engine: typing.Any) -> tuple[str, dict[str, str]]:
        flow = self.connection.get_flow_details(engine.storage.flow_uuid)
        self.assertIsNone(flow.owner)
        return flow.state, {atom.name: atom.state for atom in flow}

    def test_its_flow_reverts_and_the_others_do_not_notice(self) -> None:
        made = self._engines(
            linear_flow.Flow(f'f{number}').add(
                Say('a', self.done),
                Say('b', self.done, POISON if number == 7 else 'good'),
                Say('c', self.done),
            )
            for number in range(FLOWS)
        )
        futures = [self.loop.submit(engine) for engine in made]
        for number, future in enumerate(futures):
            if number != 7:
                future.result(PATIENCE)
        error = self.assertRaises(
            exceptions.StorageFailure, futures[7].result, PATIENCE
        )
        for part in ("'b'", 'result', 'type str', 'bytes'):
            self.assertIn(part, str(error))
        # PostgreSQL would show the row.
        self.assertNotIn(POISON, str(error))
        self.assertEqual(
            ('REVERTED', dict.fromkeys('abc', 'REVERTED') | {'c': 'PENDING'}),
            self._stored(made[7]),
        )
        self.assertEqual(
            [FLOWS, FLOWS, FLOWS - 1, 1, 1],
            [self.done.count(each) for each in ('a', 'b', 'c', '-b', '-a')],
        )
        self.assertEqual(
            {'SUCCESS': FLOWS - 1, 'REVERTED': 1},
            {
                state: len(self.connection.find_flows(state))
                for state in ('SUCCESS', 'REVERTED')
            },
        )

    def test_a_revert_that_failed_counts_once(self) -> None:
        Hurried.asked.clear()
        undone = Undone('undone', self.done)
        undone.revert_backoff = Hurried(delay=1)
        engine = self._engine(
            linear_flow.Flow('f').add(
                undone, Say('fails', self.done, ValueError('broke'))
            )
        )
        future = self.loop.submit(engine)
        self.assertRaises(ValueError, future.result, PATIENCE)
        self.assertEqual('REVERTED', self._stored(engine)[0])
        # Its failure was taken twice: as it was, and as what replaced it.
        self.assertEqual([1, 1], Hurried.asked)
        first, second = undone.at
        self.assertLessEqual(LATER, second - first)

    def test_what_runs_beside_it_goes_on(self) -> None:
        waits = Waits('waits', self.done)
        flow = unordered_flow.Flow('f').add(
            waits, Say('poison', self.done, POISON)
        )
        engine = self._engine(flow, engine='parallel')

        def heard(state: str, details: typing.Any) -> None:
            if details.get('task_name') == 'poison' and state == 'FAILURE':
                waits.go.set()

        engine.atom_notifier.register(notifier.Notifier.ANY, heard)
        future = self.loop.submit(engine)
        self.assertRaises(exceptions.ValueNotStorable, future.result, PATIENCE)
        self.assertEqual(1, self.done.count('waits'))
        self.assertEqual(1, self.done.count('-waits'))
        self.assertEqual('REVERTED', self._stored(engine)[0])

    def test_a_retry_has_its_say(self) -> None:
        values = iter([POISON, 'good'])

        class Changes(Say):
            def execute(self) -> typing.Any:
                super().execute()
                return next(values)

        flow = linear_flow.Flow('f', retry.Times(2, 'r')).add(
            Say('a', self.done), Changes('b', self.done)
        )
        engine = self._engine(flow)
        engine.run()
        self.assertEqual(
            ['a', 'b', '-b', '-a', 'a', 'b'],
            self.done,
        )
        self.assertEqual('SUCCESS', self._stored(engine)[0])
        history = engine.storage.get_retry_history('r')
        self.assertEqual(2, len(list(history)))
        tried = list(history)[0][1]
        self.assertEqual(['b'], list(tried))
        self.assertIsNotNone(tried['b'].check(exceptions.ValueNotStorable))

    def test_the_exception_of_a_task(self) -> None:
        flow = linear_flow.Flow('f').add(
            Say('a', self.done), Say('b', self.done, ValueError(POISON))
        )
        engine = self._engine(flow)
        error = self.assertRaises(exceptions.ValueNotStorable, engine.run)
        self.assertEqual(('b', 'failure'), (error.task, error.key))
        self.assertEqual(['a', 'b', '-b', '-a'], self.done)
        self.assertEqual('REVERTED', self._stored(engine)[0])

    def test_the_result_of_a_revert(self) -> None:
        flow = linear_flow.Flow('f').add(
            Say('a', self.done, undo=POISON),
            Say('b', self.done, ValueError('boom')),
        )
        engine = self._engine(flow)
        error = self.assertRaises(exceptions.ValueNotStorable, engine.run)
        self.assertEqual(('a', 'revert result'), (error.task, error.key))
        self.assertEqual(
            ('FAILURE', {'a': 'REVERT_FAILURE', 'b': 'REVERTED'}),
            self._stored(engine),
        )

    def test_the_value_of_a_retry(self) -> None:
        flow = linear_flow.Flow('f').add(
            Say('a', self.done),
            linear_flow.Flow('inner', Poisoned(3, 'r')).add(
                Say('b', self.done)
            ),
        )
        engine = self._engine(flow)
        error = self.assertRaises(exceptions.ValueNotStorable, engine.run)
        self.assertEqual('r', error.task)
        self.assertEqual(['a', '-a'], self.done)
        self.assertEqual('REVERTED', self._stored(engine)[0])

    def test_a_result_and_the_value_of_a_retry_in_one_turn(self) -> None:
        def script(hand: hands.ByHand) -> typing.Iterator[None]:
            hand.end('x', value=POISON)
            hand.end('y', value='good')
            yield
            while hand.running:
                hand.perform(next(iter(hand.running)))
                yield

        flow = unordered_flow.Flow('f').add(
            linear_flow.Flow('left', retry.Times(2, 'again')).add(
                Say('x', self.done)
            ),
            linear_flow.Flow('right').add(
                Say('y', self.done),
                linear_flow.Flow('inner', Poisoned(3, 'r')).add(
                    Say('z', self.done)
                ),
            ),
        )
        engine = self._engine(
            flow, engine='parallel', executor=hands.ByHand(script)
        )
        error = self.assertRaises(exceptions.WrappedFailure, engine.run)
        refused = [each.exception for each in error]
        self.assertEqual({'x', 'r'}, {each.task for each in refused})
        self.assertEqual('REVERTED', self._stored(engine)[0])

    def test_progress_that_is_refused_costs_no_result(self) -> None:
        class Tells(Say):
            def execute(self) -> typing.Any:
                details = {'progress': 0.5, 'what': POISON}
                self.notifier.notify(task.EVENT_UPDATE_PROGRESS, details)
                return super().execute()

        log = self.useFixture(fixtures.FakeLogger())  # type: ignore[attr-defined]
        engine = self._engine(Tells('a', self.done))
        engine.run()
        self.assertEqual(['a'], self.done)
        self.assertIn('Progress of flow', log.output)
        self.assertEqual(('SUCCESS', {'a': 'SUCCESS'}), self._stored(engine))

    def test_a_failure_that_is_refused_as_well(self) -> None:
        # The name of the task is in the text of whatever failure it has.
        flow = linear_flow.Flow('f').add(
            Say('a', self.done), Say(STRONG, self.done, POISON)
        )
        engine = self._engine(flow)
        error = self.assertRaises(exceptions.StorageFailure, engine.run)
        self.assertIn(engine.storage.flow_uuid, str(error))
        state, atoms = self._stored(engine)
        self.assertEqual('RUNNING', state)
        self.assertEqual({'a': 'SUCCESS', STRONG: 'RUNNING'}, atoms)
        self.assertEqual(['a', STRONG], self.done)

    def test_who_is_cancelled_meanwhile_stays_so(self) -> None:
        class Cancels(Say):
            def execute(self) -> typing.Any:
                engine.cancel()
                return super().execute()

        flow = linear_flow.Flow('f').add(
            Say('a', self.done), Cancels('b', self.done, POISON)
        )
        engine = self._engine(flow)
        self.assertRaises(exceptions.Cancelled, engine.run)
        self.assertEqual('REVERTED', self._stored(engine)[0])

    def test_who_is_suspended_meanwhile_stays_so(self) -> None:
        class Suspends(Say):
            def execute(self) -> typing.Any:
                engine.suspend()
                return super().execute()

        flow = linear_flow.Flow('f').add(
            Say('a', self.done), Suspends('b', self.done, POISON)
        )
        engine = self._engine(flow)
        engine.run()
        self.assertEqual(
            ('SUSPENDED', {'a': 'SUCCESS', 'b': 'FAILURE'}),
            self._stored(engine),
        )
        self.assertRaises(exceptions.ValueNotStorable, engine.run)
        self.assertEqual('REVERTED', self._stored(engine)[0])

    def test_what_is_told_when_committed_is_what_was(self) -> None:
        told: list[str] = []
        flow = linear_flow.Flow('f').add(
            Say('a', self.done), Say('b', self.done, POISON)
        )
        engine = self._engine(flow)
        engine.commit_notifier.register(
            notifier.Notifier.ANY,
            lambda state, details: told.extend(
                f'{each.name} {each.state}' for each in details['transitions']
            ),
        )
        with contextlib.suppress(exceptions.ValueNotStorable):
            engine.run()
        self.assertNotIn('b SUCCESS', told)
        self.assertIn('b FAILURE', told)


class Elsewhere(task.Task):
    """Runs on a worker in this process; the poison does not wait."""

    def __init__(self, name: str) -> None:
        super().__init__(name)

    def execute(self) -> str:
        remote.notes.add(('execute', self.name))
        if self.name == 'poison':
            return POISON
        remote.notes.go_on.wait(PATIENCE)
        return 'good'

    def revert(self, **kwargs: typing.Any) -> None:
        remote.notes.add(('revert', self.name))


def deadly() -> linear_flow.Flow:
    """Make a flow whose value and failure are refused, wherever it runs."""
    return linear_flow.Flow('deadly').add(
        task.FunctorTask(lambda: POISON, name=STRONG)
    )


_COLUMNS = ('results', 'failure', 'revert_results', 'revert_failure', 'meta')


def _check(table: str, *columns: str) -> str:
    unlike = ' AND '.join(
        f"({each} IS NULL OR {each} NOT LIKE '%%{POISON}%%')"
        for each in columns
    )
    return f'ALTER TABLE {table} ADD CONSTRAINT no_{table} CHECK ({unlike})'


class SQLiteTest(PoisonSuite, base.BaseTestCase):
    refuse = tuple(
        f'CREATE TRIGGER no_{table}_{event} BEFORE {event} ON {table} '
        f"WHEN new.{column} LIKE '%{POISON}%' "
        "BEGIN SELECT RAISE(ABORT, 'no poison here'); END".replace(
            f'no_{table}', f'no_{table}_{column}'
        )
        for table, columns in (
            ('tfs_atom_details', _COLUMNS),
            ('tfs_tries', ('value',)),
        )
        for column in columns
        for event in ('INSERT', 'UPDATE')
    )

    def make_url(self) -> str:
        directory = self.useFixture(fixtures.TempDir()).path
        return f'sqlite:///{directory}/logbook.sqlite'

    def test_what_runs_on_a_worker_goes_on(self) -> None:
        bus = self.useFixture(remote.Bus())
        notes = remote.new_notes()
        bus.worker(Elsewhere)
        flow = unordered_flow.Flow('f').add(
            Elsewhere('waits'), Elsewhere('poison')
        )
        engine = self._engine(flow, engine='workers', conf=bus.conf)

        def heard(state: str, details: typing.Any) -> None:
            if details.get('task_name') == 'poison' and state == 'FAILURE':
                notes.go_on.set()

        engine.atom_notifier.register(notifier.Notifier.ANY, heard)
        self.assertRaises(exceptions.ValueNotStorable, engine.run)
        self.assertEqual(
            {('execute', 'waits'), ('execute', 'poison')}
            | {('revert', 'waits'), ('revert', 'poison')},
            set(notes.lines),
        )
        self.assertEqual(4, len(notes.lines))
        self.assertEqual('REVERTED', self._stored(engine)[0])

    def test_who_adopts_gives_it_up(self) -> None:
        # Else its task would be done again at each sweep.
        conf = self._conf()
        ended = threading.Event()
        engine = engines.load_from_factory(
            deadly, backend=backends.from_conf(conf), conf=conf
        )
        self.assertRaises(exceptions.StorageFailure, engine.run)
        self.loop.conf = conf
        sweeper = adoption.Sweeper(self.loop, conf)
        sweeper._backend.watch_owners()
        report = sweeper._report

        def reported(*args: typing.Any) -> None:
            report(*args)
            ended.set()

        sweeper._report = reported
        self.assertEqual(1, sweeper.sweep())
        self.assertTrue(ended.wait(PATIENCE))
        self.assertEqual(0, sweeper.sweep())

    def _conf(self) -> cfg.ConfigOpts:
        conf = cfg.ConfigOpts()
        service_conf.register_opts(conf)
        conf([], default_config_files=[], default_config_dirs=[])
        url = self.backend.engine.url
        for name, value, group in (
            ('state_path', self.useFixture(fixtures.TempDir()).path, None),
            ('connection', f'sqlite:///{url.database}', 'database'),
            ('backend', 'sqlalchemy', 'persistence'),
            ('allowed_modules', ['tests.functional'], 'serialization'),
        ):
            conf.set_override(name, value, group)
        self.addCleanup(identity.forget, conf)
        backend = backends.from_conf(conf)
        self.addCleanup(backend.close)
        return conf


class PostgreSQLTest(PoisonSuite, base.BaseTestCase):
    refuse = (
        _check('tfs_atom_details', *_COLUMNS),
        _check('tfs_tries', 'value'),
    )

    def make_url(self) -> str:
        return self.useFixture(servers.PostgreSQL()).url


class MariaDBTest(PoisonSuite, base.BaseTestCase):
    refuse = PostgreSQLTest.refuse

    def make_url(self) -> str:
        return self.useFixture(servers.MariaDB()).url
