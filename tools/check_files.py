#!/usr/bin/env python3
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
"""Check files that no other tool reads: ``check_files.py text|yaml FILE...``.

``text``: no white space at the end of a line, one newline at the end of the
file, unix line ends, no byte order mark, no leftover of a merge.
``yaml``: the file can be read.
"""

from __future__ import annotations

from collections.abc import Iterator
import pathlib
import sys

try:
    import yaml
except ImportError:  # only the hook that checks YAML brings it
    yaml = None

_MERGE = (b'<<<<<<< ', b'>>>>>>> ')


def text(path: pathlib.Path) -> Iterator[str]:
    content = path.read_bytes()
    if content.startswith(b'\xef\xbb\xbf'):
        yield 'starts with a byte order mark'
    if content and (not content.endswith(b'\n') or content.endswith(b'\n\n')):
        yield 'does not end with exactly one newline'
    for number, line in enumerate(content.splitlines(keepends=True), 1):
        if line.endswith(b'\r\n'):
            yield f'line {number}: not a unix line end'
        elif line.rstrip(b'\n') != line.rstrip():
            yield f'line {number}: white space at its end'
        if line.startswith(_MERGE):
            yield f'line {number}: leftover of a merge'


def read_yaml(path: pathlib.Path) -> Iterator[str]:
    try:
        list(yaml.safe_load_all(path.read_text(encoding='utf-8')))
    except yaml.YAMLError as exc:
        yield str(exc)


def main(argv: list[str]) -> int:
    check = {'text': text, 'yaml': read_yaml}[argv[0]]
    wrong = [
        f'{name}: {problem}'
        for name in argv[1:]
        for problem in check(pathlib.Path(name))
    ]
    print('\n'.join(wrong), end='\n' if wrong else '')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
