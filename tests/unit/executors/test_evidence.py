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

"""What becomes of outcomes that nobody here waits for."""

from __future__ import annotations

from oslotest import base

from taskflow_service.executors import evidence
from taskflow_service.protocol import messages
from taskflow_service.protocol.engine import records


class EvidenceTest(base.BaseTestCase):
    def test_what_comes_after_the_end_stays_with_its_worker(self) -> None:
        recorded: list[list[str]] = []
        kept = evidence.Evidence(recorded.append, lambda *_: None)
        kept.know('flow', None)
        late = records.Late(
            messages.Outcome('request', messages.End.OK, flow_uuid='flow'),
            messages.Peer('host.1', 'incarnation'),
        )
        kept.late(late)
        kept.close()
        # The thread that reads the bus may still be at it.
        kept.late(late)
        assert kept._pool is not None
        kept._pool.shutdown(wait=True)
        self.assertEqual([['request']], recorded)
