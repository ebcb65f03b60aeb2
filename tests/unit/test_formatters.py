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

"""The texts of failures, where programs of TaskFlow do not look."""

from __future__ import annotations

import typing

from oslotest import base as test_base

from taskflow_service import engines
from taskflow_service import formatters
from taskflow_service import task
from taskflow_service.patterns import graph_flow
from taskflow_service.patterns import linear_flow
from taskflow_service.types import failure


class Pass(task.Task):
    def execute(self, **kwargs: typing.Any) -> str:
        return self.name or ''


class Fail(task.Task):
    def execute(self, **kwargs: typing.Any) -> None:
        raise ValueError('told')


def texts(flow: typing.Any, **options: typing.Any) -> list[str]:
    engine = engines.load(flow)
    formatter = formatters.FailureFormatter(engine, **options)
    found: list[str] = []

    def hear(state: str, details: dict[str, typing.Any]) -> None:
        found.append(
            formatter.format(
                details['result'], lambda node: node.item.name == 'fail'
            )[1]
        )

    engine.atom_notifier.register('FAILURE', hear)
    try:
        engine.run()
    except ValueError:
        return found
    raise AssertionError('the flow did not fail')


class TestFormatter(test_base.BaseTestCase):
    def test_a_row_of_diamonds_ends(self):
        flow = graph_flow.Flow('diamonds')
        for n in range(12):
            before = [f'join{n - 1}'] if n else []
            flow.add(
                Pass(f'l{n}', provides=f'l{n}', requires=before),
                Pass(f'r{n}', provides=f'r{n}', requires=before),
                Pass(
                    f'join{n}',
                    provides=f'join{n}',
                    requires=[f'l{n}', f'r{n}'],
                ),
            )
        flow.add(Fail('fail', requires=['join11']))
        (text,) = texts(flow)
        self.assertLess(
            len(text.splitlines()), formatters.MAX_NODES + len(flow)
        )

    def test_secrets_are_masked_at_any_depth(self):
        class Tell(task.Task):
            def execute(self) -> typing.Any:
                return {'users': [{'password': 'hidden', 'name': 'me'}]}

        (text,) = texts(
            linear_flow.Flow('f').add(
                Tell('tell', provides='told'),
                Pass('pass', requires=['told']),
                Fail('fail'),
            ),
            mask_inputs_keys=['password'],
            mask_outputs_keys=['password'],
        )
        self.assertNotIn('hidden', text)
        self.assertEqual(2, text.count("'password': '***'"))

    def test_a_failure_without_its_exception_is_told_in_words(self):
        engine = engines.load(Fail('fail'))
        engine.compile()
        engine.prepare()
        try:
            raise ValueError('told')
        except ValueError:
            told = failure.Failure.from_dict(failure.Failure().to_dict())
        exc_info, text = formatters.FailureFormatter(engine).format(
            told, lambda node: False
        )
        self.assertIsNone(exc_info)
        self.assertIn('ValueError: told', text)
