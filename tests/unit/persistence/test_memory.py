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


"""Logbooks in memory."""

from __future__ import annotations

import threading

from oslotest import base

from taskflow_service import exceptions
from taskflow_service.persistence import models
from taskflow_service.persistence.backends import impl_memory
from tests.conformance import backends


class CopiesTest(backends.RowsSuite, base.BaseTestCase):
    def make_backend(self):
        return impl_memory.MemoryBackend()

    def test_what_cannot_be_copied_is_refused(self):
        error = self.assertRaises(
            exceptions.ValueNotStorable, self.backend.pack, threading.Lock()
        )
        self.assertEqual('lock', error.type_name)

    def test_claims_need_no_waiting(self):
        self.saved_book('f')
        self.assertEqual(0, self.backend.claim('f').epoch)
        self.assertFalse(self.backend.durable)


class ObjectsTest(backends.BackendSuite, base.BaseTestCase):
    def make_backend(self):
        return impl_memory.MemoryBackend({'deep_copy': False})

    def test_objects_are_kept_as_they_are(self):
        lock = threading.Lock()
        flow = self.saved_book('f').find('f')
        task = models.TaskDetail('t', 't')
        task.put('SUCCESS', lock)
        flow.add(task)
        self.connection.update_flow_details(flow)
        self.assertIs(flow, self.connection.get_flow_details('f'))
        self.assertIs(lock, self.connection.get_atom_details('t').results)
        self.assertFalse(self.backend.writes)

    def test_nothing_is_asked_of_objects(self):
        self.saved_book('f')
        error = self.assertRaises(
            exceptions.InvalidState, self.connection.ask, 'f', 'cancel'
        )
        self.assertIn('engine', str(error))
