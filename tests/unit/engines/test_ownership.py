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

"""What becomes of a durable flow, and its claim, when something fails."""

from __future__ import annotations

import contextlib

import fixtures
from oslotest import base

from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import task
from taskflow_service.patterns import linear_flow
from taskflow_service.persistence import backends
from tests.unit.engines import hands

#: Seconds that nothing here needs: what bounds a wait.
LONG = 30


class UnstorableRevert(task.Task):
    """Reverts to something that no logbook takes."""

    def execute(self):
        pass

    def revert(self, **kwargs):
        return object()


class Fails(task.Task):
    """Fails."""

    def execute(self):
        raise ValueError('no')


class OwnershipTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        folder = self.useFixture(fixtures.TempDir()).path
        self.url = f'sqlite:///{folder}/logbook.sqlite'
        self.backend = backends.fetch({'connection': self.url})
        self.addCleanup(self.backend.close)
        self.backend.upgrade()

    def _load(self, *tasks, **options):
        flow = linear_flow.Flow('f').add(*tasks)
        return engines.load(flow, backend=self.backend, **options)

    def _again(self, engine, *tasks):
        with contextlib.closing(self.backend.get_connection()) as connection:
            detail = connection.get_flow_details(engine.storage.flow_uuid)
        flow = linear_flow.Flow('f').add(*tasks)
        return engines.load(flow, flow_detail=detail, backend=self.backend)

    def _owner(self, engine):
        with contextlib.closing(self.backend.get_connection()) as connection:
            (found,) = [
                flow
                for flow in connection.find_flows()
                if flow.uuid == engine.storage.flow_uuid
            ]
        return found.owner

    def _inject_in_vain(self, engine):
        with fixtures.MonkeyPatch(
            'taskflow_service.persistence.backends.sqlalchemy.writer'
            '.Committer.commit',
            _outage,
        ):
            self.assertRaises(
                exceptions.StorageOutage, engine.storage.inject, {'late': 1}
            )

    def test_a_revert_result_that_cannot_be_stored_is_a_revert_failure(self):
        engine = self._load(UnstorableRevert('a'), Fails('b'))
        error = self.assertRaises(exceptions.ValueNotStorable, engine.run)
        self.assertIn("'a'", str(error))
        self.assertEqual('REVERT_FAILURE', engine.storage.get_atom_state('a'))
        self.assertEqual('FAILURE', engine.storage.get_flow_state())
        self.assertIsNone(self._owner(engine))

    def test_progress_that_cannot_be_stored_is_left_out(self):
        class Tells(task.Task):
            def execute(self):
                self.update_progress(0.5)
                self.notifier.notify(
                    task.EVENT_UPDATE_PROGRESS,
                    {'progress': 0.7, 'what': object()},
                )

        log = self.useFixture(fixtures.FakeLogger())
        engine = self._load(Tells('a'))
        engine.run()
        self.assertEqual('SUCCESS', engine.storage.get_flow_state())
        self.assertIn("'a'", log.output)

    def test_a_claim_after_which_the_flow_cannot_be_read_is_given_back(self):
        engine = self._load(hands.Say('a'))
        engine.compile()
        engine.prepare()
        self._again(engine, hands.Say('a')).run()
        with contextlib.ExitStack() as stack:
            stack.enter_context(
                fixtures.MonkeyPatch(
                    'taskflow_service.storage.record.Record.reload',
                    _no_reload,
                )
            )
            self.assertRaises(RuntimeError, engine.run)
        self.assertIsNone(self._owner(engine))
        engine.run()
        self.assertEqual('SUCCESS', engine.storage.get_flow_state())

    def test_what_a_flow_is_given_outlives_that_it_went_on_elsewhere(self):
        engine = self._load(hands.Say('a'))
        engine.compile()
        engine.prepare()
        self._inject_in_vain(engine)
        self._again(engine, hands.Say('a')).run()
        engine.run()
        self.assertEqual(1, engine.storage.fetch('late'))
        seen = self._again(engine, hands.Say('a'))
        seen.compile()
        seen.prepare()
        self.assertEqual(1, seen.storage.fetch('late'))

    def test_what_could_not_be_written_is_written_with_what_follows(self):
        engine = self._load(hands.Say('a'))
        engine.compile()
        engine.prepare()
        self._inject_in_vain(engine)
        engine.run()
        seen = self._again(engine, hands.Say('a'))
        seen.compile()
        seen.prepare()
        self.assertEqual(1, seen.storage.fetch('late'))


def _no_reload(self, detail):
    raise RuntimeError('no reload')


def _outage(self, changes):
    raise exceptions.StorageOutage('away')
