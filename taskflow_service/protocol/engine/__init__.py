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
"""The engine side of the remote protocol, as a pure state machine.

:class:`machine.Engine` decides where work goes, what to tell the workers and
what to make of what they say. It knows no thread, no clock, no bus and no
database; the shell around it (``executors/hub``) lets one thread in at a time.

The loop's side::

    placed = engine.place(works, now)  # reserves room; no I/O
    # commit request_uuid, worker and RUNNING, then for each placed work
    work.request = messages.Request(...)
    engine.start(placed, now)  # or engine.release(placed)
    engine.recorded(request_uuids)  # their outcomes are committed

The bus's side, after every batch of messages and at least once a second::

    tick = engine.tick(now)  # tick.cast to oneself, tick.who to all
    for worker in engine.due(now):  # whose last send is done
        orders = engine.orders(worker.incarnation, now)
        if orders and not engine.may_send(orders, now):  # at the very last
            orders = orders.harmless()
    for event in engine.events():  # see ``records``: Ended, Late, Started ...

What follows for an atom from an end is the table in ``turn``; who may speak
for a flow is judged in ``ownership``; ``peers`` takes what workers say,
``silence`` what they do not; ``waiting`` places work, ``balance`` moves it
between workers, ``orders`` builds messages; ``records`` is what they share.
"""
