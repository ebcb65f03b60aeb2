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
"""The remote protocol: two pure state machines and what they say.

The engine owns delivery; the bus carries hints.  Every dispatch of an attempt
is a *request* with its own uuid, committed before it is sent; only the
outcome of an atom's current request counts.  A worker's *report* is a full
projection of what it holds, so that loss, duplication, reordering and any
delay of any message do no harm: what is missing is sent again, what is stale
is dropped whole, and a request is started only on a *grant*, a report that
left its worker less than a lease ago.

``messages`` is the language, ``wire`` how it is checked, ``link`` how each
end judges its own connection; ``engine`` and ``worker`` are the two machines.
They do no I/O and are told the time, so that both can run in one thread under
a virtual clock against a bus that loses, duplicates and delays: the tests
below ``tests/simulation`` do that, and are the design's proof.
"""
