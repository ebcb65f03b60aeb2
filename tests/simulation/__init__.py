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
"""Both sides of the remote protocol in one thread, under a virtual clock.

Several engines with their loops, one database, workers with their task
processes, and a bus that does whatever a bus may do.  Everything that happens
follows from a seed, so that a violation can be replayed::

    python -m tests.simulation SEED [SCENARIO] [RULE-TO-BREAK]
"""
