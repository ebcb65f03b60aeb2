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

"""Run tasks in the thread that drives the loop, one at a time."""

from __future__ import annotations

from taskflow_service.executors import attempt as attempt_mod
from taskflow_service.executors import base


class InlineExecutor(base.Executor):
    """The serial engine's: ``start`` returns when the task has ended.

    No other thread is involved, so a commit falls between every two tasks
    and a request to suspend is honoured there. Holds no lock meanwhile.
    """

    def place(self, offer: base.Offer) -> list[base.Request]:
        """Take the best one."""
        try:
            return [offer.take()]
        except IndexError:
            return []

    def start(self, requests: list[base.Request]) -> None:
        """Run it; blocks."""
        for request in requests:
            attempt = attempt_mod.attempt_of(request, self.deliver)
            request.private = attempt
            end, value = attempt_mod.perform(request, attempt)
            self.deliver(base.Outcome(request, end, value))

    def release(self, requests: list[base.Request]) -> None:
        """Forget it."""

    def cancel(self, request: base.Request, reason: str) -> None:
        """Set the token of the task that runs; from another thread."""
        if request.private is not None:
            request.private.cancellation.cancel(reason)

    def close(self) -> None:
        """Do nothing."""
