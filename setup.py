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
"""Build script: all that a file can say stands in setup.cfg.

pbr takes the version from git, or from the metadata of a source archive.
Where there is neither - an unpacked copy, a clone that belongs to another user
and that git therefore does not read - the build should not fail for want of a
number.
"""

import os
import subprocess

import setuptools


def git_answers() -> bool:
    """Say whether git reads the repository that this file is in."""
    try:
        return not subprocess.run(
            ['git', 'rev-parse', 'HEAD'],  # noqa: S607
            check=False,
            capture_output=True,
        ).returncode
    except OSError:
        return False


if not os.path.exists('PKG-INFO') and not git_answers():
    os.environ.setdefault('PBR_VERSION', '0.0.0')

setuptools.setup(setup_requires=['pbr>=6.1.1'], pbr=True)
