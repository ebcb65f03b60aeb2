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
"""Directive ``state-machine``: what the engine obeys, as table and picture.

``.. state-machine:: flow`` reads the enumeration and the transition table of
that kind of thing in ``taskflow_service.states``: the words, the comment of
each, what it may become. Nothing is written here but where a state stands in
the picture, and a state that stands nowhere is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
import enum
from typing import Any
from typing import NamedTuple

from docutils import nodes
from docutils.parsers import rst
from docutils.statemachine import StringList
import drawing
from sphinx import pycode

from taskflow_service import states

_WIDTH, _HEIGHT = 134, 34
_ACROSS, _DOWN = 196, 84
#: Room above the first row for what is bent over it.
_TOP = 38

_ENDED = '#dcefdc'
_BAD = '#f6dcdc'
_COLOURS = {
    'SUCCESS': _ENDED,
    'COMPLETE': _ENDED,
    'FAILURE': _BAD,
    'REVERT_FAILURE': _BAD,
    'RUNNING': '#fdf3d1',
    'REVERTING': '#fdf3d1',
    'RETRYING': '#fdf3d1',
    'CLAIMED': '#fdf3d1',
}


class Machine(NamedTuple):
    """An enumeration, its transitions, and where each state is drawn."""

    words: type[enum.StrEnum]
    table: Mapping[Any, frozenset[Any]]
    #: Rows of the picture, '' where nothing stands.
    rows: tuple[tuple[str, ...], ...]


MACHINES = {
    'flow': Machine(
        states.FlowState,
        states.FLOW_TRANSITIONS,
        (
            ('PENDING', 'RUNNING', 'SUCCESS'),
            ('REVERTED', '', 'FAILURE'),
            ('SUSPENDED', 'SUSPENDING', ''),
            ('', 'RESUMING', ''),
        ),
    ),
    'task': Machine(
        states.TaskState,
        states.TASK_TRANSITIONS,
        (
            ('PENDING', 'RUNNING', 'SUCCESS'),
            ('IGNORE', '', 'FAILURE'),
            ('REVERTED', 'REVERT_FAILURE', 'REVERTING'),
        ),
    ),
    'retry': Machine(
        states.RetryState,
        states.RETRY_TRANSITIONS,
        (
            ('PENDING', 'RUNNING', 'SUCCESS', 'RETRYING'),
            ('IGNORE', '', 'FAILURE', ''),
            ('REVERTED', 'REVERT_FAILURE', 'REVERTING', ''),
        ),
    ),
    'job': Machine(
        states.JobState,
        states.JOB_TRANSITIONS,
        (('UNCLAIMED', 'CLAIMED', 'COMPLETE'),),
    ),
}


def _boxes(machine: Machine) -> dict[str, drawing.Box]:
    return {
        word: drawing.Box(
            10 + across * _ACROSS,
            _TOP + down * _DOWN,
            _WIDTH,
            _HEIGHT,
            [word],
            fill=_COLOURS.get(word, '#f2f5f9'),
        )
        for down, row in enumerate(machine.rows)
        for across, word in enumerate(row)
        if word
    }


def draw(name: str) -> nodes.Node:
    """Draw a machine; KeyError for a state that stands nowhere."""
    machine = MACHINES[name]
    boxes = _boxes(machine)
    parts = []
    for word in machine.words:
        for new in sorted(machine.table.get(word, ())):
            parts.append(
                drawing.link(
                    boxes[word],
                    boxes[new],
                    boxes.values(),
                    both=word in machine.table.get(new, ()),
                )
            )
    parts += [box.draw() for box in boxes.values()]
    width = _ACROSS * max(len(row) for row in machine.rows)
    height = _TOP + _DOWN * len(machine.rows) - 30
    return drawing.picture(
        width, height, parts, f'The states of a {name}, and what follows each'
    )


def table(machine: Machine) -> list[str]:
    """Write the table: state, meaning, what it may become."""
    source = pycode.ModuleAnalyzer.for_module('taskflow_service.states')
    comments = source.find_attr_docs()
    lines = [
        '.. list-table::',
        '   :header-rows: 1',
        '   :widths: 20 45 35',
        '',
        '   * - State',
        '     - Meaning',
        '     - May become',
    ]
    for word in machine.words:
        comment = comments.get((machine.words.__name__, word.name), [])
        becomes = [w for w in machine.words if w in machine.table[word]]
        lines += [
            f'   * - ``{word}``',
            '     - ' + ' '.join(filter(None, comment)),
            '     - ' + (', '.join(f'``{w}``' for w in becomes) or 'nothing'),
        ]
    return lines


class StateMachine(rst.Directive):
    """``.. state-machine:: flow`` (task, retry, job)."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        if name not in MACHINES:
            raise self.error(f'no state machine {name!r}')
        box = nodes.container()
        self.state.nested_parse(
            StringList(table(MACHINES[name]), 'states'), 0, box
        )
        return [draw(name), *box.children]


class Words(rst.Directive):
    """``.. words:: EngineState``: an enumeration without transitions."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        words = getattr(states, self.arguments[0])
        source = pycode.ModuleAnalyzer.for_module('taskflow_service.states')
        comments = source.find_attr_docs()
        lines = []
        for word in words:
            comment = comments.get((words.__name__, word.name), [])
            lines += [
                f'``{word}``',
                '    ' + (' '.join(filter(None, comment)) or 'As it says.'),
            ]
        box = nodes.container()
        self.state.nested_parse(StringList(lines, 'states'), 0, box)
        return list(box.children)


def setup(app: Any) -> dict[str, Any]:
    app.add_directive('state-machine', StateMachine)
    app.add_directive('words', Words)
    return {'version': '1', 'parallel_read_safe': True}
