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


"""Logbooks as objects, as TaskFlow's clients know them."""

from __future__ import annotations

import datetime

from oslotest import base

from taskflow_service import exceptions
from taskflow_service.persistence import models
from taskflow_service.types import failure


def boom():
    return failure.Failure.from_exception(ValueError('boom'))


class TaskDetailTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.detail = models.TaskDetail('t', 'u')

    def shown(self):
        return (
            self.detail.state,
            self.detail.results,
            self.detail.failure,
            self.detail.revert_results,
            self.detail.revert_failure,
        )

    def test_a_result_replaces_a_failure(self):
        self.assertTrue(self.detail.put('FAILURE', boom()))
        self.assertTrue(self.detail.put('SUCCESS', 5))
        self.assertEqual(('SUCCESS', 5, None, None, None), self.shown())
        self.assertEqual(5, self.detail.last_results)

    def test_the_same_again_changes_nothing(self):
        self.detail.put('SUCCESS', [5])
        self.assertFalse(self.detail.put('SUCCESS', [5]))
        self.detail.put('FAILURE', boom())
        self.assertFalse(self.detail.put('FAILURE', boom()))

    def test_a_failure_replaces_a_result(self):
        self.detail.put('SUCCESS', 5)
        failed = boom()
        self.detail.put('FAILURE', failed)
        self.assertEqual(('FAILURE', None, failed, None, None), self.shown())

    def test_a_revert_has_an_outcome_of_its_own(self):
        self.detail.put('SUCCESS', 5)
        self.detail.put('REVERTED', 6)
        self.assertEqual(('REVERTED', 5, None, 6, None), self.shown())
        failed = boom()
        self.detail.put('REVERT_FAILURE', failed)
        self.assertEqual(
            ('REVERT_FAILURE', None, None, None, failed), self.shown()
        )

    def test_other_states_keep_no_result(self):
        self.detail.put('RUNNING', 5)
        self.assertEqual(('RUNNING', None, None, None, None), self.shown())

    def test_a_result_that_compares_to_no_bool(self):
        class Odd:
            def __eq__(self, other):
                raise TypeError('no')

        self.assertTrue(self.detail.put('SUCCESS', Odd()))
        self.assertTrue(self.detail.put('SUCCESS', Odd()))

    def test_reset_keeps_metadata_and_version(self):
        self.detail.put('FAILURE', boom())
        self.detail.intention = 'REVERT'
        self.detail.meta = {'a': 1}
        self.detail.version = '1.0'
        self.detail.reset('PENDING')
        self.assertEqual(('PENDING', None, None, None, None), self.shown())
        self.assertEqual(
            ('EXECUTE', {'a': 1}, '1.0'),
            (self.detail.intention, self.detail.meta, self.detail.version),
        )

    def test_merging_copies_if_asked(self):
        other = models.TaskDetail('other', 'o')
        other.results = [1]
        other.meta = {'a': [2]}
        self.assertIs(self.detail, self.detail.merge(other))
        self.assertIs(other.results, self.detail.results)
        self.detail.merge(other, deep_copy=True)
        self.assertEqual([1], self.detail.results)
        self.assertIsNot(other.results, self.detail.results)
        self.assertIsNot(other.meta['a'], self.detail.meta['a'])
        self.assertEqual(('t', 'u'), (self.detail.name, self.detail.uuid))

    def test_merging_with_another_kind_is_an_error(self):
        self.assertRaises(
            NotImplementedError,
            self.detail.merge,
            models.RetryDetail('r', 'r'),
        )

    def test_a_dictionary_and_back(self):
        self.detail.put('FAILURE', boom())
        self.detail.meta = {'a': 1}
        data = self.detail.to_dict()
        self.assertEqual(
            {
                'uuid',
                'name',
                'state',
                'intention',
                'results',
                'failure',
                'revert_results',
                'revert_failure',
                'meta',
                'version',
            },
            set(data),
        )
        back = models.TaskDetail.from_dict(data)
        self.assertTrue(back.failure.matches(self.detail.failure))
        self.assertEqual(data, back.to_dict())

    def test_a_copy_has_metadata_of_its_own(self):
        self.detail.meta = {'a': 1}
        self.detail.attempt = 3
        copied = self.detail.copy()
        copied.meta['b'] = 2
        self.assertEqual({'a': 1}, self.detail.meta)
        self.assertEqual(3, copied.attempt)


class RetryDetailTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.detail = models.RetryDetail('r', 'u')

    def test_each_result_is_a_try(self):
        self.detail.put('SUCCESS', 1)
        self.assertTrue(self.detail.put('SUCCESS', 1))
        self.assertEqual([(1, {}), (1, {})], self.detail.results)
        self.assertEqual(1, self.detail.last_results)
        self.assertEqual({}, self.detail.last_failures)

    def test_a_failure_keeps_the_history(self):
        self.detail.put('SUCCESS', 1)
        self.detail.put('FAILURE', boom())
        self.assertEqual([(1, {})], self.detail.results)

    def test_without_a_try_there_is_no_last_one(self):
        self.assertRaises(
            exceptions.NotFound, lambda: self.detail.last_results
        )
        self.assertRaises(
            exceptions.NotFound, lambda: self.detail.last_failures
        )

    def test_a_dictionary_and_back(self):
        self.detail.results = [(1, {'t': boom()}), (2, {})]
        back = models.RetryDetail.from_dict(self.detail.to_dict())
        self.assertEqual([1, 2], [value for value, _ in back.results])
        self.assertIsInstance(back.results[0][1]['t'], failure.Failure)

    def test_merging_takes_the_history_as_a_list_of_its_own(self):
        other = models.RetryDetail('r', 'o')
        other.results = [(1, {})]
        self.detail.merge(other)
        other.results.append((2, {}))
        self.assertEqual([(1, {})], self.detail.results)


