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

"""The decision core: events in, decisions out; no I/O, no user code.

A run is driven like this: ``resumption.begin(run)``; then take what is ready
(``run.take_execute``, ``run.take_revert``, ``run.controllers``), mark it
(``completion.started``) and tell how it ended (``completion.succeeded``,
``failed``, ``reverted``, ``revert_failed``). Where user code must speak, the
core leaves a question for ``run.take_question``; the answer comes back through
``completion.decided`` or ``resolution.resolved``.
"""
