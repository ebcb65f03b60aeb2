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

"""The judge of the soak sees each thing that it is said to hold."""

from __future__ import annotations

from collections.abc import Callable
import itertools

from oslotest import base

from tests.soak import checker
from tests.soak import effects

_Call = Callable[[], object]


class CheckerTest(base.BaseTestCase):
    """One flow of two tasks, as it should be and with one thing wrong."""

    def setUp(self) -> None:
        super().setUp()
        self._begin()

    def _begin(self) -> None:
        self.effects: list[effects.Effect] = []
        self.atoms: dict[str, checker.Atom] = {}
        self.state = 'SUCCESS'
        self.name = 'chain'
        self.owner: str | None = None
        self.runs = itertools.count(1)

    def _effect(self, atom: str, what: str, phase: str, **more: object) -> str:
        values = {
            'attempt': 1,
            'try_number': 1,
            'run': f'run-{next(self.runs)}',
            'given': None,
            'promise': 'plain',
            'pid': 1,
            **more,
        }
        self.effects.append(
            effects.Effect(1.0, 'flow', atom, what, phase, **values)
        )
        return str(values['run'])

    def _do(self, atom: str, given: str = 'first', **more: object) -> str:
        run = self._effect(atom, 'do', 'begin', given=given, **more)
        return self._effect(atom, 'do', 'end', **{**more, 'run': run})

    def _undo(self, atom: str, **more: object) -> None:
        run = self._effect(atom, 'undo', 'begin', **more)
        self._effect(atom, 'undo', 'end', **{**more, 'run': run})

    def _atom(self, name: str, run: str | None, **more: object) -> None:
        row = {
            'name': name,
            'state': 'SUCCESS',
            'attempt': 2,
            'losses': 0,
            'results': f'{{"d": "{run}"}}',
            'failure': None,
            'revert_failure': None,
            **more,
        }
        self.atoms[name] = checker.Atom(**row)  # type: ignore[arg-type]

    def _succeed(self) -> str:
        one = self._do('one')
        two = self._do('two', one)
        self._atom('one', one)
        self._atom('two', two)
        return one

    def _revert(self) -> None:
        self.name, self.state = 'undone', 'REVERTED'
        one = self._do('one')
        self._effect('two', 'do', 'begin', given=one)
        self._effect('two', 'do', 'failed')
        self._undo('two', attempt=2)
        self._undo('one', attempt=2)
        self._atom('one', one, state='REVERTED')
        self._atom('two', None, state='REVERTED')

    def _kinds(self) -> set[str]:
        flow = checker.Flow(
            'flow', self.name, self.state, self.owner, 0.0, 1.0, self.atoms
        )
        judge = checker.Checker(self.effects, {'flow': flow}, {'flow'})
        judge.check()
        return {violation.split(':')[0] for violation in judge.violations}

    def test_what_is_right_is_right(self) -> None:
        for make in (self._succeed, self._revert):
            self._begin()
            make()
            self.assertEqual(set(), self._kinds())

    def _assert_seen(
        self,
        kind: str,
        make: Callable[[], object],
        *wrongs: Callable[[], object],
    ) -> None:
        for number, wrong in enumerate(wrongs):
            self._begin()
            make()
            wrong()
            with self.subTest(kind, number=number):
                self.assertIn(kind, self._kinds())

    def test_what_is_stuck(self) -> None:
        self._assert_seen(
            'stuck',
            self._succeed,
            lambda: setattr(self, 'state', 'RUNNING'),
            lambda: setattr(self, 'owner', 'somebody'),
            lambda: self._atom('one', 'run-1', state='RUNNING'),
        )

    def test_what_is_lost(self) -> None:
        self._assert_seen(
            'lost',
            self._succeed,
            lambda: self._atom('two', 'run-7'),
            lambda: self._atom('two', None, state='PENDING'),
        )
        judge = checker.Checker([], {}, {'flow'})
        judge.check()
        self.assertEqual(1, len(judge.violations))

    def test_what_is_doubled(self) -> None:
        self._assert_seen(
            'doubled',
            self._succeed,
            lambda: self._do('one', attempt=2),
            lambda: self._do('one', attempt=2, promise='probed'),
            lambda: self._do('one', attempt=1, promise='idempotent'),
            lambda: self._do('one', attempt=3, promise='idempotent'),
        )
        self._assert_seen(
            'doubled', self._revert, lambda: self._undo('one', attempt=3)
        )

    def test_what_may_run_twice(self) -> None:
        self._succeed()
        self._do('one', attempt=2, promise='idempotent')
        self.assertEqual(set(), self._kinds())
        self._begin()
        self._succeed()
        self._effect('one', 'probe', 'end')
        self._do('one', attempt=2, promise='probed')
        self.assertEqual(set(), self._kinds())

    def test_what_is_given_too_early(self) -> None:
        self._assert_seen(
            'wrong', self._succeed, lambda: self.effects.reverse()
        )

    def test_what_is_not_undone(self) -> None:
        self._assert_seen(
            'not undone',
            self._revert,
            lambda: self.effects.pop(),
            lambda: self._do('one', attempt=2, promise='idempotent'),
        )

    def test_what_ended_after_its_worker_was_given_up(self) -> None:
        self._revert()
        self._do('one', attempt=3, promise='idempotent')
        self._atom('one', None, state='REVERTED', losses=1, attempt=3)
        self.assertEqual(set(), self._kinds())

    def test_what_ended_after_a_later_attempt_was_undone(self) -> None:
        given: dict[str, object] = {'promise': 'idempotent'}
        self._effect('one', 'do', 'begin', given='first', **given)
        self._do('one', attempt=2, **given)
        self._undo('one', attempt=3, **given)
        self._effect('one', 'do', 'end', **given)
        self._atom('one', None, state='REVERTED', attempt=3)
        self.name, self.state = 'undone', 'REVERTED'
        self.assertEqual(set(), self._kinds())

    def test_what_failed_without_a_reason(self) -> None:
        def fail(**failure: str) -> None:
            self._atom('two', None, state='REVERT_FAILURE', **failure)
            self.state = 'FAILURE'

        self._assert_seen(
            'failed',
            self._revert,
            lambda: setattr(self, 'name', 'chain'),
            lambda: fail(revert_failure='ValueError'),
        )
        self._begin()
        self._revert()
        fail(revert_failure='WorkerLost')
        self.assertEqual(set(), self._kinds())
