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
"""``timeline`` draws what happens when; ``default`` and ``said`` quote code.

``.. timeline:: silent`` draws, from the top to the bottom, what the sides of
a deployment do as time goes by; its times are the defaults of the options, so
that they cannot fall behind them. ``:default:`remote lease``` writes the
default of one option. ``:said:`Cannot send over``` writes words of the log;
words that stand nowhere in the code are a warning, and so an error of the
build.
"""

from __future__ import annotations

import ast
import functools
import pathlib
import re
from typing import Any
from typing import NamedTuple

from docutils import nodes
from docutils.parsers import rst
import drawing
from oslo_config import cfg
import pictures
from sphinx.util import docutils
from sphinx.util import logging

from taskflow_service import conf as service_conf
from taskflow_service.service import daemon

LOG = logging.getLogger(__name__)

ROOT = pathlib.Path(__file__).parents[3]
UNIT = ROOT / 'etc/taskflow_service/systemd/taskflow-worker.service'

_LEFT, _ACROSS, _ROW, _HEAD = 96, 320, 42, 52


@functools.cache
def _conf() -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    service_conf.register_opts(conf)
    conf([], default_config_files=[], default_config_dirs=[])
    return conf


def default(group: str, option: str) -> Any:
    """Return the default of an option; raises if there is no such one."""
    return _conf()[group][option]


def unit_time(name: str) -> int:
    """Return one of the times of the systemd unit."""
    found = re.search(rf'^{name}=(\d+)$', UNIT.read_text(), re.MULTILINE)
    if found is None:
        raise LookupError(f'{UNIT.name} has no {name}')
    return int(found.group(1))


class Moment(NamedTuple):
    """What one side does at a time; two lines at the most."""

    when: str
    lane: int
    lines: tuple[str, ...]


class Timeline(NamedTuple):
    """What happens in which order."""

    title: str
    lanes: tuple[str, ...]
    moments: tuple[Moment, ...]


def _seconds(number: float) -> str:
    return f'{number:g} s'


def _silent() -> Timeline:
    lease, lost = default('remote', 'lease'), default('remote', 'lost_after')
    margin = max(1.0, lease / 10)
    return Timeline(
        'A worker is not heard any more',
        ('engine', 'worker without a link'),
        (
            Moment('0 s', 0, ('the last report arrives',)),
            Moment('0 s', 1, ('its link breaks; tasks run on',)),
            Moment(
                _seconds(lease / 3),
                0,
                (
                    'no report came: it asks',
                    '(a third of the lease)',
                ),
            ),
            Moment(
                _seconds(lease),
                0,
                (
                    'suspect: gets no new work;',
                    'idempotent tasks run elsewhere',
                ),
            ),
            Moment(
                _seconds(lost - margin),
                1,
                (
                    'fences itself: cancels, keeps',
                    'outcomes, exits, starts anew',
                ),
            ),
            Moment(
                _seconds(lost),
                0,
                (
                    'lost: a probe decides, or the',
                    'task fails with WorkerLost',
                ),
            ),
        ),
    )


def _dead_engine() -> Timeline:
    lease = default('engine', 'lease')
    return Timeline(
        "An engine's process dies",
        ('an engine that adopts', 'worker with one of its tasks'),
        (
            Moment('0 s', 1, ('the task runs on',)),
            Moment(
                f'by {_seconds(lease / 3)}',
                0,
                (
                    'on the same host: its lock is free,',
                    'the flow is adopted',
                ),
            ),
            Moment(
                _seconds(default('remote', 'lease')),
                1,
                (
                    'tells all engines what it holds',
                    'for the one that is silent',
                ),
            ),
            Moment(
                f'{_seconds(lease)} +',
                0,
                (
                    'on another host: its row is',
                    'unchanged for a lease',
                ),
            ),
            Moment(
                f'by {_seconds(lease * 5 / 3)}',
                0,
                (
                    'the flow is adopted, and the',
                    'worker asked for the task',
                ),
            ),
            Moment('then', 1, ('answers: runs on, or the outcome',)),
        ),
    )


