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

"""Values, states and metadata by name, as clients of a flow use them."""

from __future__ import annotations

import contextlib

from oslotest import base

from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import retry
from taskflow_service import task
from taskflow_service.executors import base as executors_base
from taskflow_service.patterns import linear_flow
from taskflow_service.patterns import unordered_flow
from taskflow_service.persistence import backends
from tests.unit.engines import hands


class Give(task.Task):
    def execute(self, x=None):
        return x


class Pair(task.Task):
    default_provides = ('one', 'two')

    def execute(self):
        return 1, 2


def load(*tasks, **options):
    engine = engines.load(linear_flow.Flow('f').add(*tasks), **options)
    engine.compile()
    engine.prepare()
    return engine


class ValuesTest(base.BaseTestCase):
    def given(self, **options):
        """What a task is given of 'x', by who injected it."""
        engine = load(Give('give', inject=options.pop('inject', None)))
        storage = engine.storage
        for where, value in options.items():
            if where.startswith('atom'):
                storage.inject_atom_args(
                    'give', {'x': value}, transient=where == 'atom_transient'
                )
            else:
                storage.inject({'x': value}, transient=where == 'transient')
        engine.run()
        return storage.get('give')

    def test_what_is_injected_into_an_atom_comes_first(self):
        self.assertEqual(
            'atom',
            self.given(atom_transient='atom', transient=1, stored=2),
        )
        self.assertEqual('kept', self.given(atom_stored='kept', transient=1))
        self.assertEqual('class', self.given(inject={'x': 'class'}, stored=2))

    def test_what_is_transient_comes_before_what_is_stored(self):
        self.assertEqual('t', self.given(transient='t', stored='s'))
        self.assertEqual('s', self.given(stored='s'))
        self.assertIsNone(self.given())

    def test_what_is_injected_hides_what_is_provided(self):
        engine = load(hands.Say('say', provides='x'), Give('give'))
        engine.storage.inject({'x': 'injected'})
        engine.run()
        self.assertEqual('injected', engine.storage.get('give'))

    def test_parts_of_a_result(self):
        engine = load(Pair('pair'))
        engine.run()
        self.assertEqual({'one': 1, 'two': 2}, engine.storage.fetch_all())
        self.assertEqual(2, engine.storage.fetch('two'))

    def test_several_providers(self):
        engine = load(
            hands.Say('a', provides='x'), hands.Say('b', provides='x')
        )
        engine.run()
        self.assertEqual('a', engine.storage.fetch('x'))
        self.assertEqual(['a', 'b'], engine.storage.fetch('x', list))
        self.assertEqual({'x': ['a', 'b']}, engine.storage.fetch_all())

    def test_a_retry_comes_after_what_it_controls(self):
        controller = retry.Times(name='r', provides='x')
        flow = linear_flow.Flow('f', controller)
        engine = engines.load(flow.add(hands.Say('a', provides='x')))
        engine.run()
        self.assertEqual('a', engine.storage.fetch('x'))

    def test_what_nobody_provides(self):
        storage = load(hands.Say('a')).storage
        error = self.assertRaises(exceptions.NotFound, storage.fetch, 'x')
        self.assertIn("'x'", str(error))

    def test_what_is_not_there_yet(self):
        storage = load(hands.Say('a', provides='x')).storage
        error = self.assertRaises(exceptions.NotFound, storage.fetch, 'x')
        self.assertIn("'x'", str(error))
        self.assertIn("'a'", str(error))
        self.assertEqual({}, storage.fetch_all())

    def test_why_there_is_no_value(self):
        engine = load(hands.Fail('a', provides='x'))
        self.assertRaises(hands.Boom, engine.run)
        self.assertTrue(engine.storage.fetch('x').check(hands.Boom))

    def test_what_was_reverted_has_no_value(self):
        engine = load(hands.Say('a', provides='x'), hands.Fail('b'))
        self.assertRaises(hands.Boom, engine.run)
        self.assertEqual({}, engine.storage.fetch_all())


class StatesTest(base.BaseTestCase):
    def test_results_are_known_only_in_some_states(self):
        engine = load(hands.Say('a'))
        error = self.assertRaises(exceptions.NotFound, engine.storage.get, 'a')
        self.assertIn("'a'", str(error))
        engine.run()
        self.assertEqual('a', engine.storage.get('a'))
        self.assertRaises(
            exceptions.NotFound, engine.storage.get_revert_result, 'a'
        )

    def test_an_unknown_atom(self):
        storage = load(hands.Say('a')).storage
        for call in (
            storage.get,
            storage.get_atom_state,
            storage.get_atom_uuid,
            storage.get_atom_intention,
        ):
            error = self.assertRaises(exceptions.NotFound, call, 'b')
            self.assertIn("'b'", str(error))

    def test_failures(self):
        flow = unordered_flow.Flow('f').add(hands.Fail('a'), hands.Say('b'))
        engine = engines.load(flow)
        self.assertRaises(hands.Boom, engine.run)
        storage = engine.storage
        self.assertTrue(storage.has_failures())
        self.assertEqual(['a'], list(storage.get_execute_failures()))
        self.assertEqual({}, storage.get_revert_failures())
        self.assertTrue(storage.get_failures()['a'].check(hands.Boom))

    def test_reset_forgets(self):
        engine = load(hands.Say('a', provides='x'))
        engine.run()
        engine.storage.reset('a')
        self.assertEqual('PENDING', engine.storage.get_atom_state('a'))
        self.assertEqual({}, engine.storage.fetch_all())
        engine.run()
        self.assertEqual({'x': 'a'}, engine.storage.fetch_all())

    def test_a_flow_is_run_again_after_a_reset(self):
        ran = []

        class Counts(task.Task):
            def execute(self):
                ran.append(self.name)

        engine = load(Counts('a'), Counts('b'))
        engine.run()
        engine.run()
        self.assertEqual(['a', 'b'], ran)
        engine.reset()
        engine.run()
        self.assertEqual(['a', 'b', 'a', 'b'], ran)


