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

"""What bad input gets: which exception, and what its message names."""

from __future__ import annotations

import logging

import fixtures
from oslotest import base

from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import retry
from taskflow_service import task
from taskflow_service.patterns import graph_flow
from taskflow_service.patterns import linear_flow
from taskflow_service.types import notifier
from tests.unit.engines import hands


class Any(task.Task):
    def execute(self, **kwargs):
        return 1


class WantsTwo(task.Task):
    def execute(self, x, y):
        pass


class WantsOnRevert(task.Task):
    def execute(self):
        pass

    def revert(self, z, **kwargs):
        pass


class Wants(task.Task):
    def execute(self, b):
        return b


class _Base(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.log = self.useFixture(fixtures.FakeLogger(level=logging.WARNING))

    def fails(self, error, call, *args, **kwargs):
        """Check what is raised; return its whole message."""
        raised = self.assertRaises(error, call, *args, **kwargs)
        self.assertIs(error, type(raised))
        if isinstance(raised, exceptions.TaskFlowException):
            return raised.pformat()
        return str(raised)

    def names(self, message, *parts):
        for part in parts:
            self.assertIn(part, message)


class DefinitionTest(_Base):
    def test_a_cycle(self):
        a, b = Any('a'), Any('b')
        flow = graph_flow.Flow('loop').add(a, b).link(a, b)
        message = self.fails(exceptions.DependencyFailure, flow.link, b, a)
        self.names(message, "'loop'", "'a'", "'b'")

    def test_a_cycle_of_symbols(self):
        flow = graph_flow.Flow('loop')
        message = self.fails(
            exceptions.DependencyFailure,
            flow.add,
            Any('a', requires=['y'], provides='x'),
            Any('b', requires=['x'], provides='y'),
        )
        self.names(message, "'loop'", "'a'", "'b'", "'y'")

    def test_several_providers(self):
        flow = graph_flow.Flow('unclear').add(
            Any('a', provides='x'), Any('b', provides='x')
        )
        message = self.fails(
            exceptions.AmbiguousDependency, flow.add, Any('c', requires=['x'])
        )
        self.names(message, "'unclear'", "'a'", "'b'", "'c'", "'x'")

    def test_an_execute_that_cannot_be_bound(self):
        message = self.fails(ValueError, WantsTwo, 'w', requires=['q'])
        self.names(message, 'w', 'q')
        message = self.fails(ValueError, WantsTwo, 'w', auto_extract=False)
        self.names(message, 'w', "'x', 'y'")

    def test_something_that_is_no_decider(self):
        a, b = Any('a'), Any('b')
        flow = graph_flow.Flow('f').add(a, b)
        self.names(self.fails(ValueError, flow.link, a, b, decider=3), '3')


class CompileTest(_Base):
    def test_all_that_is_missing_at_once(self):
        flow = linear_flow.Flow('lacking').add(
            WantsTwo('w1'),
            WantsTwo('w2', rebind={'x': 'q'}),
            WantsOnRevert('r'),
        )
        error = self.assertRaises(
            exceptions.MissingDependencies, engines.run, flow, store={'y': 1}
        )
        self.assertEqual(['q', 'x', 'z'], sorted(error.missing_requirements))
        self.names(
            error.pformat(), 'lacking', 'w1', 'w2', 'r==', "'q'", "'x'", "'z'"
        )

    def test_duplicate_names(self):
        flow = linear_flow.Flow('twice').add(
            Any('a'),
            Any('b'),
            linear_flow.Flow('inner').add(Any('a'), Any('b')),
        )
        engine = engines.load(flow)
        message = self.fails(exceptions.Duplicate, engine.compile)
        self.names(message, "'twice'", "['a', 'b']")

    def test_the_same_object_twice(self):
        same = Any('same')
        flow = linear_flow.Flow('twice').add(
            same, linear_flow.Flow('inner').add(same)
        )
        engine = engines.load(flow)
        self.names(self.fails(ValueError, engine.compile), "'twice'", 'same')

    def test_something_that_is_no_task(self):
        engine = engines.load(linear_flow.Flow('odd').add('text'))
        self.names(self.fails(TypeError, engine.compile), "'odd'", "'text'")

    def test_a_value_that_an_ignored_failure_would_leave_out(self):
        maybe = hands.Fail('maybe', provides='b')
        maybe.ignore_failure = True
        engine = engines.load(linear_flow.Flow('f').add(maybe, Wants('w')))
        message = self.fails(exceptions.CompilationFailure, engine.compile)
        self.names(message, "'f'", "'w'", "'maybe'", "'b'")

    def test_steps_out_of_their_order(self):
        engine = engines.load(linear_flow.Flow('f').add(Any('a')))
        self.fails(exceptions.InvalidState, engine.prepare)
        self.fails(exceptions.InvalidState, engine.validate)
        self.fails(exceptions.InvalidState, engine.reset)
        engine.compile()
        self.fails(exceptions.InvalidState, engine.validate)

    def test_an_unknown_engine(self):
        message = self.fails(
            exceptions.NotFound,
            engines.load,
            linear_flow.Flow('f'),
            engine='steam',
        )
        self.names(message, "'steam'", 'serial', 'parallel')


class RunTest(_Base):
    def check_short(self, provides, result):
        class Short(task.Task):
            default_provides = provides

            def execute(self):
                return result

        flow = linear_flow.Flow('f').add(Short('short'), Wants('w'))
        engine = engines.load(flow)
        message = self.fails(exceptions.NotFound, engine.run)
        self.names(message, "'b'", "'w'", "'short'", engine.storage.flow_uuid)
        # It failed, as anything else may, and so the flow was reverted.
        self.assertEqual('REVERTED', engine.storage.get_flow_state())
        self.names(self.log.output, 'short', 'name b')

    def test_a_result_that_is_too_short(self):
        self.check_short(('a', 'b'), ('a',))

    def test_a_result_without_a_key(self):
        self.check_short({'a', 'b'}, {'a': 1})

    def test_a_result_that_cannot_be_indexed(self):
        self.check_short(('a', 'b'), None)

    def test_a_decider_that_raises(self):
        def undecided(history):
            raise RuntimeError('undecided')

        a, b = Any('a'), Any('b')
        flow = graph_flow.Flow('f').add(a, b)
        engine = engines.load(flow.link(a, b, decider=undecided))
        self.assertEqual('undecided', self.fails(RuntimeError, engine.run))
        self.assertEqual('FAILURE', engine.storage.get_flow_state())
        self.assertEqual(
            {'a': 'SUCCESS', 'b': 'PENDING'}, hands.states(engine)
        )
        self.names(self.log.output, "'f'", "'b'", engine.storage.flow_uuid)

    def test_a_decider_that_is_mended(self):
        broken = [True]

        def undecided(history):
            if broken:
                raise RuntimeError('undecided')
            return True

        a, b = Any('a'), Any('b')
        flow = graph_flow.Flow('f').add(a, b)
        engine = engines.load(flow.link(a, b, decider=undecided))
        self.assertRaises(RuntimeError, engine.run)
        broken.clear()
        engine.run()
        self.assertEqual('SUCCESS', engine.storage.get_flow_state())

    def test_a_listener_that_raises(self):
        def deaf(state, details):
            raise RuntimeError('deaf')

        engine = engines.load(linear_flow.Flow('f').add(Any('a')))
        engine.notifier.register(notifier.Notifier.ANY, deaf)
        engine.atom_notifier.register(notifier.Notifier.ANY, deaf)
        engine.run()
        self.assertEqual('SUCCESS', engine.storage.get_flow_state())
        self.names(self.log.output, 'RuntimeError: deaf')

    def test_a_retry_that_returns_nonsense(self):
        class Unsure(retry.AlwaysRevert):
            def on_failure(self, *args, **kwargs):
                return 'PERHAPS'

        flow = linear_flow.Flow('f', Unsure('unsure')).add(hands.Fail('a'))
        engine = engines.load(flow)
        message = self.fails(ValueError, engine.run)
        self.names(message, "'unsure'", "'PERHAPS'", 'REVERT_ALL')
        self.assertEqual('FAILURE', engine.storage.get_flow_state())
        self.names(
            self.log.output, "'f'", "'unsure'", engine.storage.flow_uuid
        )

    def test_a_retry_that_raises(self):
        class Broken(retry.AlwaysRevert):
            def on_failure(self, *args, **kwargs):
                raise RuntimeError('broken')

        flow = linear_flow.Flow('f', Broken('r')).add(hands.Fail('a'))
        engine = engines.load(flow)
        self.assertEqual('broken', self.fails(RuntimeError, engine.run))
        self.assertEqual('FAILURE', engine.storage.get_flow_state())

    def test_a_transition_that_is_not_allowed(self):
        engine = engines.load(linear_flow.Flow('f').add(Any('a')))
        engine.compile()
        engine.prepare()
        message = self.fails(
            exceptions.InvalidState,
            engine.storage.change_flow_state,
            'SUCCESS',
        )
        self.names(message, 'PENDING', 'SUCCESS')

    def test_an_engine_that_runs_already(self):
        class RunsAgain(task.Task):
            def execute(self):
                engine.run()

        engine = engines.load(linear_flow.Flow('f').add(RunsAgain('a')))
        message = self.fails(exceptions.ExecutionFailure, engine.run)
        self.names(message, engine.storage.flow_uuid)
