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
"""The commands that the documentation shows, read from its sources.

A command is a line of a literal block of the README's quick start, or a line
that starts with ``$`` in a ``console`` block.  A backslash at the end of a
line continues it, ``<<EOF`` takes the lines up to ``EOF``.
"""

from __future__ import annotations

from collections.abc import Iterator
import pathlib
import re
import textwrap
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parent.parent

_BLOCK = re.compile(
    r'^( *)\.\. code-block:: (\w+)\n\n((?:\1 +[^\n]*\n|\n)+)', re.MULTILINE
)
_PROMPT = re.compile(r'^\s*\$ ', re.MULTILINE)


class Command(NamedTuple):
    """One command and where it stands."""

    path: pathlib.Path
    text: str

    def __str__(self) -> str:
        return f'{self.path.relative_to(ROOT)}: {self.text}'


def pages() -> list[pathlib.Path]:
    """Return all pages, those at the root of the repository first."""
    return [*sorted(ROOT.glob('*.rst')), *sorted(ROOT.glob('doc/**/*.rst'))]


def console_commands() -> Iterator[Command]:
    """Yield the commands of all ``console`` blocks of all pages."""
    for path in pages():
        for language, text in blocks(path):
            if language == 'console':
                for command in commands(text):
                    yield Command(path, command)


def blocks(path: pathlib.Path) -> Iterator[tuple[str, str]]:
    """Yield the code blocks of a page: language and text, in order."""
    for block in _BLOCK.finditer(path.read_text(encoding='utf-8')):
        yield block.group(2), textwrap.dedent(block.group(3))


def commands(text: str) -> Iterator[str]:
    """Yield the commands of a ``console`` block, without what they print."""
    for command in _PROMPT.split(text)[1:]:
        yield _joined(command.split('\n\n')[0])


def _joined(text: str) -> str:
    command = []
    for line in text.strip().splitlines():
        command.append(line.strip().removesuffix('\\').strip())
        if not line.rstrip().endswith('\\'):
            break
    return ' '.join(command)
