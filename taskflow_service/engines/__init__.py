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

"""Load and run flows.

``load`` makes an :class:`Engine` for a flow, ``run`` runs it at once.
``Loop`` drives many engines together.
"""

from __future__ import annotations

from taskflow_service.engines.adoption import Loop
from taskflow_service.engines.engine import Engine
from taskflow_service.engines.helpers import flow_from_detail
from taskflow_service.engines.helpers import load
from taskflow_service.engines.helpers import load_from_detail
from taskflow_service.engines.helpers import load_from_factory
from taskflow_service.engines.helpers import run
from taskflow_service.engines.helpers import save_factory_details

__all__ = (
    'Engine',
    'Loop',
    'flow_from_detail',
    'load',
    'load_from_detail',
    'load_from_factory',
    'run',
    'save_factory_details',
)
