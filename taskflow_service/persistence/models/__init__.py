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


"""Logbooks as objects.

A logbook holds flow details, a flow detail holds atom details. They are what
a client reads and edits through a connection; the engine's own record of a
running flow is a set of parallel lists that a flow detail looks into once it
is attached (:meth:`FlowDetail.attach`).
"""

from __future__ import annotations

from taskflow_service.persistence.models.atoms import atom_detail_class
from taskflow_service.persistence.models.atoms import atom_detail_type
from taskflow_service.persistence.models.atoms import ATOM_TYPES
from taskflow_service.persistence.models.atoms import AtomDetail
from taskflow_service.persistence.models.atoms import RetryDetail
from taskflow_service.persistence.models.atoms import TaskDetail
from taskflow_service.persistence.models.books import LogBook
from taskflow_service.persistence.models.flows import FlowDetail
from taskflow_service.persistence.models.flows import Source

__all__ = (
    'ATOM_TYPES',
    'AtomDetail',
    'FlowDetail',
    'LogBook',
    'RetryDetail',
    'Source',
    'TaskDetail',
    'atom_detail_class',
    'atom_detail_type',
)
