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
"""Print the K-th command of the README's quick start: ``README.rst K``."""

from __future__ import annotations

import pathlib
import re
import sys

_SECTION = re.compile(
    r'^Quick start\n=+\n(.*?)(?=^[^\n]+\n={3,}\n|\Z)', re.DOTALL | re.MULTILINE
)
_BLOCK = re.compile(r'::\n\n((?:    [^\n]*\n|\n)+)')


def blocks(readme: str) -> list[str]:
    """Return the literal blocks of the quick start, without their indent."""
    section = _SECTION.search(readme)
    if section is None:
        return []
    return [
        '\n'.join(line[4:] for line in block.strip('\n').splitlines())
        for block in _BLOCK.findall(section.group(1))
    ]


def main(argv: list[str]) -> int:
    found = blocks(pathlib.Path(argv[0]).read_text(encoding='utf-8'))
    number = int(argv[1])
    if len(found) < number:
        print(f'{argv[0]}: {len(found)} commands', file=sys.stderr)
        return 1
    print(found[number - 1])
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
