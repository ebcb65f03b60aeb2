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


"""What every persistence backend does, whichever it is.

A test class mixes :class:`BackendSuite` in, beside
``oslotest.base.BaseTestCase``, and gives ``make_backend``; what only a
database can show is in :class:`DatabaseSuite`.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import math
import time
import typing
import uuid

from taskflow_service import exceptions
from taskflow_service.persistence import base
from taskflow_service.persistence import models
from taskflow_service.persistence import queries
from taskflow_service.persistence import rows
from taskflow_service.persistence import unit
from taskflow_service.types import failure
from tests.conformance import delays


class Color(enum.Enum):
    """An enumeration that can be found by its path."""

    RED = 1


def values() -> list[typing.Any]:
    """Values that JSON alone would not bring back."""
    return [
        (1, ('a', [2])),
        {1: 'x', (2, 3): 'y', None: 0},
        {1, 2},
        frozenset(['a']),
        b'\x00\xff',
        datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.UTC),
        uuid.UUID(int=7),
        decimal.Decimal('1.10'),
        Color.RED,
        math.inf,
        -math.inf,
        'NUL \x00, a lone surrogate \ud800, \U0001f600, "quotes" \\ %s %(x)s',
        2**70,
        [],
        {},
        '',
        0,
        False,
    ]


def atom(
    flow_uuid: str,
    name: str,
    state: str,
    pack: typing.Callable[[typing.Any], typing.Any],
    **fields: typing.Any,
) -> unit.AtomRow:
    """Make the row of a task."""
    detail = models.TaskDetail(name, f'{flow_uuid}-{name}')
    detail.state = state
    for field, value in fields.items():
        setattr(detail, field, value)
    return rows.atom_row(flow_uuid, detail, pack)


class BackendSuite(delays.DelaySuite):
    """The cases."""

    def make_backend(self) -> base.Backend:
        """Make an empty backend whose schema is there."""
        raise NotImplementedError

    def setUp(self) -> None:
        super().setUp()  # type: ignore[misc]
        self.backend = self.make_backend()
        self.addCleanup(self.backend.close)
        self.connection = self.backend.get_connection()
        self.addCleanup(self.connection.close)
        self.connection.upgrade()
        self.connection.validate()

    def saved_book(self, *names: str) -> models.LogBook:
        """Save a book with a flow for each name, which is its uuid too."""
        book = models.LogBook('book')
        for name in names:
            book.add(models.FlowDetail(name, name))
        return self.connection.save_logbook(book)

    def writer(self) -> base.Writer:
        """Open a writer."""
        writer = self.backend.open_writer()
        self.addCleanup(writer.close)
        return writer

    # Books, flows, atoms

    def test_a_book_comes_back_with_all_it_holds(self) -> None:
        book = models.LogBook('book')
        book.meta = {'who': 'me'}
        for name in ('one', 'two', 'three'):
            flow = models.FlowDetail(name)
            flow.meta = {'of': name}
            for task in ('b', 'a', 'c'):
                flow.add(models.TaskDetail(task))
            book.add(flow)
        self.assertIs(book, self.connection.save_logbook(book))
        read = self.connection.get_logbook(book.uuid)
        self.assertEqual(
            ('book', {'who': 'me'}, book.created_at),
            (read.name, read.meta, read.created_at),
        )
        self.assertEqual(['one', 'two', 'three'], [flow.name for flow in read])
        for flow in read:
            self.assertEqual({'of': flow.name}, flow.meta)
            self.assertEqual(['b', 'a', 'c'], [each.name for each in flow])

    def test_lazy_leaves_out_what_is_below(self) -> None:
        book = self.saved_book('f')
        flow = book.find('f')
        flow.add(models.TaskDetail('t', 't'))
        self.connection.update_flow_details(flow)
        self.assertEqual(
            0, len(self.connection.get_logbook(book.uuid, lazy=True))
        )
        self.assertEqual(
            0, len(self.connection.get_flow_details('f', lazy=True))
        )
        self.assertEqual(
            [0],
            [len(each) for each in self.connection.get_logbooks(lazy=True)],
        )
        self.assertEqual(
            [1], [len(each) for each in self.connection.get_logbooks()]
        )

    def test_what_is_not_there(self) -> None:
        for call, argument in (
            (self.connection.get_logbook, 'x'),
            (self.connection.get_flow_details, 'x'),
            (self.connection.get_atom_details, 'x'),
            (self.connection.destroy_logbook, 'x'),
            (
                self.connection.update_atom_details,
                models.TaskDetail('x', 'x'),
            ),
            (
                self.connection.update_flow_details,
                models.FlowDetail('x', 'x'),
            ),
        ):
            error = self.assertRaises(exceptions.NotFound, call, argument)
            self.assertIn("'x'", str(error))

    def test_saving_again_updates_and_adds(self) -> None:
        book = self.saved_book('f')
        other = models.LogBook('book', book.uuid)
        other.meta = {'new': True}
        other.add(models.FlowDetail('g', 'g'))
        saved = self.connection.save_logbook(other)
        self.assertEqual({'f', 'g'}, {flow.uuid for flow in saved})
        read = self.connection.get_logbook(book.uuid)
        self.assertEqual({'f', 'g'}, {flow.uuid for flow in read})
        self.assertEqual({'new': True}, read.meta)

    def test_a_flow_and_its_atoms_are_updated(self) -> None:
        flow = self.saved_book('f').find('f')
        task = models.TaskDetail('t', 't')
        flow.add(task)
        flow.state = 'RUNNING'
        flow.meta = {'a': 1}
        self.connection.update_flow_details(flow)
        task.put('SUCCESS', [1])
        self.connection.update_atom_details(task)
        read = self.connection.get_flow_details('f')
        self.assertEqual(('RUNNING', {'a': 1}), (read.state, read.meta))
        self.assertEqual('SUCCESS', read.find('t').state)
        self.assertEqual([1], self.connection.get_atom_details('t').results)

    def test_everything_an_atom_has_comes_back(self) -> None:
        flow = self.saved_book('f').find('f')
        task = models.TaskDetail('t', 't')
        fields = {
            'state': 'RUNNING',
            'intention': 'REVERT',
            'version': '1.2',
            'meta': {'k': (1,)},
            'revert_results': [None],
            'attempt': 3,
            'losses': 1,
            'direction': 'execute',
            'request_uuid': 'r',
            'worker': 'host.1',
            'incarnation': 'i',
            'start_by': 1795516546.4942176,
            'finish_by': 2.5,
            'not_before': 3.5,
            'started_at': 4.5,
            'finished_at': 5.5,
            'seq': 7,
        }
        for field, value in fields.items():
            setattr(task, field, value)
        flow.add(task)
        self.connection.update_flow_details(flow)
        read = self.connection.get_atom_details('t')
        self.assertEqual(
            fields, {field: getattr(read, field) for field in fields}
        )

    def test_values_come_back_equal_and_of_their_type(self) -> None:
        flow = self.saved_book('f').find('f')
        for number, value in enumerate(values()):
            task = models.TaskDetail(f't{number}', f't{number}')
            task.results = task.revert_results = value
            task.meta = {'value': value}
            flow.add(task)
        self.connection.update_flow_details(flow)
        for number, value in enumerate(values()):
            read = self.connection.get_atom_details(f't{number}')
            for back in (
                read.results,
                read.revert_results,
                read.meta['value'],
            ):
                self.assertEqual(value, back)
                self.assertIs(type(value), type(back))

    def test_what_is_no_number_comes_back(self) -> None:
        flow = self.saved_book('f').find('f')
        task = models.TaskDetail('t', 't')
        task.results = [math.nan]
        flow.add(task)
        self.connection.update_flow_details(flow)
        [back] = self.connection.get_atom_details('t').results
        self.assertTrue(math.isnan(back))

    def test_failures_come_back(self) -> None:
        flow = self.saved_book('f').find('f')
        task = models.TaskDetail('t', 't')
        flow.add(task)
        try:
            raise KeyError('a', 2)
        except KeyError:
            task.put('FAILURE', failure.Failure())
        self.connection.update_flow_details(flow)
        back = self.connection.get_atom_details('t').failure
        self.assertTrue(back.matches(task.failure))
        self.assertEqual(('a', 2), back.exception_args)
        self.assertIn('raise KeyError', back.traceback_str)
        self.assertRaises(KeyError, back.reraise)

    def test_the_history_of_a_retry_comes_back(self) -> None:
        flow = self.saved_book('f').find('f')
        retry = models.RetryDetail('r', 'r')
        boom = failure.Failure.from_exception(ValueError('boom'))
        retry.results = [(None, {'t': boom}), ((2,), {})]
        flow.add(retry)
        self.connection.update_flow_details(flow)
        read = self.connection.get_atom_details('r')
        self.assertIsInstance(read, models.RetryDetail)
        self.assertEqual([None, (2,)], [value for value, _ in read.results])
        self.assertEqual({}, read.last_failures)
        self.assertTrue(read.results[0][1]['t'].matches(boom))
        retry.results = [(3, {})]
        self.connection.update_atom_details(retry)
        self.assertEqual(
            [(3, {})], self.connection.get_atom_details('r').results
        )

    def test_destroying_takes_all_along_and_nothing_else(self) -> None:
        kept = self.saved_book('kept')
        book = self.saved_book('f')
        flow = book.find('f')
        flow.add(models.TaskDetail('t', 't'))
        flow.add(models.RetryDetail('r', 'r'))
        self.connection.update_flow_details(flow)
        self.connection.destroy_logbook(book.uuid)
        for call, gone in (
            (self.connection.get_logbook, book.uuid),
            (self.connection.get_flow_details, 'f'),
            (self.connection.get_atom_details, 't'),
            (self.connection.get_atom_details, 'r'),
        ):
            self.assertRaises(exceptions.NotFound, call, gone)
        self.assertEqual(
            [kept.uuid], [each.uuid for each in self.connection.get_logbooks()]
        )
        self.connection.clear_all()
        self.assertEqual([], list(self.connection.get_logbooks()))

    def test_more_than_a_page_of_flows(self) -> None:
        names = [f'f{number:03}' for number in range(250)]
        book = self.saved_book(*names)
        self.assertEqual(
            names,
            [
                each.uuid
                for each in self.connection.get_flows_for_book(book.uuid)
            ],
        )

    # Looking in

    def test_flows_are_found_by_page(self) -> None:
        names = [f'f{number}' for number in range(7)]
        self.saved_book(*names)
        found: list[str] = []
        marker = None
        while page := self.connection.find_flows(limit=3, marker=marker):
            self.assertLessEqual(len(page), 3)
            found += [each.uuid for each in page]
            marker = page[-1].uuid
        self.assertEqual(names[::-1], found)
        self.assertEqual(
            names,
            [
                each.uuid
                for each in self.connection.find_flows(oldest_first=True)
            ],
        )
        self.assertEqual([], self.connection.find_flows(marker='unknown'))

    def test_flows_are_found_by_what_they_are(self) -> None:
        book = self.saved_book('f', 'g')
        other = self.saved_book('h')
        for name, state in (('f', 'RUNNING'), ('h', 'SUCCESS')):
            flow = self.connection.get_flow_details(name)
            flow.state = state
            self.connection.update_flow_details(flow)

        def found(*args: typing.Any, **kwargs: typing.Any) -> set[str]:
            return {
                each.uuid
                for each in self.connection.find_flows(*args, **kwargs)
            }

        self.assertEqual({'f'}, found('RUNNING'))
        self.assertEqual({'f', 'h'}, found(['RUNNING', 'SUCCESS']))
        self.assertEqual({'g'}, found(name='g'))
        self.assertEqual({'h'}, found(book_uuid=other.uuid))
        self.assertEqual({'f'}, found('RUNNING', book_uuid=book.uuid))
        times = {
            flow.uuid: flow.created_at for flow in self.connection.find_flows()
        }
        self.assertEqual(
            {name for name, when in times.items() if when < times['h']},
            found(created_before=times['h']),
        )
        self.assertEqual(
            {name for name, when in times.items() if when > times['f']},
            found(created_after=times['f']),
        )
        self.assertEqual(set(), found(ended_before=time.time() + 1))
        self.assertEqual({'f', 'g', 'h'}, found(owned=False))
        self.assertEqual(set(), found(owner='x'))
        self.assertRaises(ValueError, found, limit=0)
        self.assertRaises(TypeError, found, nonsense=1)

    def test_atoms_are_found(self) -> None:
        flow = self.saved_book('f', 'g').find('f')
        for number in range(5):
            task = models.TaskDetail(f't{number}', f't{number}')
            task.state = 'RUNNING' if number % 2 else 'PENDING'
            task.worker = f'w{number}'
            flow.add(task)
        self.connection.update_flow_details(flow)

        def found(*args: typing.Any, **kwargs: typing.Any) -> list[str]:
            return [
                each.uuid
                for each in self.connection.find_atoms(*args, **kwargs)
            ]

        self.assertEqual(['t1', 't3'], found('RUNNING', flow_uuid='f'))
        self.assertEqual(['t0', 't1'], found(flow_uuid='f', limit=2))
        self.assertEqual(
            ['t2', 't3'], found(flow_uuid='f', limit=2, marker='t1')
        )
        self.assertEqual(['t4'], found(name='t4'))
        self.assertEqual(['t2'], found(worker='w2'))
        self.assertEqual([], found(flow_uuid='g'))


class RowsSuite(BackendSuite):
    """What backends do that write rows: all but kept objects."""

    def change(
        self,
        flow_uuid: str,
        turn: int,
        epoch: int = 0,
        **fields: typing.Any,
    ) -> unit.FlowChange:
        """Make a change that leaves the next turn."""
        fields.setdefault('new_turn', turn + 1)
        fields.setdefault('state', 'RUNNING')
        return unit.FlowChange(
            flow_uuid=flow_uuid, epoch=epoch, turn=turn, **fields
        )

    def row(
        self, flow_uuid: str, name: str, **fields: typing.Any
    ) -> unit.AtomRow:
        """Make a task's row."""
        return atom(flow_uuid, name, 'RUNNING', self.backend.pack, **fields)

    def test_what_is_stored_cannot_be_changed_from_outside(self) -> None:
        flow = self.saved_book('f').find('f')
        task = models.TaskDetail('t', 't')
        result = [1]
        task.put('SUCCESS', result)
        flow.add(task)
        self.connection.update_flow_details(flow)
        result.append(2)
        read = self.connection.get_atom_details('t')
        self.assertEqual([1], read.results)
        read.results.append(3)
        self.assertEqual([1], self.connection.get_atom_details('t').results)

    def test_a_unit_is_written(self) -> None:
        self.saved_book('f', 'g')
        pack = self.backend.pack
        committed = self.writer().commit(
            [
                self.change(
                    'f',
                    0,
                    meta=pack({'m': (1,)}),
                    deadline=1.5,
                    next_action_at=2.5,
                    atoms=[self.row('f', 'a'), self.row('f', 'b')],
                ),
                self.change('g', 0, state='SUCCESS', ended_at=3.5),
            ]
        )
        self.assertEqual(unit.Committed(), committed)
        flow = self.connection.get_flow_details('f')
        self.assertEqual(
            ('RUNNING', {'m': (1,)}, 1, 1.5, 2.5, ['a', 'b']),
            (
                flow.state,
                flow.meta,
                flow.turn,
                flow.deadline,
                flow.next_action_at,
                [each.name for each in flow],
            ),
        )
        flow = self.connection.get_flow_details('g')
        self.assertEqual(('SUCCESS', 3.5), (flow.state, flow.ended_at))

    def test_atoms_are_rewritten_and_meta_is_left(self) -> None:
        self.saved_book('f')
        writer = self.writer()
        pack = self.backend.pack
        writer.commit(
            [
                self.change(
                    'f', 0, meta=pack({'m': 1}), atoms=[self.row('f', 'a')]
                )
            ]
        )
        done = atom('f', 'a', 'SUCCESS', pack, results=(1,), seq=1)
        writer.commit([self.change('f', 1, atoms=[done])])
        flow = self.connection.get_flow_details('f')
        self.assertEqual({'m': 1}, flow.meta)
        task = flow.find('f-a')
        self.assertEqual(
            ('SUCCESS', (1,), 1), (task.state, task.results, task.seq)
        )

    def test_tries_are_added_ended_and_forgotten(self) -> None:
        self.saved_book('f')
        writer = self.writer()
        pack = self.backend.pack
        retry = models.RetryDetail('r', 'r')
        retry.results = [(1, {})]
        row = rows.atom_row('f', retry, pack)

        def tries() -> list[typing.Any]:
            return [
                (value, sorted(failures))
                for value, failures in self.connection.get_atom_details(
                    'r'
                ).results
            ]

        writer.commit(
            [
                self.change(
                    'f', 0, atoms=[row], tries=rows.try_rows(retry, pack)
                )
            ]
        )
        self.assertEqual([(1, [])], tries())
        boom = failure.Failure.from_exception(ValueError('boom'))
        retry.results = [(1, {'t': boom}), (2, {})]
        writer.commit([self.change('f', 1, tries=rows.try_rows(retry, pack))])
        self.assertEqual([(1, ['t']), (2, [])], tries())
        retry.results = [(3, {})]
        writer.commit(
            [
                self.change(
                    'f',
                    2,
                    forget_tries=['r'],
                    tries=rows.try_rows(retry, pack),
                )
            ]
        )
        self.assertEqual([(3, [])], tries())

    def test_a_unit_of_very_many_rows(self) -> None:
        self.saved_book('f', 'g')
        names = [f't{number:04}' for number in range(2100)]
        writer = self.writer()
        for turn in (0, 1):
            committed = writer.commit(
                [
                    self.change(
                        'f',
                        turn,
                        atoms=[
                            self.row('f', name, attempt=turn) for name in names
                        ],
                    ),
                    self.change('g', turn, atoms=[self.row('g', 'only')]),
                ]
            )
            self.assertEqual(unit.Committed(), committed)
        read = self.connection.get_flow_details('f')
        self.assertEqual(
            [(name, 1) for name in names],
            [(each.name, each.attempt) for each in read],
        )

    def test_a_flow_that_is_gone_is_lost_and_the_others_are_not(self) -> None:
        book = self.saved_book('f')
        self.saved_book('g')
        writer = self.writer()
        self.connection.destroy_logbook(book.uuid)
        committed = writer.commit(
            [
                self.change('f', 0, atoms=[self.row('f', 'a')]),
                self.change('g', 0, atoms=[self.row('g', 'a')]),
            ]
        )
        self.assertEqual(frozenset('f'), committed.lost)
        self.assertEqual({}, committed.refused)
        self.assertEqual(
            'RUNNING', self.connection.get_flow_details('g').state
        )
        self.assertEqual([], self.connection.find_atoms(flow_uuid='f'))

    def test_asking(self) -> None:
        self.saved_book('f', 'g')
        self.connection.ask('f', 'cancel')
        self.assertEqual(
            {'f': 'cancel', 'g': None},
            {each.uuid: each.asked for each in self.connection.find_flows()},
        )
        self.assertRaises(ValueError, self.connection.ask, 'f', 'nonsense')
        self.assertRaises(
            exceptions.NotFound, self.connection.ask, 'x', 'cancel'
        )
        self.writer().commit(
            [self.change('g', 0, state='SUCCESS', ended_at=time.time())]
        )
        self.assertRaises(
            exceptions.InvalidState, self.connection.ask, 'g', 'cancel'
        )

    def test_late_outcomes(self) -> None:
        self.saved_book('f')
        self.writer().commit(
            [self.change('f', 0, atoms=[self.row('f', 'a', request_uuid='r')])]
        )

        def late(flow_uuid: str, request_uuid: str) -> queries.Late:
            return self.connection.store_late(
                queries.LateOutcome(
                    flow_uuid, request_uuid, 'a', 'host.1', 'i', {'x': (1,)}
                )
            )

        self.assertIs(queries.Late.CURRENT, late('f', 'r'))
        self.assertIs(queries.Late.STORED, late('f', 'old'))
        self.assertIs(queries.Late.STORED, late('f', 'old'))
        self.assertIs(queries.Late.UNKNOWN, late('x', 'old'))