class Live:
    """A record of a run, as the engine's storage is one."""

    def __init__(self):
        self.state = 'RUNNING'
        self.meta = {'live': True}
        self.made = 0

    def find(self, uuid):
        self.made += 1
        return models.TaskDetail('t', uuid) if uuid == 'u' else None

    def __iter__(self):
        yield self.find('u')

    def __len__(self):
        return 1

    def add(self, atom_detail):
        raise AssertionError('nothing is added here')


class FlowDetailTest(base.BaseTestCase):
    def test_a_uuid_is_made_once_when_it_is_asked_for(self):
        flow = models.FlowDetail('f')
        self.assertEqual(flow.uuid, flow.uuid)
        self.assertEqual(36, len(flow.uuid))
        self.assertNotEqual(flow.uuid, models.FlowDetail('f').uuid)

    def test_an_attached_one_shows_the_live_run(self):
        flow = models.FlowDetail('f', 'f')
        flow.state = 'PENDING'
        live = Live()
        former = flow.attach(live)
        self.assertEqual('PENDING', former.state)
        self.assertEqual(('RUNNING', {'live': True}), (flow.state, flow.meta))
        live.state = 'SUCCESS'
        self.assertEqual('SUCCESS', flow.state)
        flow.meta = {}
        self.assertEqual({}, live.meta)
        self.assertEqual(0, live.made)
        self.assertEqual('t', flow.find('u').name)
        self.assertIsNone(flow.find('x'))
        self.assertEqual(['u'], [atom.uuid for atom in flow])
        self.assertEqual(1, len(flow))

    def test_a_copy_is_not_attached(self):
        flow = models.FlowDetail('f', 'f')
        live = Live()
        flow.attach(live)
        copied = flow.copy()
        live.state = 'SUCCESS'
        self.assertEqual('RUNNING', copied.state)
        self.assertEqual(1, len(copied))
        self.assertEqual(0, len(flow.copy(retain_contents=False)))

    def test_merging_leaves_the_atoms_and_updating_takes_them(self):
        other = models.FlowDetail('o', 'o')
        other.state, other.meta = 'RUNNING', {'a': 1}
        other.add(models.TaskDetail('t', 't'))
        flow = models.FlowDetail('f', 'f')
        flow.merge(other)
        self.assertEqual(
            ('RUNNING', {'a': 1}, 0), (flow.state, flow.meta, len(flow))
        )
        flow.update(other)
        self.assertEqual(1, len(flow))
        self.assertTrue(models.FlowDetail('empty', 'e'))

    def test_a_dictionary_and_back(self):
        data = {'name': 'f', 'uuid': 'u', 'state': 'RUNNING', 'meta': {1: 2}}
        self.assertEqual(data, models.FlowDetail.from_dict(data).to_dict())


class LogBookTest(base.BaseTestCase):
    def test_a_dictionary_and_back_with_marshalled_times(self):
        book = models.LogBook('b', 'u')
        book.add(models.FlowDetail('f', 'f'))
        data = book.to_dict(marshal_time=True)
        self.assertEqual(book.created_at.year, data['created_at']['year'])
        back = models.LogBook.from_dict(data, unmarshal_time=True)
        self.assertEqual(book.created_at, back.created_at)
        self.assertEqual(book.updated_at, back.updated_at)
        self.assertEqual(
            book.to_dict(), models.LogBook.from_dict(book.to_dict()).to_dict()
        )

    def test_copies_and_merges(self):
        book = models.LogBook('b', 'u')
        book.add(models.FlowDetail('f', 'f'))
        self.assertIs(book.find('f'), book.copy().find('f'))
        self.assertEqual(0, len(book.copy(retain_contents=False)))
        other = models.LogBook('other', 'o')
        other.meta = {'a': 1}
        book.merge(other)
        self.assertEqual(('b', {'a': 1}, 1), (book.name, book.meta, len(book)))

    def test_how_it_prints(self):
        book = models.LogBook('b', 'book-uuid')
        book.created_at = datetime.datetime(2026, 1, 2, 3, 4, 5)
        book.meta = {'who': 'me'}
        flow = models.FlowDetail('f', 'flow-uuid')
        flow.add(models.TaskDetail('t', 'task-uuid'))
        book.add(flow)
        book.updated_at = None
        self.assertEqual(
            """\
LogBook: 'b'
 - uuid = book-uuid
 - metadata:
   + who = me
 - created_at = 2026-01-02T03:04:05
 FlowDetail: 'f'
  - uuid = flow-uuid
  - state = None
  TaskDetail: 't'
   - uuid = task-uuid
   - state = None
   - version = None
   - results = None
   - failure = False""",
            book.pformat(linesep='\n'),
        )


class KindsTest(base.BaseTestCase):
    def test_each_kind_has_a_name(self):
        for name, cls in (
            ('TASK_DETAIL', models.TaskDetail),
            ('RETRY_DETAIL', models.RetryDetail),
        ):
            self.assertIs(cls, models.atom_detail_class(name))
            self.assertEqual(name, models.atom_detail_type(cls('a', 'u')))
        self.assertRaises(TypeError, models.atom_detail_class, 'x')
        self.assertRaises(TypeError, models.atom_detail_type, 3)
