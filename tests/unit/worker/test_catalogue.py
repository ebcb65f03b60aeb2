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


from __future__ import annotations

from oslotest import base

from taskflow_service import demo
from taskflow_service import exceptions
from taskflow_service import registry
from taskflow_service import task
from taskflow_service.worker import catalogue
from tests import remote
from tests.conformance import transports


class CatalogueTest(base.BaseTestCase):
    def test_a_registered_task_has_its_name_and_its_path(self) -> None:
        served = catalogue.Catalogue(registry.tasks(['demo.hello']))
        self.assertEqual(
            {'demo.hello', 'taskflow_service.demo:Hello'},
            set(served.versions),
        )
        for name in served.versions:
            self.assertIs(demo.Hello, served.find(name))

    def test_what_is_configured_is_served_unless_tasks_are_given(self) -> None:
        conf = transports.make_conf('fake://', 'ns')
        conf.set_override('tasks', ['demo.good*'], 'worker')
        self.assertIn('demo.goodbye', catalogue.build(conf, None).versions)
        given = catalogue.build(conf, [remote.Add])
        self.assertEqual(['tests.remote:Add'], list(given.versions))

    def test_a_path_that_is_not_served_is_not_imported(self) -> None:
        served = catalogue.Catalogue(registry.tasks(['demo.hello']))
        self.assertRaises(
            exceptions.UnknownTask, served.find, 'tests.remote:Add'
        )

    def test_one_name_for_two_tasks_is_refused_with_both_origins(self) -> None:
        one = registry.TaskType('x.y', remote.Add, '1.0', 'first 1.0')
        other = registry.TaskType('x.y', remote.Break, '1.0', 'second 2.0')
        error = self.assertRaises(
            exceptions.Duplicate, catalogue.Catalogue, [one, other]
        )
        for word in ('x.y', 'first 1.0', 'second 2.0'):
            self.assertIn(word, str(error))

    def test_nothing_to_serve_is_refused(self) -> None:
        error = self.assertRaises(
            exceptions.ConfigurationError, catalogue.Catalogue, []
        )
        self.assertIn('[worker] tasks', str(error))

    def test_more_may_be_served_later(self) -> None:
        served = catalogue.Catalogue(registry.tasks_from([remote.Add]))
        more = registry.tasks_from([remote.Break])
        self.assertTrue(served.add(more))
        self.assertFalse(served.add(more))
        self.assertIs(remote.Break, served.find('tests.remote:Break'))

    def test_a_version_is_told_with_dots(self) -> None:
        class Versioned(task.Task):
            version = (2, 7)

            def execute(self) -> None:
                pass

        served = catalogue.Catalogue(registry.tasks_from([Versioned]))
        self.assertEqual(['2.7'], list(served.versions.values()))
