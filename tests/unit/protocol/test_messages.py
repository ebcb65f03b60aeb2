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
"""Messages come back as they went, and bad ones are refused by name."""

from __future__ import annotations

import json

from oslotest import base

from taskflow_service.protocol import messages

ENGINE = messages.Peer('host.1', 'engine-1')
WORKER = messages.Peer('host.2', 'worker-1')


def make_request(**changes):
    values = {
        'request_uuid': 'r1',
        'flow_uuid': 'f1',
        'atom': 'boot',
        'task': 'demo.boot',
        'arguments': '{"size": "\\u00e9\\""}',
        'idempotent': True,
        'run_timeout': 3,
    }
    return messages.Request(**(values | changes))


class RoundTripTest(base.BaseTestCase):
    def check(self, message):
        text = messages.to_wire(message)
        self.assertTrue(text.isascii())
        self.assertEqual(message, messages.from_wire(text))
        return json.loads(text)

    def test_orders(self):
        plain = self.check(
            messages.Orders(
                sender=ENGINE,
                to='worker-1',
                seq=4,
                seen=9,
                execute=(make_request(action=messages.Action.REVERT),),
                cancel=(messages.Aim('r2', 3, 'asked by é'),),
                recall=('r3',),
                attach=(messages.Aim('r4', 5),),
                recorded=('r5',),
                demand=(messages.Demand('demo.boot', 7, True, ('gold',)),),
                ask=True,
            )
        )
        self.assertEqual([1, 0], plain['v'])

    def test_report(self):
        plain = self.check(
            messages.Report(
                sender=WORKER,
                to='engine-1',
                number=9,
                beat=True,
                taken=4,
                held=(messages.Held('r1', messages.State.STARTED, 12.5),),
                outcomes=(messages.Outcome('r2', messages.End.FAILED, '1'),),
                handed_back=('r3',),
                disowned=('r4',),
                credit=(1, 15),
                public=messages.Public({'demo.boot': '1.0'}, ('gold',), 4),
            )
        )
        # What is at its default is not written at all.
        self.assertNotIn('draining', plain['public'])

    def test_announce_and_who(self):
        self.check(
            messages.Announce(
                sender=WORKER,
                number=1,
                public=messages.Public({}, dead=('worker-0',), draining=True),
                orphans=(messages.Orphan('r1', 'f1', True),),
            )
        )
        self.check(
            messages.Who(
                sender=ENGINE,
                number=1,
                demand=(messages.Demand('demo.boot', 1),),
            )
        )

    def test_a_key_of_a_later_minor_version_is_skipped(self):
        who = messages.Who(sender=ENGINE, number=1)
        plain = json.loads(messages.to_wire(who))
        plain |= {'v': [1, 9], 'colour': 'blue'}
        self.assertEqual(who, messages.from_wire(json.dumps(plain)))

    def test_size_bounds_what_goes_on_the_wire(self):
        request = make_request(arguments='"\\' * 5000)
        orders = messages.Orders(
            sender=ENGINE, to='worker-1', seq=1, execute=(request,)
        )
        self.assertLess(len(messages.to_wire(orders)), request.size)


class RefusalTest(base.BaseTestCase):
    def refuse(self, text, **kwargs):
        return self.assertRaises(
            messages.MessageRefused, messages.from_wire, text, **kwargs
        )

    def change(self, **changes):
        orders = messages.Orders(
            sender=ENGINE, to='worker-1', seq=4, execute=(make_request(),)
        )
        return json.dumps(json.loads(messages.to_wire(orders)) | changes)

    def test_malformed_says_where_and_which(self):
        for changes, where in (
            ({'execute': [{'request_uuid': 7}]}, 'execute: request_uuid'),
            ({'execute': [{'request_uuid': 'r'}]}, 'lacks flow_uuid'),
            ({'recall': 'r1'}, 'recall'),
            ({'ask': 1}, 'ask'),
            ({'sender': {'name': ''}}, 'sender: name'),
            ({'to': 'x' * 256}, 'to'),
            ({'seen': -1}, 'seen'),
            ({'seen': True}, 'seen'),
        ):
            refused = self.refuse(self.change(**changes))
            self.assertEqual(messages.Refusal.MALFORMED, refused.reason)
            self.assertIn(where, str(refused))
            self.assertIn('orders 4 of', refused.message_id)

    def test_what_is_no_message_at_all(self):
        for text in (
            '',
            'null',
            '[]',
            '{}',
            'NaN',
            '[' * 100_000,
            '{"v": [1, 0], "kind": "order"}',
            '{"v": "1.0", "kind": "who"}',
            b'{}',
            self.change(seq=1e999),
        ):
            self.assertEqual(
                messages.Refusal.MALFORMED, self.refuse(text).reason
            )

    def test_versions(self):
        newer = self.refuse(self.change(v=[2, 0]))
        self.assertEqual(messages.Refusal.TOO_NEW, newer.reason)
        self.assertEqual('orders 4 of engine-1', newer.message_id)
        older = self.refuse(self.change(v=[0, 9]))
        self.assertEqual(messages.Refusal.TOO_OLD, older.reason)

    def test_too_large_both_ways(self):
        refused = self.refuse(self.change(), max_size=20)
        self.assertEqual(messages.Refusal.TOO_LARGE, refused.reason)
        who = messages.Who(sender=ENGINE, number=3)
        refused = self.assertRaises(
            messages.MessageRefused, messages.to_wire, who, 20
        )
        self.assertEqual('who 3 of engine-1', refused.message_id)
