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
"""No message, however odd, makes either half of the protocol raise.

Messages here are well formed and make no sense: numbers go up and down, and
the few identifiers there are mean something different each time.
"""

from __future__ import annotations

import json

import hypothesis
from hypothesis import strategies as st
from oslotest import base

from taskflow_service.protocol import messages
from tests.unit.protocol import rig

UUIDS = st.sampled_from(['e1-r1', 'e1-r2', 'e1-r3', 'x', 'y'])
NUMBERS = st.integers(0, 12)
PEERS = st.sampled_from(
    [messages.Peer(f'host.{i}', name) for i, name in enumerate('abw')]
    + [messages.Peer('host.2', 'w1'), messages.Peer('host.1', 'e1')]
)
DEMANDS = st.lists(
    st.builds(
        messages.Demand,
        st.sampled_from(['t.task', 't.other']),
        NUMBERS,
        st.booleans(),
        st.sampled_from([(), ('gold',), ('silver',)]),
    ),
    max_size=3,
).map(tuple)
AIMS = st.lists(st.builds(messages.Aim, UUIDS, NUMBERS), max_size=3).map(tuple)
SOME = st.lists(UUIDS, max_size=3).map(tuple)
REQUESTS = st.builds(
    messages.Request,
    request_uuid=UUIDS,
    flow_uuid=st.just('f'),
    atom=st.just('a'),
    task=st.sampled_from(['t.task', 't.other']),
    action=st.sampled_from(messages.Action),
    epoch=NUMBERS,
    grant=NUMBERS,
    idempotent=st.booleans(),
    strict_fence=st.booleans(),
)
ORDERS = st.builds(
    messages.Orders,
    sender=PEERS,
    to=st.sampled_from(['w1', 'w1', 'w1', 'w0', 'z']),
    seq=NUMBERS,
    seen=NUMBERS,
    execute=st.lists(REQUESTS, max_size=3).map(tuple),
    cancel=AIMS,
    recall=SOME,
    attach=AIMS,
    recorded=SOME,
    demand=DEMANDS,
    ask=st.booleans(),
)
WHO = st.builds(messages.Who, sender=PEERS, number=NUMBERS, demand=DEMANDS)
PUBLIC = st.builds(
    messages.Public,
    st.sampled_from([{}, {'t.task': '1.0'}, {'t.task': 'odd'}]),
    st.just(('gold',)),
    NUMBERS,
    st.booleans(),
    dead=st.lists(st.sampled_from(['a', 'w1', 'e1']), max_size=2).map(tuple),
    spooled=SOME,
)
REPORTS = st.builds(
    messages.Report,
    sender=PEERS,
    to=st.sampled_from(['e1', 'e1', 'e1', 'z']),
    number=NUMBERS,
    beat=st.booleans(),
    taken=NUMBERS,
    held=st.lists(
        st.builds(
            messages.Held,
            UUIDS,
            st.sampled_from(messages.State),
            st.none() | st.just(1.0),
            st.booleans(),
        ),
        max_size=4,
    ).map(tuple),
    outcomes=st.lists(
        st.builds(messages.Outcome, UUIDS, st.sampled_from(messages.End)),
        max_size=3,
    ).map(tuple),
    handed_back=SOME,
    disowned=SOME,
    credit=st.tuples(NUMBERS, NUMBERS),
    public=st.none() | PUBLIC,
)
ANNOUNCES = st.builds(
    messages.Announce,
    sender=PEERS,
    number=NUMBERS,
    public=PUBLIC,
    orphans=st.lists(
        st.builds(messages.Orphan, UUIDS, st.just('f'), st.booleans()),
        max_size=3,
    ).map(tuple),
)
ANY = st.one_of(ORDERS, WHO, REPORTS, ANNOUNCES)
WAITS = st.sampled_from([0.0, 0.3, 1.0, 4.0, 16.0, 130.0])
STEPS = st.lists(st.tuples(WAITS, ANY), max_size=25)

SETTINGS = hypothesis.settings(max_examples=200, deadline=None)


class FuzzTest(base.BaseTestCase):
    @SETTINGS
    @hypothesis.given(STEPS)
    def test_a_worker_takes_anything(self, steps):
        clock = rig.Clock()
        worker = rig.WorkerRig(clock, slots=2, predecessors={'w0': False})
        for wait, message in steps:
            clock.now += wait
            worker.hear(message)
            for peer in worker.core.due():
                report = worker.core.report(peer.incarnation, clock.now)
                messages.from_wire(messages.to_wire(report))
            worker.announce()
            self.assertLessEqual(len(worker.running), 2 + 1)
            while len(worker.running) > 1:
                worker.finish(worker.running[0])

    @SETTINGS
    @hypothesis.given(STEPS)
    def test_an_engine_takes_anything(self, steps):
        clock = rig.Clock()
        engine = rig.EngineRig(clock)
        placed = []
        for wait, message in steps:
            clock.now += wait
            engine.hear(message)
            placed += engine.want(1, idempotent=wait > 1, extra=wait > 10)
            engine.start(placed[1:])
            engine.core.release(placed[:1])
            placed = []
            engine.tick()
            engine.core.recorded(
                [
                    event.outcome.request_uuid
                    for event in engine.core.events()
                    if getattr(event, 'outcome', None)
                ]
            )
            for peer in engine.core.due(clock.now):
                orders = engine.core.orders(peer.incarnation, clock.now)
                if orders is not None:
                    messages.from_wire(messages.to_wire(orders))
            for peer in engine.core.workers():
                self.assertGreaterEqual(min(peer.reserved), 0)
                self.assertGreaterEqual(peer.extras, 0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


class ReadingTest(base.BaseTestCase):
    def read(self, text):
        try:
            return messages.from_wire(text)
        except messages.MessageRefused as refused:
            self.assertIn(refused.reason, list(messages.Refusal))
            return None

    @SETTINGS
    @hypothesis.given(st.text())
    def test_any_text_is_read_or_refused(self, text):
        self.read(text)

    @SETTINGS
    @hypothesis.given(ANY, st.data())
    def test_any_damage_is_read_or_refused(self, message, data):
        """One value of a good message is replaced by something else."""
        plain = json.loads(messages.to_wire(message))
        spot = plain
        for _ in range(data.draw(st.integers(0, 3))):
            keys = (
                sorted(spot)
                if isinstance(spot, dict)
                else list(range(len(spot)))
                if isinstance(spot, list)
                else []
            )
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if data.draw(st.booleans()) or not isinstance(
                spot[key], dict | list
            ):
                spot[key] = data.draw(JSON)
                break
            spot = spot[key]
        read = self.read(json.dumps(plain))
        if read is not None:
            self.assertEqual(read, messages.from_wire(messages.to_wire(read)))
