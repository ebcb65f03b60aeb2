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


from __future__ import annotations

import typing

from oslo_context import context as oslo_context
from oslotest import base

from taskflow_service import cancellation
from taskflow_service import exceptions
from taskflow_service import registry
from taskflow_service import task
from taskflow_service.messaging import codec
from taskflow_service.protocol import messages
from taskflow_service.types import failure
from taskflow_service.worker import body
from taskflow_service.worker import catalogue
from tests import remote
from tests.conformance import transports


class Curious(task.Task):
    """Returns what it can see of its being run."""

    def execute(self) -> list[typing.Any]:
        attempt = typing.cast(task.Attempt, task.current())
        current = oslo_context.get_current()
        self.update_progress(0.5)
        return [
            attempt.attempt,
            attempt.token,
            None if current is None else current.request_id,
        ]


class Probed(task.Task):
    """Knows whether a thing was done."""

    def execute(self, thing: str) -> None:
        raise AssertionError('only asked after')

    def probe(self, thing: str) -> typing.Any:
        if thing == 'nonsense':
            return 'maybe'
        return task.Done(thing) if thing == 'done' else task.NOT_DONE


class BodyTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.notes = remote.new_notes()
        self.codec = codec.Codec(transports.make_conf('fake://', 'ns'))
        served = registry.tasks_from(
            [remote.Add, remote.Break, remote.Unstorable, Curious, Probed]
        )
        self.body = body.Body(catalogue.Catalogue(served), self.codec)
        self.progress: list[typing.Any] = []

    def _run(
        self,
        cls: type[task.Task],
        verdict: exceptions.ExecutionFailure | None = None,
        **fields: typing.Any,
    ) -> tuple[messages.End, typing.Any]:
        for name in ('arguments', 'constructor', 'context'):
            if name in fields:
                fields[name] = self.codec.encode(fields[name])
        request = messages.Request(
            request_uuid='r',
            flow_uuid='f',
            atom='atom',
            task=registry.wire_name(cls),
            **fields,
        )
        end, text = self.body.run(
            request,
            cancellation.Cancellation(),
            lambda text: self.progress.append(self.codec.decode(text)),
            lambda: verdict,
        )
        return end, self.codec.decode(text)

    def test_a_task_gets_what_its_constructor_was_given(self) -> None:
        self.assertEqual(
            (messages.End.OK, 12),
            self._run(
                remote.Add,
                constructor=[[5], {'name': 'five'}],
                arguments={'number': 7},
            ),
        )
        self.assertEqual([('execute', 'atom')], self.notes.lines)

    def test_a_revert_gets_the_result(self) -> None:
        end, value = self._run(
            remote.Add,
            action=messages.Action.REVERT,
            arguments={'result': 12, 'number': 7},
        )
        self.assertEqual((messages.End.OK, None), (end, value))
        self.assertEqual([('revert', 'atom', 12)], self.notes.lines)

    def test_what_a_task_raises_comes_with_its_traceback(self) -> None:
        end, value = self._run(remote.Break, arguments={'what': 'glass'})
        self.assertIs(messages.End.FAILED, end)
        self.assertIsInstance(value.exception, remote.Broken)
        self.assertIn('glass broke', str(value))
        self.assertIn('in execute', value.traceback_str)

    def test_what_cannot_be_stored_is_a_failure_that_names_its_type(
        self,
    ) -> None:
        end, value = self._run(remote.Unstorable, arguments={'how': 'result'})
        self.assertIs(messages.End.FAILED, end)
        self.assertTrue(value.check(exceptions.ValueNotStorable))
        self.assertIn('lock', str(value))
        self.assertIn('atom', str(value))
        for how in ('argument', 'cause'):
            end, value = self._run(remote.Unstorable, arguments={'how': how})
            self.assertIs(messages.End.FAILED, end)
            self.assertTrue(value.check(remote.Broken))

    def test_a_task_that_exits_fails(self) -> None:
        end, value = self._run(remote.Unstorable, arguments={'how': 'exit'})
        self.assertIs(messages.End.FAILED, end)
        self.assertIn('SystemExit', str(value))

    def test_arguments_that_do_not_fit_are_a_failure(self) -> None:
        end, value = self._run(remote.Add, arguments={'digits': 7})
        self.assertIs(messages.End.FAILED, end)
        self.assertTrue(value.check(TypeError))

    def test_a_task_sees_its_attempt_and_its_context(self) -> None:
        end, value = self._run(
            Curious,
            attempt=3,
            round=2,
            context={'request_id': 'req-1'},
        )
        again = task.Attempt('f', 'atom', 4, cancellation.Cancellation(), 2)
        self.assertEqual([3, again.token, 'req-1'], value)
        self.assertIsNone(task.current())
        self.assertIsNone(oslo_context.get_current())

    def test_progress_is_told(self) -> None:
        self._run(Curious)
        self.assertEqual(
            [['update_progress', {'progress': 0.5}]], self.progress
        )

    def test_a_probe_answers(self) -> None:
        answers = {
            thing: self._run(
                Probed,
                action=messages.Action.PROBE,
                arguments={'thing': thing},
            )
            for thing in ('done', 'not done', 'nonsense')
        }
        self.assertEqual((messages.End.OK, ['done']), answers['done'])
        self.assertEqual((messages.End.OK, []), answers['not done'])
        end, value = answers['nonsense']
        self.assertIs(messages.End.FAILED, end)
        self.assertIn('probe() returned str', str(value))

    def test_a_task_that_was_told_to_stop_ends_as_the_verdict_says(
        self,
    ) -> None:
        end, value = self._run(
            remote.Break, exceptions.Cancelled('Cancelled: late', reason='x')
        )
        self.assertIs(messages.End.CANCELLED, end)
        self.assertTrue(value.check(exceptions.Cancelled))
        end, value = self._run(remote.Break, exceptions.RunTimeout('too long'))
        self.assertIs(messages.End.FAILED, end)
        self.assertTrue(value.check(exceptions.RunTimeout))

    def test_what_finished_well_before_it_stopped_finished_well(self) -> None:
        end, value = self._run(
            remote.Add,
            exceptions.Cancelled(),
            arguments={'number': 1},
        )
        self.assertEqual((messages.End.OK, 2), (end, value))

    def test_a_failure_is_kept_as_it_travelled(self) -> None:
        _, value = self._run(remote.Break)
        text = self.codec.encode(value)
        self.assertTrue(
            typing.cast(failure.Failure, self.codec.decode(text)).matches(
                value
            )
        )
