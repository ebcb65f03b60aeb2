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

"""Which version this is."""

from __future__ import annotations

from pbr import version as pbr_version

TASK_VENDOR = 'taskflow-service developers'
TASK_PRODUCT = 'taskflow-service'
#: What a distributor appends to the version.
TASK_PACKAGE: str | None = None

_INFO = pbr_version.VersionInfo('taskflow-service')


def version_string() -> str:
    """Return the version."""
    return str(_INFO.version_string())


def version_string_with_package() -> str:
    """Return the version, and a distributor's addition if there is one."""
    version = version_string()
    return f'{version}-{TASK_PACKAGE}' if TASK_PACKAGE else version
