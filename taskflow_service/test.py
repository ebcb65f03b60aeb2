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

"""What a consumer's tests of flows derive from.

It needs oslotest and testtools, which only tests install.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
import logging
import re
import shutil
import tempfile
import typing
from unittest import mock

from oslotest import base

from taskflow_service import exceptions
from taskflow_service.types import failure as ft


class FailureRegexpMatcher:
    """Matches a failure by its exception's class and text.

    It has the two methods that a testtools matcher has.
    """

    def __init__(
        self, exc_class: type[BaseException] | str, pattern: str
    ) -> None:
        self.exc_class = exc_class
        self.pattern = pattern

    def match(self, failure: Iterable[ft.Failure]) -> typing.Any:
        """Return None if one of the failures is it, else what is wrong."""
        failures = list(failure)
        for cause in failures:
            if cause.check(self.exc_class) is not None and re.search(
                self.pattern, cause.exception_str or ''
            ):
                return None
        return _Mismatch(
            f'None of {[str(cause) for cause in failures]} is a '
            f'{self.exc_class!r} with {self.pattern!r} in its text'
        )


class _Mismatch:
    def __init__(self, text: str) -> None:
        self._text = text

    def describe(self) -> str:
        """Say what is wrong."""
        return self._text

    def get_details(self) -> dict[str, typing.Any]:
        """Return nothing more."""
        return {}


class TestCase(base.BaseTestCase):
    """A test with assertions about failures and sequences."""

    def makeTmpDir(self) -> str:
        """Make a directory that is gone after the test."""
        path = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        return path

    def assertRaisesAttrAccess(
        self, exc_class: type[BaseException], obj: object, attr_name: str
    ) -> None:
        """Assert that reading an attribute raises."""
        self.assertRaises(exc_class, getattr, obj, attr_name)

    def assertIsSuperAndSubsequence(
        self,
        super_seq: Iterable[typing.Any],
        sub_seq: Iterable[typing.Any],
        msg: str | None = None,
    ) -> None:
        """Assert that the second occurs in the first, in order."""
        whole = list(super_seq)
        rest = iter(whole)
        for element in sub_seq:
            if element not in rest:
                self.fail(
                    msg
                    or f'{element!r} of {list(sub_seq)!r} is not found in '
                    f'order in {whole!r}'
                )

    def assertFailuresRegexp(
        self,
        exc_class: type[BaseException] | str,
        pattern: str,
        callable_obj: Callable[..., object],
        *args: typing.Any,
        **kwargs: typing.Any,
    ) -> None:
        """Assert that a call raises failures, one of which is this."""
        error = self.assertRaises(
            exceptions.WrappedFailure, callable_obj, *args, **kwargs
        )
        matcher: typing.Any = FailureRegexpMatcher(exc_class, pattern)
        self.assertThat(error, matcher)


class MockTestCase(TestCase):
    """A test whose mocks are children of one, which has all their calls."""

    def setUp(self) -> None:
        """Make the parent of all mocks."""
        super().setUp()
        self.master_mock = mock.Mock(name='master_mock')

    def patch(  # type: ignore[override]
        self, target: str, autospec: bool = True, **kwargs: typing.Any
    ) -> typing.Any:
        """Have something replaced until the test is over."""
        patcher = mock.patch(target, autospec=autospec, **kwargs)
        made = patcher.start()
        self.addCleanup(patcher.stop)
        self.master_mock.attach_mock(made, target.rpartition('.')[2])
        return made

    def patchClass(
        self,
        module: typing.Any,
        name: str,
        autospec: bool = True,
        attach_as: str | None = None,
    ) -> tuple[typing.Any, typing.Any]:
        """Have a class replaced; return its mock and that of instances."""
        spec: typing.Any = {'autospec': True} if autospec else {}
        instance = mock.MagicMock(
            spec_set=getattr(module, name) if autospec else None
        )
        patcher = mock.patch.object(module, name, **spec)
        made = patcher.start()
        made.return_value = instance
        self.addCleanup(patcher.stop)
        attach_as = attach_as or name
        self.master_mock.attach_mock(made, f'{attach_as}_class')
        self.master_mock.attach_mock(instance, attach_as)
        return made, instance

    def resetMasterMock(self) -> None:
        """Forget all calls."""
        self.master_mock.reset_mock()


class CapturingLoggingHandler(logging.Handler):
    """Keeps what is logged."""

    def __init__(self, level: int = logging.DEBUG) -> None:
        super().__init__(level=level)
        self._records: list[logging.LogRecord] = []

    @property
    def counts(self) -> dict[int, int]:
        """How many records there were, by level."""
        counts: dict[int, int] = {}
        for record in self._records:
            counts[record.levelno] = counts.get(record.levelno, 0) + 1
        return counts

    @property
    def messages(self) -> list[str]:
        """The messages, with their arguments in."""
        return [record.getMessage() for record in self._records]

    @property
    def exc_infos(self) -> list[typing.Any]:
        """What exceptions the records came with."""
        return [record.exc_info for record in self._records if record.exc_info]

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self._records.append(record)

    def reset(self) -> None:
        """Forget all records."""
        self.acquire()
        try:
            self._records.clear()
        finally:
            self.release()

    def close(self) -> None:
        """Forget all records, and keep no more."""
        super().close()
        self.reset()
