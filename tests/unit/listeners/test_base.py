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

"""Listeners: who registers for what, and what it costs nobody."""

from __future__ import annotations

import typing

from oslotest import base as test_base

from taskflow_service import engines
from taskflow_service import retry
from taskflow_service import task
from taskflow_service.listeners import base
from taskflow_service.patterns import linear_flow


class Say(task.Task):
    def execute(self) -> str:
        return 'said'


def load() -> typing.Any:
    flow = linear_flow.Flow('f', retry=retry.Times(1, 'r'))
    return engines.load(flow.add(Say('a')))


class TestRegistration(test_base.BaseTestCase):
    def test_only_what_is_overridden_is_registered(self):
        class OfTheFlow(base.Listener):
            def _flow_receiver(
                self, state: str, details: base.Details
            ) -> None:
                pass

        engine = load()
        with OfTheFlow(engine):
            self.assertTrue(engine.notifier.heard)
            self.assertFalse(engine.atom_notifier.heard)
            self.assertFalse(engine.commit_notifier.heard)
        self.assertFalse(engine.notifier.heard)

    def test_a_receiver_that_was_put_on_the_object_is_registered(self):
        engine = load()
        heard: list[str] = []
        listener = base.Listener(engine)
        listener._task_receiver = (  # type: ignore[method-assign]
            lambda state, details: heard.append(state)
        )
        with listener:
            engine.run()
        self.assertEqual(['RUNNING', 'SUCCESS'], heard)

    def test_registering_twice_is_registering_once(self):
        class Mine(base.Listener):
            def _task_receiver(
                self, state: str, details: base.Details
            ) -> None:
                pass

        engine = load()
        listener = Mine(engine)
        listener.register()
        listener.register()
        self.assertEqual(1, len(engine.atom_notifier))
        listener.deregister()
        listener.deregister()
        self.assertEqual(0, len(engine.atom_notifier))

    def test_tasks_and_retries_are_told_apart(self):
        heard: list[tuple[str, str]] = []

        class Mine(base.Listener):
            def _task_receiver(
                self, state: str, details: base.Details
            ) -> None:
                heard.append((details['task_name'], state))

            def _retry_receiver(
                self, state: str, details: base.Details
            ) -> None:
                heard.append((details['retry_name'], state))

        engine = load()
        with Mine(
            engine, task_listen_for=['SUCCESS'], retry_listen_for=['RUNNING']
        ):
            engine.run()
        self.assertEqual([('r', 'RUNNING'), ('a', 'SUCCESS')], heard)

    def test_a_listener_that_raises_stops_nothing(self):
        class Broken(base.Listener):
            def _task_receiver(
                self, state: str, details: base.Details
            ) -> None:
                raise RuntimeError(state)

        engine = load()
        with Broken(engine):
            engine.run()
        self.assertEqual('SUCCESS', engine.storage.get_flow_state())


class TestCommitted(test_base.BaseTestCase):
    def test_what_is_durable_is_told_in_order(self):
        told: list[tuple[str, str]] = []

        class Durable(base.Listener):
            def on_committed(self, transitions: list[typing.Any]) -> None:
                told.extend((each.name, each.state) for each in transitions)

        engine = load()
        with Durable(engine):
            engine.run()
        self.assertEqual(
            [
                ('f', 'RUNNING'),
                ('r', 'RUNNING'),
                ('r', 'SUCCESS'),
                ('a', 'RUNNING'),
                ('a', 'SUCCESS'),
                ('f', 'SUCCESS'),
            ],
            told,
        )
