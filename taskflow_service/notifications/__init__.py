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
"""Events of flows, tasks and workers for other programs.

They leave through an oslo.messaging Notifier, which is what programs beside a
service listen to. An event tells what has happened already: nothing waits for
it, and nothing fails if it is lost.
"""

from __future__ import annotations

# Not for a name in it: it says on what oslo.service runs, which has to be
# said before oslo_messaging is imported.
import taskflow_service.messaging  # noqa: F401
