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
"""Directives ``pipeline`` and ``sequence``: how the code hangs together.

``.. pipeline::`` draws the stages that a task goes through, with the rooms of
the code that do it; a room that is not there fails the build. ``.. sequence::
turn`` and ``.. sequence:: remote`` draw who talks to whom, in which order;
``.. topology::`` what runs where.
"""

from __future__ import annotations

from typing import Any
from typing import NamedTuple

from docutils import nodes
from docutils.parsers import rst
import drawing
import source_names

PURE = '#e3edf9'
EDGE = '#f9efdc'
_BAND = '#f7f7f7'


class Stage(NamedTuple):
    """One stage of the pipeline: what it does, where, to what."""

    name: str
    rooms: tuple[str, ...]
    gives: str
    pure: bool


STAGES = (
    Stage('define', ('task.py', 'flow.py', 'patterns'), 'Flow', True),
    Stage('compile', ('plan/compiler.py',), 'Plan', True),
    Stage('decide', ('decisions',), 'what is next', True),
    Stage('persist', ('storage', 'persistence'), 'one commit', False),
    Stage('dispatch', ('executors', 'messaging'), 'Request', False),
    Stage('run', ('worker',), 'Outcome', False),
    Stage('complete', ('decisions/completion.py',), 'transitions', True),
)


class Pipeline(rst.Directive):
    """Draw the stages in a row, and the loop that goes round them."""

    def run(self) -> list[nodes.Node]:
        for stage in STAGES:
            for room in stage.rooms:
                wrong = source_names.missing(room)
                if wrong is not None:
                    raise self.error(wrong)
        return [_pipeline()]


def _lines(room: str) -> list[str]:
    if not room.endswith('.py'):
        return [f'{room}/']
    folder, slash, module = room.removesuffix('.py').rpartition('/')
    return [folder + slash, module] if slash else [module]


def _pipeline() -> nodes.Node:
    width, height, gap, top = 118, 92, 18, 12
    boxes = []
    for index, stage in enumerate(STAGES):
        rooms = [_lines(room) for room in stage.rooms]
        boxes.append(
            drawing.Box(
                8 + index * (width + gap),
                top,
                width,
                height,
                [line for lines in rooms for line in lines],
                fill=PURE if stage.pure else EDGE,
                title=stage.name,
            )
        )
    parts = [box.draw() for box in boxes]
    for before, after in zip(boxes, boxes[1:], strict=False):
        y = before.middle[1]
        parts.append(drawing.line([(before.x + width, y), (after.x - 1, y)]))
    low = top + height + 16
    for stage, box in zip(STAGES, boxes, strict=True):
        x = box.middle[0]
        parts.append(
            drawing.text(x, low, stage.gives, colour=drawing.QUIET, size=12)
        )
    first, last = boxes[2].middle[0], boxes[-1].middle[0]
    turn = low + 44
    parts.append(
        drawing.line(
            [
                (last, low + 12),
                (last, turn),
                (first, turn),
                (first, low + 11),
            ]
        )
    )
    middle = (first + last) / 2
    parts.append(
        f'<rect x="{middle - 130:g}" y="{turn - 12:g}" width="260" '
        f'height="24" fill="#ffffff"/>'
    )
    parts.append(
        drawing.text(middle, turn, 'the loop: engines/, a turn at a time')
    )
    for x, fill, words in (
        (8, PURE, 'pure: no I/O, no thread'),
        (8, EDGE, 'I/O at the edges'),
    ):
        y = turn - 22 if fill == PURE else turn + 2
        parts.append(
            f'<rect x="{x}" y="{y:g}" width="18" height="14" fill="{fill}" '
            f'stroke="{drawing.INK}"/>'
        )
        parts.append(
            drawing.text(x + 26, y + 7, words, anchor='start', size=12)
        )
    across = boxes[-1].x + width + 8
    return drawing.picture(
        across, turn + 24, parts, 'The stages that a task goes through'
    )


class Step(NamedTuple):
    """One arrow from lane to lane; the same lane twice: done there."""

    source: int
    target: int
    words: str


class Sequence(NamedTuple):
    """Lanes, and phases of steps from the top to the bottom."""

    title: str
    lanes: tuple[str, ...]
    phases: tuple[tuple[str, tuple[Step, ...]], ...]


SEQUENCES = {
    'turn': Sequence(
        'A turn of one flow',
        ('loop', 'record', 'user code', 'decisions/', 'executor', 'logbook'),
        (
            (
                'take',
                (
                    Step(4, 0, 'outcomes, through the inbox'),
                    Step(0, 1, 'stage SUCCESS and the result'),
                    Step(0, 2, 'tell the listeners'),
                    Step(0, 3, 'succeeded(): what is ready now?'),
                    Step(3, 2, 'questions: decider? retry?'),
                    Step(2, 3, 'answers'),
                ),
            ),
            ('place', (Step(0, 4, 'place(): room, and where'),)),
            (
                'announce',
                (
                    Step(0, 1, 'stage RUNNING; bind the arguments'),
                    Step(0, 2, 'tell the listeners'),
                ),
            ),
            (
                'commit',
                (Step(1, 5, 'one commit, of all flows that moved'),),
            ),
            (
                'start',
                (
                    Step(0, 4, 'recorded() of what ended'),
                    Step(0, 4, 'start() of what was placed'),
                    Step(0, 2, 'on_committed()'),
                ),
            ),
        ),
    ),
    'remote': Sequence(
        'A remote request',
        ('loop', 'protocol/engine', 'bus', 'protocol/worker', 'task'),
        (
            (
                'find',
                (
                    Step(0, 1, 'place(): demand'),
                    Step(1, 3, 'who: can anybody serve demo.hello?'),
                    Step(3, 1, 'report: credit for so many'),
                    Step(1, 0, 'placed at this incarnation'),
                ),
            ),
            (
                'run',
                (
                    Step(0, 0, 'commit RUNNING, request_uuid, worker'),
                    Step(1, 3, 'orders: execute, with the grant it spends'),
                    Step(3, 4, 'start, if the grant is fresh'),
                    Step(3, 1, 'report, each heartbeat: held'),
                    Step(4, 3, 'finished'),
                ),
            ),
            (
                'record',
                (
                    Step(3, 1, 'report: outcome, until it is recorded'),
                    Step(1, 0, 'Outcome'),
                    Step(0, 0, 'commit SUCCESS'),
                    Step(1, 3, 'orders: recorded; forget it'),
                ),
            ),
        ),
    ),
}

