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


"""Several threads' wishes in one call."""

from __future__ import annotations

import threading

from oslotest import base

from taskflow_service import exceptions
from taskflow_service.persistence import together

PATIENCE = 30


class TogetherTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.calls = []
        self.entered = threading.Event()
        self.go = threading.Event()
        self.wish = together.Together(self._do, lambda item: {item[0]})

    def _do(self, items):
        self.calls.append(list(items))
        if items[0] == 'hold':
            self.entered.set()
            self.go.wait(PATIENCE)
        if any(item.startswith('bad') for item in items):
            raise exceptions.StorageOutage('away')
        return [item.upper() for item in items]

    def _wished(self, *items):
        """Wish for the items, each in a thread, while a call is held up."""
        results = {}

        def run(item):
            try:
                results[item] = self.wish(item)
            except exceptions.StorageOutage as error:
                results[item] = error

        holder = threading.Thread(target=run, args=('hold',))
        holder.start()
        self.entered.wait(PATIENCE)
        threads = []
        for number, item in enumerate(items, 1):
            threads.append(threading.Thread(target=run, args=(item,)))
            threads[-1].start()
            while len(self.wish._waiting) < number:
                self.entered.wait(0.001)
        self.go.set()
        for thread in (holder, *threads):
            thread.join(PATIENCE)
        return results

    def test_alone_it_is_a_call(self):
        self.assertEqual('A', self.wish('a'))
        self.assertEqual([['a']], self.calls)

    def test_what_waits_is_done_at_once(self):
        results = self._wished('a', 'b', 'c')
        self.assertEqual([['hold'], ['a', 'b', 'c']], self.calls)
        self.assertEqual('B', results['b'])

    def test_what_shares_a_key_is_done_apart(self):
        self._wished('a1', 'b1', 'a2', 'c1')
        self.assertEqual([['hold'], ['a1', 'b1'], ['a2', 'c1']], self.calls)

    def test_each_gets_an_error_of_its_own(self):
        results = self._wished('a', 'bad')
        for item in ('a', 'bad'):
            self.assertIsInstance(results[item], exceptions.StorageOutage)
        self.assertIsNot(results['a'], results['bad'])
        self.assertEqual('X', self.wish('x'))
