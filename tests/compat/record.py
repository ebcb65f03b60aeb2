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

"""Record what the programs print with TaskFlow 6.5.0.

``python -m tests.compat.record [NAME...]`` needs taskflow==6.5.0 installed;
the tests do not. ``--ours`` prints what they print with this package, and
``--differs`` keeps it, for programs that differ on purpose.
"""

from __future__ import annotations

from importlib import metadata
import sys
import warnings

from tests.compat import transcripts

VERSION = '6.5.0'


def main(arguments: list[str]) -> int:
    """Record the transcripts of all programs, or of those that are named."""
    ours = '--ours' in arguments
    differs = '--differs' in arguments
    names = [each for each in arguments if not each.startswith('--')]
    if not (ours or differs) and metadata.version('taskflow') != VERSION:
        print(f'taskflow=={VERSION} is needed to record', file=sys.stderr)
        return 1
    warnings.simplefilter('ignore')
    for name in names or transcripts.names():
        if ours:
            print(transcripts.transcript(name, 'taskflow_service'), end='')
            continue
        package = 'taskflow_service' if differs else 'taskflow'
        folder = transcripts.DIFFERS if differs else transcripts.EXPECTED
        text = transcripts.transcript(name, package)
        (folder / f'{name}.txt').write_text(text)
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
