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

"""What a worker's process tells of itself: a line a minute, and a report.

The Guru Meditation Report, on SIGUSR2, is oslo.reports': threads, stacks and
configuration. Ours is the section that an operator of workers looks for
first: what runs, and since when.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
import os
import time
import typing

from oslo_config import cfg
from oslo_reports import guru_meditation_report as gmr
from oslo_reports import opts
from oslo_reports.generators import conf as conf_report
from oslo_reports.models import base


class Request(typing.Protocol):
    """What is shown of a request."""

    @property
    def action(self) -> str: ...

    @property
    def atom(self) -> str: ...

    @property
    def task(self) -> str: ...

    @property
    def attempt(self) -> int: ...

    @property
    def flow_uuid(self) -> str: ...

    @property
    def request_uuid(self) -> str: ...


Running = Callable[[], Iterable[tuple[Request, float]]]


def set_up(
    conf: cfg.ConfigOpts, version: typing.Any, running: Running
) -> None:
    """Show a report on SIGUSR2, or as ``[oslo_reports]`` says otherwise.

    ``running`` lists requests and when they started, in seconds since the
    epoch. Must be called in the main thread.
    """
    opts.set_defaults(conf)
    gmr.TextGuruMeditation.register_section(
        'Running requests', lambda: _Section(running())
    )
    # Theirs is that of the global configuration, which is not ours.
    gmr.TextGuruMeditation.register_section(
        'Configuration in use', conf_report.ConfigReportGenerator(conf)
    )
    gmr.TextGuruMeditation.setup_autorun(
        version, service_name=f'taskflow-worker-{os.getpid()}', conf=conf
    )


def summary(before: Mapping[str, int], now: Mapping[str, int]) -> str | None:
    """Say what was done between two counts, None if nothing was.

    A count under ``running`` is of now, all others are of everything so far.
    """
    done = [
        f'{count - before.get(what, 0)} {what}'
        for what, count in sorted(now.items())
        if what != 'running' and count > before.get(what, 0)
    ]
    running = now.get('running', 0)
    if not done and not running:
        return None
    return f'{", ".join(done) or "nothing ended"}; {running} running'


class _Section(base.ReportModel):
    def __init__(self, running: Iterable[tuple[Request, float]]) -> None:
        now = time.time()
        lines = [_line(request, now - started) for request, started in running]
        super().__init__(
            {'requests': lines},
            attached_view=lambda model: '\n'.join(model['requests']) or 'none',
        )


def _line(request: Request, age: float) -> str:
    return (
        f'{request.action} {request.atom} ({request.task}) attempt '
        f'{request.attempt} of flow {request.flow_uuid}, request '
        f'{request.request_uuid}, for {age:.0f} s'
    )
