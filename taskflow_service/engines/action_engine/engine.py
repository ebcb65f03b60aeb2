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

"""The local engines under TaskFlow's names.

These are what the names ``serial`` and ``parallel`` give: programs patch
``ActionEngine.run`` and derive from the others, and the transcript of a
listener shows the path of its engine's class.
"""

from __future__ import annotations

from taskflow_service.engines import engine
from taskflow_service.engines import local

ActionEngine = engine.Engine


class SerialActionEngine(local.SerialEngine):
    """Runs one task after the other, in the thread that calls ``run()``."""


class ParallelActionEngine(local.ParallelEngine):
    """Runs tasks that do not depend on each other at the same time."""