_ROW, _HEAD = 30, 52


class SequencePicture(rst.Directive):
    """``.. sequence:: turn``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        if self.arguments[0] not in SEQUENCES:
            raise self.error(f'no sequence {self.arguments[0]!r}')
        return [_sequence(SEQUENCES[self.arguments[0]])]


def _sequence(what: Sequence) -> nodes.Node:
    left, across = 78, 160
    lanes = [left + 66 + index * across for index in range(len(what.lanes))]
    width = lanes[-1] + 76
    parts = []
    arrows = []
    y = float(_HEAD)
    for index, (phase, steps) in enumerate(what.phases):
        height = _ROW * len(steps) + 10
        if not index % 2:
            parts.append(
                f'<rect x="0" y="{y:g}" width="{width:g}" '
                f'height="{height:g}" fill="{_BAND}"/>'
            )
        arrows.append(
            drawing.text(12, y + height / 2, phase, bold=True, anchor='start')
        )
        for number, step in enumerate(steps):
            at = y + 24 + number * _ROW
            arrows += _arrow(lanes, step, at)
        y += height
    for x, name in zip(lanes, what.lanes, strict=True):
        parts.append(
            drawing.line(
                [(x, 40), (x, y)], arrow=False, dashed=True, colour='#bbbbbb'
            )
        )
        parts.append(
            drawing.Box(
                x - 66, 8, 132, 32, [name], fill=PURE, bold=True
            ).draw()
        )
    return drawing.picture(width, y + 6, [*parts, *arrows], what.title)


def _arrow(lanes: list[float], step: Step, y: float) -> list[str]:
    start, end = lanes[step.source], lanes[step.target]
    if start == end:
        dot = f'<circle cx="{start:g}" cy="{y:g}" r="4" fill="{drawing.INK}"/>'
        return [dot, *_words(start + 8, y, step.words, 'start')]
    drawn = drawing.line([(start, y), (end, y)])
    return [drawn, *_words(min(start, end) + 8, y - 9, step.words, 'start')]


def _words(x: float, y: float, words: str, anchor: str) -> list[str]:
    return [drawing.text(x, y, words, anchor=anchor, size=12)]


class Topology(rst.Directive):
    """Draw what runs where in a deployment."""

    def run(self) -> list[nodes.Node]:
        return [_topology()]


def _topology() -> nodes.Node:
    service = drawing.Box(
        8,
        20,
        200,
        96,
        ['the flow, the engine,', 'its listeners and retries'],
        fill=PURE,
        title='your service (any number)',
    )
    worker = drawing.Box(
        492,
        20,
        230,
        96,
        ['worker processes,', 'task processes in them'],
        fill=PURE,
        title='taskflow-worker (any number)',
    )
    broker = drawing.Box(
        280, 44, 140, 48, ['oslo.messaging'], fill=EDGE, title='RabbitMQ'
    )
    logbook = drawing.Box(
        8,
        180,
        200,
        64,
        ['PostgreSQL, MySQL, MariaDB:', 'states, results, owners'],
        fill=EDGE,
        title='database',
    )
    kept = drawing.Box(
        492,
        180,
        230,
        64,
        ['names and locks,', 'outcomes not delivered'],
        fill=EDGE,
        title='state_path (of each host)',
    )
    parts = [
        drawing.line([(212, 60), (278, 60)]),
        drawing.line([(278, 78), (212, 78)]),
        drawing.line([(422, 60), (490, 60)]),
        drawing.line([(490, 78), (422, 78)]),
        drawing.text(246, 48, 'orders', size=11),
        drawing.text(246, 92, 'reports', size=11),
        drawing.line([(108, 118), (108, 178)]),
        drawing.text(116, 148, 'one commit a turn', anchor='start', size=12),
        drawing.line([(607, 118), (607, 178)]),
        drawing.text(
            350, 250, 'Workers need no database.', colour=drawing.QUIET
        ),
    ]
    parts += [box.draw() for box in (service, worker, broker, logbook, kept)]
    return drawing.picture(730, 266, parts, 'What runs where')


def setup(app: Any) -> dict[str, Any]:
    app.add_directive('pipeline', Pipeline)
    app.add_directive('sequence', SequencePicture)
    app.add_directive('topology', Topology)
    return {'version': '1', 'parallel_read_safe': True}
