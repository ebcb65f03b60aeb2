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

"""A request context travels without its token, and does not stay behind."""

from __future__ import annotations

import json
import threading

from oslo_context import context as oslo_context
from oslo_context import fixture
from oslotest import base

from taskflow_service import context


class ServiceContext(oslo_context.RequestContext):
    """As services have them: more fields, some of them secret."""

    def __init__(self, catalog=None, **kwargs):
        super().__init__(**kwargs)
        self.catalog = catalog

    def to_dict(self):
        return {**super().to_dict(), 'catalog': self.catalog, 'user': 'else'}


class ContextTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(fixture.ClearRequestContext())

    def _make(self):
        return ServiceContext(
            auth_token='secret',
            service_token='secret',
            catalog='secret',
            user_id='u1',
            user_name='eva',
            project_id='p1',
            project_name='demo',
            roles=['member'],
            request_id='req-1',
            global_request_id='req-0',
            overwrite=True,
        )

    def test_there_may_be_none(self):
        self.assertIsNone(context.capture())

    def test_no_secret_is_kept(self):
        self._make()
        kept = json.dumps(context.capture())
        self.assertNotIn('secret', kept)

    def test_what_is_kept_comes_back(self):
        original = self._make()
        values = json.loads(json.dumps(context.capture()))
        made = context.restore(values)
        self.assertIsNone(made.auth_token)
        for name in (
            'user_id',
            'user_name',
            'project_id',
            'project_name',
            'roles',
            'request_id',
            'global_request_id',
            'is_admin_project',
        ):
            self.assertEqual(getattr(original, name), getattr(made, name))

    def test_restoring_makes_nothing_current(self):
        context.restore({'request_id': 'req-1'})
        self.assertIsNone(oslo_context.get_current())
        current = self._make()
        context.restore({'request_id': 'req-1'})
        self.assertIs(current, oslo_context.get_current())

    def test_keys_of_another_version_are_ignored(self):
        made = context.restore({'request_id': 'req-1', 'novelty': [1]})
        self.assertEqual('req-1', made.request_id)

    def test_it_is_current_inside_and_gone_after(self):
        with context.using({'request_id': 'req-1'}):
            self.assertEqual('req-1', oslo_context.get_current().request_id)
        self.assertIsNone(oslo_context.get_current())

    def test_what_was_current_comes_back_also_after_an_error(self):
        before = self._make()

        def fail():
            with context.using({'request_id': 'req-2'}):
                raise ValueError

        self.assertRaises(ValueError, fail)
        self.assertIs(before, oslo_context.get_current())

    def test_without_a_context_a_used_thread_shows_none(self):
        self._make()
        with context.using(None):
            self.assertIsNone(oslo_context.get_current())
        self.assertEqual('req-1', oslo_context.get_current().request_id)

    def test_other_threads_are_not_touched(self):
        seen = []
        with context.using({'request_id': 'req-1'}):
            thread = threading.Thread(
                target=lambda: seen.append(oslo_context.get_current())
            )
            thread.start()
            thread.join()
        self.assertEqual([None], seen)
