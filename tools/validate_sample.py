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
"""Validate a generated sample with every option uncommented.

``validate_sample.py SAMPLE``: what an operator finds in the sample must be
accepted by ``oslo-config-validator`` when it is uncommented.
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
import tempfile

GENERATOR = 'etc/taskflow_service/config-generator.conf'
_OPTION = re.compile(r'^#([A-Za-z][\w-]*) ?=', re.MULTILINE)


def main(argv: list[str]) -> int:
    sample = pathlib.Path(argv[0]).read_text(encoding='utf-8')
    options, found = _OPTION.subn(r'\1 =', sample)
    if not found:
        print(f'{argv[0]}: no option in it')
        return 1
    with tempfile.TemporaryDirectory() as folder:
        whole = pathlib.Path(folder, 'whole.conf')
        whole.write_text(options, encoding='utf-8')
        code = subprocess.run(
            [
                'oslo-config-validator',
                '--config-file',
                GENERATOR,
                '--input-file',
                str(whole),
            ],
            check=False,
        ).returncode
    print(f'{argv[0]}: {found} options, exit code {code}')
    return code


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