class HistoryTest(base.BaseTestCase):
    def test_each_try_with_what_failed(self):
        flow = linear_flow.Flow('f', retry.Times(3, 'times'))
        engine = engines.load(flow.add(hands.Fail('a')))
        seen = []
        engine.atom_notifier.register(
            'RETRYING',
            lambda state, details: seen.append(
                [
                    (value, sorted(failures))
                    for value, failures in engine.storage.get_retry_history(
                        'times'
                    )
                ]
            ),
        )
        self.assertRaises(hands.Boom, engine.run)
        self.assertEqual([[(1, ['a'])], [(1, ['a']), (2, ['a'])]], seen)

    def test_a_task_has_none(self):
        storage = load(hands.Say('a')).storage
        self.assertRaises(TypeError, storage.get_retry_history, 'a')


class ProgressTest(base.BaseTestCase):
    def test_how_far_a_task_is(self):
        seen = []

        class Works(task.Task):
            def execute(self):
                self.update_progress(0.5)

        engine = load(Works('w'))
        storage = engine.storage
        engine.atom_notifier.register(
            'SUCCESS',
            lambda state, details: seen.append(storage.get_task_progress('w')),
        )
        self.assertEqual(0.0, storage.get_task_progress('w'))
        engine.run()
        self.assertEqual(1.0, storage.get_task_progress('w'))

    def test_what_it_says_of_it_is_kept(self):
        storage = load(hands.Say('a')).storage
        storage.set_task_progress('a', 0.25, {'done': 1})
        self.assertEqual(0.25, storage.get_task_progress('a'))
        self.assertEqual(
            {'at_progress': 0.25, 'details': {'done': 1}},
            storage.get_task_progress_details('a'),
        )


class KeptTest(base.BaseTestCase):
    def test_a_flow_is_resumed_from_its_logbook(self):
        backend = backends.fetch({'connection': 'memory'})
        broken = [True]

        class Breaks(task.Task):
            def execute(self, x):
                if broken:
                    engine.suspend()
                return [x, (1, {2: 'three'})]

        def flow():
            return linear_flow.Flow('f').add(
                hands.Say('a', provides='x'), Breaks('b'), hands.Say('c')
            )

        engine = engines.load(flow(), backend=backend)
        engine.run()
        self.assertEqual('SUSPENDED', engine.storage.get_flow_state())
        broken.clear()
        with contextlib.closing(backend.get_connection()) as connection:
            detail = connection.get_flow_details(engine.storage.flow_uuid)
        again = engines.load(flow(), flow_detail=detail, backend=backend)
        again.run()
        self.assertEqual('SUCCESS', again.storage.get_flow_state())
        self.assertEqual(['a', (1, {2: 'three'})], again.storage.get('b'))

    def test_writes_outside_of_a_run_are_kept_at_once(self):
        backend = backends.fetch({'connection': 'memory'})
        engine = load(hands.Say('a'), backend=backend)
        engine.storage.update_flow_metadata({'note': 1})
        engine.storage.update_atom_metadata('a', {'note': 2})
        with contextlib.closing(backend.get_connection()) as connection:
            detail = connection.get_flow_details(engine.storage.flow_uuid)
        self.assertEqual(1, detail.meta['note'])
        (atom,) = [each for each in detail if each.name == 'a']
        self.assertEqual(2, atom.meta['note'])

    def test_another_version_of_a_task_is_refused(self):
        engine = load(hands.Say('a'))
        newer = hands.Say('a')
        newer.version = (2, 0)
        again = engines.load(
            linear_flow.Flow('f').add(newer),
            flow_detail=engine.storage._flowdetail,
        )
        again.compile()
        error = self.assertRaises(
            exceptions.IncompatibleVersion, again.prepare
        )
        self.assertIn("'a'", str(error))


class WorkersTest(base.BaseTestCase):
    def test_of_several_requests_the_last_says_where_an_atom_ended(self):
        record = load(Give('give')).storage.record
        node = record.index['give']
        for worker in ('first', 'second'):
            request = executors_base.Request(
                None, node, None, executors_base.Action.EXECUTE, 1, 1
            )
            request.worker = worker
            record.keep_request(request)
        record.keep_result(node, 'x')
        self.assertEqual('second', record.workers[node])
        # The next attempt had no place before it ended.
        record.keep_failure(node, None)
        self.assertIsNone(record.workers[node])
