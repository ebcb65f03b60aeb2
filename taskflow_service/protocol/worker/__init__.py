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
"""The worker side of the remote protocol, as a pure state machine.

:class:`machine.Worker` is told what happened and says what to do. It knows
no thread, no clock and no bus; the shell around it (``worker/control``) lets
one thread in at a time, and does what it says.

Events in: ``received(message)``, ``returned(cast)``, ``finished(outcome)``,
``freed``, ``progressed``, ``predecessor``, ``publish``, ``drain``.

Decisions out, after every batch of events and at least once a second::

    step = worker.step(now, wall)
    # step.start   requests to run, each in a slot of its own
    # step.cancel  (request_uuid, reason): set the token of a running one
    # step.forget  recorded: the spool may drop their outcomes
    # step.cast    a number to send to oneself, and give to returned()
    # step.fence   everything was cancelled because the own link is bad
    for engine in worker.due():  # whose last send is done
        report = worker.report(engine.incarnation, now)
    announcement = worker.announcement(now)  # to all engines, or None

A report is built only when it can leave: what happens while a send to an
engine is in flight goes together in the next one.

The rules are in three modules: ``intake`` (what is taken, started and lent),
``reporting`` (what is said), ``fence`` (when work is stopped); ``records`` is
what they share.
"""
