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

"""An operator's mistake is one line and exit code 1."""

from __future__ import annotations

import contextlib
import io

from oslo_config import cfg
from oslotest import base

from taskflow_service import exceptions
from taskflow_service.cmd import program


class RunMainTest(base.BaseTestCase):
    def _run(self, function, *argv):
        stderr = io.StringIO()
        with contextlib.redirect_stderr(stderr):
            code = program.run_main('taskflow-x', function, argv)
        return code, stderr.getvalue()

    @staticmethod
    def _raises(exc):
        def function(argv):
            raise exc

        return function

    def test_no_code_is_success(self):
        self.assertEqual((0, ''), self._run(lambda argv: None))

    def test_a_code_is_passed_on(self):
        self.assertEqual((3, ''), self._run(lambda argv: 3))

    def test_the_function_gets_the_arguments(self):
        seen = []
        self._run(seen.extend, '--config-file', 'x')
        self.assertEqual(['--config-file', 'x'], seen)

    def test_our_errors_are_one_line(self):
        error = exceptions.ConfigurationError(
            '[worker] slots: too many', OSError('no room')
        )
        code, text = self._run(self._raises(error))
        self.assertEqual(1, code)
        self.assertEqual(
            'taskflow-x: error: [worker] slots: too many OSError: no room\n',
            text,
        )

    def test_a_missing_file_is_named(self):
        def read(argv):
            cfg.ConfigOpts()(argv)

        code, text = self._run(read, '--config-file', '/no/such/file')
        self.assertEqual((1, 1), (code, text.count('\n')))
        self.assertIn('--config-file: /no/such/file', text)

    def test_what_nobody_expected_is_one_line_too(self):
        code, text = self._run(self._raises(RuntimeError('oh\nno')))
        self.assertEqual((1, 1), (code, text.count('\n')))
        self.assertIn('RuntimeError: oh no', text)
        self.assertIn('--debug', text)

    def test_debug_shows_the_traceback(self):
        code, text = self._run(self._raises(RuntimeError('oh no')), '--debug')
        self.assertEqual(1, code)
        self.assertIn('Traceback', text)
        self.assertIn('taskflow-x: error: RuntimeError: oh no', text)

    def test_an_interrupt_is_130(self):
        self.assertEqual((130, ''), self._run(self._raises(KeyboardInterrupt)))

    def test_parsers_end_as_they_want(self):
        self.assertRaises(SystemExit, self._run, self._raises(SystemExit(2)))
