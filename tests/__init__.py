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
"""Tests of taskflow_service; each folder below is one stage.

The threading back end of oslo.service is chosen before anything imports
oslo.messaging, as our own programs do; eventlet must never come in with one
of the libraries, and the hook below turns such an import into an error.
"""

from __future__ import annotations

from collections.abc import Sequence
import importlib.abc
import importlib.machinery
import sys
from types import ModuleType


class _RefuseEventlet(importlib.abc.MetaPathFinder):
    """Make an import of eventlet fail as if it were not installed."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition('.')[0] == 'eventlet':
            raise ImportError('eventlet is not used in this project')
        return None


sys.meta_path.insert(0, _RefuseEventlet())

from oslo_service import backend  # noqa: E402 - after the hook

backend.init_backend(backend.BackendType.THREADING)
