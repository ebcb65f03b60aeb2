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
"""Benchmarks: ratios that are measured in one run, each with its budget.

``python -m benchmarks engine|logbook|remote``.  Nothing here compares times of
different runs or machines: each figure is the median of ratios of interleaved
pairs, so that what else the machine does falls on both sides.
"""

from __future__ import annotations

# Chooses the threading back end of oslo.service, before anything imports
# oslo.messaging, and keeps eventlet out.
import tests  # noqa: F401
