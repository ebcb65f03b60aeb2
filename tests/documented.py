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

A command is a line that starts with ``$`` in a ``console`` block; a backslash
at the end of a line continues it. Elsewhere, in a literal block or within a
sentence, it is told by its first word, the name of a program, and by a second
one: a name alone is a name.
"""

from __future__ import annotations

from collections.abc import Iterator
import os
import pathlib
import re
import shutil
import sys
import textwrap
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parent.parent

_BLOCK = re.compile(
    r'^( *)\.\. code-block:: (\w+)\n\n((?:\1 +[^\n]*\n|\n)+)', re.MULTILINE
)
_LITERAL = re.compile(
    r'^( *)(?!\.\. code-block)[^\n]*::\n\n((?:\1 +[^\n]*\n|\n)+)', re.MULTILINE
)
_INLINE = re.compile(r'(?<!`)``([^`]+)``(?!`)')
_PROMPT = re.compile(r'^\s*\$ ', re.MULTILINE)
#: Found also where they are not installed.
_PROGRAMS = frozenset(
    'apt-get bash curl docker git image-service journalctl kubectl mariadb '
    'mariadb-dump mysql mysqldump openssl pg_dump pip psql python python3 '
    'rabbitmqctl reno sqlite3 sudo systemctl taskflow-manage taskflow-status '
    'taskflow-worker tox useradd'.split()
)
#: What only looks like a command.
_NAMES = frozenset({'kill -9'})


class Command(NamedTuple):
    """One command and where it stands."""

    path: pathlib.Path
    text: str

    def __str__(self) -> str:
        return f'{os.path.relpath(self.path, ROOT)}: {self.text}'


def pages() -> list[pathlib.Path]:
    """Return all pages, those at the root of the repository first."""
    folders = ('doc/source', 'etc', 'examples', 'tests')
    return [
        *sorted(ROOT.glob('*.rst')),
        *(
            p
            for each in folders
            for p in sorted(ROOT.glob(f'{each}/**/*.rst'))
        ),
    ]


def console_commands(path: pathlib.Path) -> Iterator[Command]:
    """Yield the commands of the ``console`` blocks of a page, in order."""
    for language, text in blocks(path):
        if language == 'console':
            for command in commands(text):
                yield Command(path, command)


def literal_commands(path: pathlib.Path) -> Iterator[Command]:
    """Yield what looks like a command in literal blocks of a page."""
    for block in _LITERAL.finditer(path.read_text(encoding='utf-8')):
        text = textwrap.dedent(block.group(2))
        if _is_command(text.removeprefix('$ ').splitlines()[0]):
            yield Command(path, text.strip())


def inline_commands(path: pathlib.Path) -> Iterator[Command]:
    """Yield what looks like a command within the sentences of a page."""
    for literal in _INLINE.findall(path.read_text(encoding='utf-8')):
        text = re.sub(r'\n *', ' ', literal)
        if _is_command(text):
            yield Command(path, text)


def _is_command(text: str) -> bool:
    program, _, rest = text.partition(' ')
    # What is aligned to a column is a table or a picture.
    if not rest or rest.startswith(' ') or text in _NAMES:
        return False
    folders = [os.path.dirname(sys.executable), *os.get_exec_path()]
    return (
        program.rpartition('/')[2] in _PROGRAMS
        or shutil.which(program, path=os.pathsep.join(folders)) is not None
    )


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
