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
"""What looks like a secret is not written to a log."""

from __future__ import annotations

import io
import logging

import ddt
import fixtures
from oslotest import base

from taskflow_service import engines
from taskflow_service import masking
from taskflow_service import task
from taskflow_service.listeners import logging as logging_listener
from taskflow_service.patterns import linear_flow
from taskflow_service.types import notifier

SECRET = {'password': 'hunter2'}


class Give(task.Task):
    def execute(self, password):
        return SECRET


class Fail(task.Task):
    def execute(self):
        raise RuntimeError('no')


@ddt.ddt
class MaskingTest(base.BaseTestCase):
    @ddt.data(
        (
            "{'token': 'hunter2', 'user': 'me'}",
            "{'token': '***', 'user': 'me'}",
        ),
        ('{"password": "hunter2", "n": 1}', '{"password": "***", "n": 1}'),
        (r'"{\"password\": \"hunter2\"}"', r'"{\"password\": \"***\"}"'),
        ("{'password': 'it\\'s hunter2'}", "{'password': '***'}"),
        ('admin_pass=hunter2, n=1', 'admin_pass=***, n=1'),
        ('X-Auth-Token: hunter2', 'X-Auth-Token: ***'),
        ('Authorization: Bearer hunter2 x', 'Authorization: *** x'),
        (
            "{'api_keys': ['hunter2', 'x'], 'a': 1}",
            "{'api_keys': ***, 'a': 1}",
        ),
        ("(user_secret=b'hunter2')", "(user_secret='***')"),
        ('rabbit://me:hunter2@h:5672/v', 'rabbit://me:***@h:5672/v'),
        (
            'security.signing_keys changed from [hunter2] to [a,b]',
            'security.signing_keys changed from [***] to [***]',
        ),
        ("password='hunt", "password='***'"),
        ("token='hunter2\nand it's next", "token='***'\nand it's next"),
        ("{'a': {}, 'b': [('c', 'd')]}\nnext", None),
        ('serves 4 tasks over rabbit://h:5672/ (token of r-1)', None),
    )
    def test_only_what_looks_like_a_secret_is_replaced(self, case):
        text, masked = case
        self.assertEqual(masked or text, masking.mask(text))

    def test_a_long_text_takes_no_time_of_its_own(self):
        # Quadratic, this would not end.
        self.assertEqual('_pass' * 10**5, masking.mask('_pass' * 10**5))
        self.assertNotIn('[x', masking.mask('token: [x\n' * 10**3))

    def test_a_masked_log_shows_no_secret_in_text_arguments_or_traceback(
        self,
    ):
        stream = io.StringIO()
        logger = logging.getLogger(f'{__name__}.mine')
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.addHandler(logging.StreamHandler(stream))
        masking.mask_log(logger)
        masking.mask_log(logger)
        logger.info("token='hunter2'")
        logger.info('%s', SECRET)
        try:
            raise ValueError(f'given {SECRET}')
        except ValueError:
            logger.exception('Failed')
        said = stream.getvalue()
        self.assertEqual(3, said.count('***'), said)
        self.assertNotIn('hunter2', said)
        self.assertIn('ValueError: given', said)

    def test_loggers_with_handlers_of_their_own_are_masked_too(self):
        stream = io.StringIO()
        logger = logging.getLogger(f'{__name__}.theirs')
        logger.propagate = False
        logger.addHandler(logging.StreamHandler(stream))
        self.addCleanup(logger.handlers.clear)
        masking.mask_log()
        logger.error("token='hunter2'")
        self.assertNotIn('hunter2', stream.getvalue())

    def test_a_value_is_masked_only_when_its_line_is_made(self):
        class Loud:
            def __str__(self):
                raise AssertionError('nobody looks')

        logger = logging.getLogger(f'{__name__}.quiet')
        logger.setLevel(logging.WARNING)
        logger.debug('%s', masking.Masked(Loud()))
        self.assertNotIn('hunter2', f'{masking.Masked(SECRET)}')

    def test_listeners_log_no_secret(self):
        log = self.useFixture(fixtures.FakeLogger(level=logging.DEBUG))
        flow = linear_flow.Flow('f').add(Give('give'), Fail('fail'))
        engine = engines.load(flow, store=SECRET)
        with (
            logging_listener.LoggingListener(engine),
            logging_listener.DynamicLoggingListener(engine),
        ):
            self.assertRaises(RuntimeError, engine.run)
        # Results of a task, and inputs and outputs of those before it.
        self.assertLess(3, log.output.count("'password': '***'"), log.output)
        self.assertNotIn('hunter2', log.output)

    def test_a_listener_that_fails_costs_no_secret(self):
        log = self.useFixture(fixtures.FakeLogger())
        heard = notifier.Notifier()
        heard.register(notifier.Notifier.ANY, lambda event, details: 1 / 0)
        heard.notify('SUCCESS', {'result': SECRET})
        self.assertIn('ZeroDivisionError', log.output)
        self.assertNotIn('hunter2', log.output)
