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

"""What a program says of itself when it starts."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping
import typing

from taskflow_service import version

_Chapter = Mapping[typing.Any, typing.Any] | Collection[typing.Any]


def make_banner(what: str, chapters: Mapping[str, _Chapter]) -> str:
    """Return lines that name a thing and list its chapters.

    :param chapters: by their titles, dictionaries or lists

    Raises TypeError for a chapter that is neither.
    """
    lines = [f'{version.TASK_PRODUCT} v{version.version_string()}']
    lines.append(f'*{what}*')
    for title in sorted(chapters):
        chapter = chapters[title]
        lines.append(f'{title}:')
        if isinstance(chapter, Mapping):
            entries = [f'{key} => {chapter[key]}' for key in chapter]
        elif isinstance(chapter, (list, tuple, set, frozenset)):
            entries = [
                f'{number}. {entry}'
                for number, entry in enumerate(chapter, start=1)
            ]
        else:
            raise TypeError(
                f'A chapter of a banner is a dict, list, tuple or set, not '
                f'{type(chapter)}'
            )
        lines += [f'  {entry}' for entry in entries]
    return '\n'.join(lines)