def _drain() -> Timeline:
    grace = default('worker', 'graceful_shutdown_timeout')
    cancelled = grace + default('worker', 'cancel_grace')
    return Timeline(
        'A worker is asked to end',
        ('taskflow-worker', 'service manager'),
        (
            Moment('0 s', 1, ('SIGTERM to the first process',)),
            Moment(
                '0 s',
                0,
                (
                    'takes nothing new; hands back',
                    'what has not begun',
                ),
            ),
            Moment('any time', 0, ('all is recorded: exits with 0',)),
            Moment(
                _seconds(grace),
                0,
                (
                    'cancels what still runs',
                    '(graceful_shutdown_timeout)',
                ),
            ),
            Moment(
                _seconds(cancelled),
                0,
                (
                    'kills task processes; outcomes go',
                    'to disk (cancel_grace)',
                ),
            ),
            Moment(
                _seconds(cancelled + daemon.CLOSING_TIME),
                0,
                (
                    'the first process kills those that',
                    'are left, exits with 1',
                ),
            ),
            Moment(
                _seconds(unit_time('TimeoutStopSec')),
                1,
                ('systemd kills (TimeoutStopSec)',),
            ),
        ),
    )


TIMELINES = {'silent': _silent, 'dead-engine': _dead_engine, 'drain': _drain}


class Picture(rst.Directive):
    """``.. timeline:: silent``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        if self.arguments[0] not in TIMELINES:
            raise self.error(f'no timeline {self.arguments[0]!r}')
        return [_draw(TIMELINES[self.arguments[0]]())]


def _draw(what: Timeline) -> nodes.Node:
    lanes = [_LEFT + 20 + at * _ACROSS for at in range(len(what.lanes))]
    height = _HEAD + _ROW * len(what.moments) + 8
    width = lanes[-1] + _ACROSS - 30
    parts = []
    for x, name in zip(lanes, what.lanes, strict=True):
        parts.append(
            drawing.Box(
                x - 20, 8, 250, 32, [name], fill=pictures.PURE, bold=True
            ).draw()
        )
        parts.append(
            drawing.line(
                [(x, 40), (x, height)],
                arrow=False,
                dashed=True,
                colour='#bbbbbb',
            )
        )
    for number, moment in enumerate(what.moments):
        y = _HEAD + _ROW * number + _ROW / 2
        x = lanes[moment.lane]
        parts.append(
            drawing.text(_LEFT - 14, y, moment.when, bold=True, anchor='end')
        )
        parts.append(
            f'<circle cx="{x:g}" cy="{y:g}" r="4" fill="{drawing.INK}"/>'
        )
        top = y - drawing.LINE * (len(moment.lines) - 1) / 2
        for line, words in enumerate(moment.lines):
            parts.append(
                drawing.text(
                    x + 12,
                    top + drawing.LINE * line,
                    words,
                    anchor='start',
                    size=12,
                )
            )
    return drawing.picture(width, height, parts, what.title)


class Default(docutils.SphinxRole):
    """The default of an option, in seconds."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            group, option = self.text.split()
            words = _seconds(default(group, option))
        except Exception as error:
            LOG.warning(
                'no default of %r: %s',
                self.text,
                error,
                location=self.get_location(),
            )
            words = self.text
        return [nodes.Text(words)], []


@functools.cache
def _texts() -> str:
    """Return all strings of the code, those that are written in parts too."""
    found = []
    for path in sorted((ROOT / 'taskflow_service').rglob('*.py')):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return '\n'.join(found).lower()


class Said(docutils.SphinxRole):
    """Words of the log."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        words = ' '.join(self.text.split())
        if words.lower() not in _texts():
            LOG.warning('nothing says %r', words, location=self.get_location())
        return [nodes.literal('', words)], []


def setup(app: Any) -> dict[str, Any]:
    app.add_directive('timeline', Picture)
    app.add_role('default', Default())
    app.add_role('said', Said())
    return {'version': '1', 'parallel_read_safe': True}
