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

"""Plugins are found by name among installed distributions, and only there.

Distributions are laid out on disk and looked at by a process of its own:
what is installed is read once per process.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import textwrap

import fixtures
from oslo_config import cfg
from oslotest import base

from taskflow_service import conf as service_conf
from taskflow_service import exceptions
from taskflow_service import registry
from taskflow_service import task

ROOT = pathlib.Path(__file__).parents[2]
DEADLINE = 60

_IMAGE = """
import enum
from taskflow_service import task
class Convert(task.Task):
    version = (2, 1)
    def execute(self, path): pass
class Stage(task.Task):
    def execute(self, path): pass
def opened(conf): conf.seen = 'opened'
def failing(conf): raise OSError('no route to glance')
number = 5
"""

_PRELUDE = """
import json
from taskflow_service import exceptions
from taskflow_service import registry
K = registry.Kind
def error(function, *args):
    try:
        function(*args)
    except exceptions.TaskFlowException as exc:
        return [type(exc).__name__, str(exc)]
def listed(found):
    return [[t.name, t.version, t.origin, list(t.names)] for t in found]
"""


class InstalledTest(base.BaseTestCase):
    """What other distributions bring."""

    def setUp(self):
        super().setUp()
        self.site = pathlib.Path(self.useFixture(fixtures.TempDir()).path)

    def _install(self, name, version, points, modules=None):
        info = self.site / f'{name}-{version}.dist-info'
        info.mkdir()
        (info / 'METADATA').write_text(
            f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n'
        )
        lines = []
        for group, entries in points.items():
            lines.append(f'[taskflow_service.{group}]')
            lines.extend(f'{key} = {value}' for key, value in entries.items())
        (info / 'entry_points.txt').write_text('\n'.join(lines) + '\n')
        for module, text in (modules or {}).items():
            (self.site / f'{module}.py').write_text(text)

    def _image_service(self):
        self._install(
            'image-service',
            '1.2',
            {
                'tasks': {
                    'image.convert': 'image:Convert',
                    'image.stage': 'image:Stage',
                },
                'setup': {
                    'image.open': 'image:opened',
                    'image.fail': 'image:failing',
                },
            },
            {'image': _IMAGE},
        )

    def _run(self, code):
        """Evaluate an expression over the registry in a new process."""
        done = subprocess.run(
            [
                sys.executable,
                '-c',
                f'{_PRELUDE}\n{textwrap.dedent(code)}\n'
                'print(json.dumps(answer))',
            ],
            cwd=ROOT,
            env={
                'PYTHONPATH': f'{self.site}:{ROOT}',
                'XDG_CACHE_HOME': str(self.site / 'cache'),
            },
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
        self.assertEqual(0, done.returncode, done.stderr)
        self.stderr = done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def test_a_task_is_served_by_name_and_by_path(self):
        self._image_service()
        self.assertEqual(
            [
                [
                    'image.convert',
                    '2.1',
                    'image-service 1.2',
                    ['image.convert', 'image:Convert'],
                ]
            ],
            self._run("answer = listed(registry.tasks(['image.convert']))"),
        )

    def test_patterns_select(self):
        self._image_service()
        self.assertEqual(
            ['image.convert', 'image.stage'],
            self._run(
                "answer = [t.name for t in registry.tasks(['image.*'])]"
            ),
        )

    def test_what_comes_later_is_seen_once_the_rest_is_forgotten(self):
        self._image_service()
        before, kept, after, origin = self._run(
            """
            import sys
            site = sys.path.pop(1)
            before = 'image.stage' in registry.names(K.TASK)
            sys.path.insert(0, site)
            import image
            kept = registry.wire_name(image.Stage)
            registry.forget()
            answer = [
                before,
                kept,
                registry.wire_name(image.Stage),
                registry.origin(K.TASK, 'image.stage'),
            ]
            """
        )
        self.assertFalse(before)
        self.assertEqual('image:Stage', kept)
        self.assertEqual('image.stage', after)
        self.assertEqual('image-service 1.2', origin)

    def test_listing_names_imports_nothing(self):
        self._install(
            'broken', '1', {'tasks': {'broken.task': 'missing:Task'}}
        )
        self.assertIn(
            'broken.task', self._run('answer = registry.names(K.TASK)')
        )

    def test_a_broken_task_is_left_out_of_a_pattern(self):
        self._image_service()
        self._install(
            'broken', '1', {'tasks': {'image.broken': 'missing:Task'}}
        )
        self.assertEqual(
            ['image.convert', 'image.stage'],
            self._run(
                "answer = [t.name for t in registry.tasks(['image.*'])]"
            ),
        )
        self.assertIn('image.broken', self.stderr)

    def test_a_broken_task_that_was_named_is_an_error(self):
        self._install(
            'broken', '1', {'tasks': {'image.broken': 'missing:Task'}}
        )
        kind, text = self._run(
            "answer = error(registry.tasks, ['image.broken'])"
        )
        self.assertEqual('ConfigurationError', kind)
        self.assertIn("[worker] tasks: the task 'image.broken'", text)
        self.assertIn('broken 1', text)

    def test_what_is_no_task_class_is_an_error(self):
        self._install(
            'odd', '1', {'tasks': {'odd': 'image:number'}}, {'image': _IMAGE}
        )
        kind, text = self._run("answer = error(registry.tasks, ['odd'])")
        self.assertEqual('ConfigurationError', kind)
        self.assertIn('not a task class', text)

    def test_two_claims_of_one_name_are_refused_with_both_origins(self):
        self._image_service()
        self._install(
            'rival',
            '7',
            {'tasks': {'image.convert': 'rival:Convert'}},
            {'rival': _IMAGE},
        )
        for patterns in (['image.convert'], ['*']):
            kind, text = self._run(
                f'answer = error(registry.tasks, {patterns!r})'
            )
            self.assertEqual('Duplicate', kind)
            self.assertIn('image-service 1.2 (image:Convert)', text)
            self.assertIn('rival 7 (rival:Convert)', text)

    def test_the_same_thing_listed_twice_is_no_conflict(self):
        self._image_service()
        self._install(
            'image-service-checkout',
            '1.3',
            {'tasks': {'image.convert': 'image:Convert'}},
        )
        self.assertEqual(
            ['image.convert'],
            self._run(
                "answer = [t.name for t in registry.tasks(['image.convert'])]"
            ),
        )

    def test_a_class_is_known_by_its_entry_point(self):
        self._image_service()
        self.assertEqual(
            ['image.stage', 'image-service 1.2'],
            self._run("""
                import image
                found, = registry.tasks_from([image.Stage])
                answer = [registry.wire_name(image.Stage), found.origin]
            """),
        )

    def test_a_module_gives_all_tasks_that_it_defines(self):
        self._image_service()
        self.assertEqual(
            ['image.convert', 'image.stage'],
            self._run("""
                import image
                answer = [t.name for t in registry.tasks_from([image])]
                assert answer == [
                    t.name for t in registry.tasks_from(['image'])
                ]
            """),
        )

    def test_setup_runs_in_order_and_a_failure_has_its_name(self):
        self._image_service()
        seen, error = self._run("""
            import types
            conf = types.SimpleNamespace(
                worker=types.SimpleNamespace(setup=['image.open'])
            )
            registry.run_setup(conf)
            conf.worker.setup.append('image.fail')
            answer = [conf.seen, error(registry.run_setup, conf)]
        """)
        self.assertEqual('opened', seen)
        self.assertEqual('ConfigurationError', error[0])
        self.assertIn("[worker] setup: 'image.fail'", error[1])
        self.assertIn('no route to glance', error[1])

    def test_classes_may_come_from_the_packages_of_the_tasks(self):
        self._image_service()
        self.assertIn(
            'image',
            self._run("""
                import types
                conf = types.SimpleNamespace(
                    serialization=types.SimpleNamespace(allowed_modules=None)
                )
                answer = list(registry.allowed_modules(conf))
            """),
        )


class Local(task.Task):
    def execute(self):
        pass


class RegistryTest(base.BaseTestCase):
    """What can be seen in this process."""

    def test_unknown_names_are_refused_with_the_option_and_the_known(self):
        for kind, option in (
            (registry.Kind.ENGINE, '[engine] type'),
            (registry.Kind.EXECUTOR, '[engine] executor'),
            (registry.Kind.PERSISTENCE, '[persistence] backend'),
            (registry.Kind.LISTENER, '[engine] listeners'),
            (registry.Kind.SETUP, '[worker] setup'),
        ):
            error = self.assertRaises(
                exceptions.NotFound, registry.load, kind, 'wagon'
            )
            self.assertIn(option, str(error))
            self.assertIn("'wagon'", str(error))
            for name in registry.names(kind):
                self.assertIn(name, str(error))

    def test_unknown_tasks_are_refused(self):
        for pattern in ('wagon', 'wagon.*'):
            error = self.assertRaises(
                exceptions.NotFound, registry.tasks, [pattern]
            )
            self.assertIn('[worker] tasks', str(error))
            self.assertIn(repr(pattern), str(error))

    def test_a_class_without_entry_point_is_known_by_its_path(self):
        path = f'{__name__}:Local'
        self.assertEqual(path, registry.wire_name(Local))
        for entry in (Local, path):
            (found,) = registry.tasks_from([entry])
            self.assertEqual(
                (path, Local, '1.0', registry.GIVEN, (path,)),
                (*found, found.names),
            )

    def test_what_is_given_must_lead_to_tasks(self):
        for entry in ('nowhere', 'json:nothing', 'json:loads', dict, 7):
            error = self.assertRaises(
                exceptions.NotFound, registry.tasks_from, [entry]
            )
            self.assertIn('tasks: ', str(error))

    def test_a_task_is_given_once(self):
        self.assertEqual(1, len(registry.tasks_from([Local, Local])))

    def test_configured_packages_replace_the_default(self):
        conf = cfg.ConfigOpts()
        service_conf.register_opts(conf)
        conf([], default_config_files=[], default_config_dirs=[])
        conf.set_override('allowed_modules', ['a.b'], 'serialization')
        self.assertEqual(('a.b',), registry.allowed_modules(conf))
        conf.set_override('allowed_modules', [], 'serialization')
        self.assertEqual((), registry.allowed_modules(conf))
