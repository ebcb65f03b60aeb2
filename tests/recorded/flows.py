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
"""The flows in recorded databases: their factories stay where they are."""

from __future__ import annotations

import collections
import datetime
import typing

from taskflow_service import retry
from taskflow_service import task
from taskflow_service.patterns import linear_flow

#: What happened in this process, by flow; a recorder and a replay look.
effects: collections.defaultdict[str, list[str]] = collections.defaultdict(
    list
)
#: Called by the task of a name, once.
on_task: dict[str, typing.Callable[[], None]] = {}

VALUE = {
    'when': datetime.datetime(2026, 11, 24, 12, 0, tzinfo=datetime.UTC),
    'bytes': b'\x00\xff',
    'tuple': (1, 2.5, None),
    'text': 'caf\u00e9 \u2603',
}


def _note(what: str) -> task.Attempt:
    attempt = task.current()
    assert attempt is not None
    effects[attempt.flow_uuid].append(f'{what} {attempt.atom}')
    return attempt


def _hook(name: str) -> None:
    on_task.pop(name, lambda: None)()


class Give(task.Task):
    default_provides = 'value'
    idempotent = True

    def execute(self) -> typing.Any:
        _note('execute')
        _hook('give')
        return VALUE

    def revert(self, **kwargs: typing.Any) -> None:
        _note('revert')


class Pause(task.Task):
    idempotent = True

    def execute(self, value: typing.Any) -> typing.Any:
        _note('execute')
        _hook('pause')
        return value


class Fail(task.Task):
    def execute(self, failures: int) -> str:
        number = _note('execute').try_number
        if failures < 0 or number <= failures:
            raise ValueError('not yet')
        return 'in the end'


def good(name: str) -> linear_flow.Flow:
    return linear_flow.Flow(name).add(Give('give'), Pause('pause'))


def failing(name: str) -> linear_flow.Flow:
    return linear_flow.Flow(name).add(
        Give('give'), Fail('fail', inject={'failures': -1})
    )


def retried(name: str) -> linear_flow.Flow:
    return linear_flow.Flow(name, retry.Times(3, 'times')).add(
        Give('give'), Fail('fail', provides='end', inject={'failures': 1})
    )
