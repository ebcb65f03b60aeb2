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
"""What is told, and that nothing waits for it."""

from __future__ import annotations

import hashlib
import importlib.util
import pathlib

import ddt
import fixtures
import jsonschema
from oslo_config import cfg
from oslotest import base

from taskflow_service import conf as service_conf
from taskflow_service import engines
from taskflow_service import exceptions
from taskflow_service import identity
from taskflow_service import notifications
from taskflow_service import task
from taskflow_service.listeners import notifications as listener
from taskflow_service.notifications import events
from taskflow_service.notifications import publisher
from taskflow_service.patterns import linear_flow
from taskflow_service.persistence import backends
from taskflow_service.types import failure

#: What was published once stays as it is: a change is another file.
PUBLISHED = {
    'flow-1.0.json': 'ed28c3e4b0eff1c1cb66474000819015',
    'task-1.0.json': '7b0e7714dd575333ea80addd1eb02155',
    'worker-1.0.json': '7f37c55813426ad0f3fff1d1fa07d0f3',
}
#: Nobody listens there.
AWAY = 'rabbit://127.0.0.1:1/'


class Say(task.Task):
    def execute(self):
        pass


def make_conf(test, text='', enabled=True):
    path = pathlib.Path(test.useFixture(fixtures.TempDir()).path)
    file = path / 'service.conf'
    file.write_text(
        f'[DEFAULT]\nstate_path = {path}\ntransport_url = fake://\n'
        f'[notifications]\nenabled = {enabled}\n{text}'
    )
    conf = cfg.ConfigOpts()
    service_conf.register_opts(conf)
    conf(['--config-file', str(file)], default_config_dirs=[])
    test.addCleanup(publisher.forget, conf)
    return conf


def make_event():
    return events.make(events.Subject.FLOW, events.Phase.END, 'p', 0.0)


class SchemaTest(base.BaseTestCase):
    def test_what_was_published_is_not_edited(self):
        folder = pathlib.Path(notifications.__file__).parent / 'schemas'
        self.assertEqual(
            PUBLISHED,
            {
                path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:32]
                for path in folder.iterdir()
            },
        )

    def test_each_is_a_schema_with_a_word_on_every_field(self):
        for subject in events.Subject:
            schema = events.schema(subject)
            jsonschema.Draft202012Validator.check_schema(schema)
            self.assertEqual(
                sorted(schema['properties']), sorted(schema['required'])
            )
            for field in schema['properties'].values():
                self.assertTrue(field['description'].endswith('.'))


class FailureTest(base.BaseTestCase):
    def test_secrets_are_masked_and_long_texts_cut(self):
        error = ValueError("password='hunter2' " + 'x' * 5000)
        told = events.failed('a', failure.Failure.from_exception(error))
        self.assertNotIn('hunter2', told['message'])
        self.assertEqual(events.LONGEST_TEXT, len(told['message']))
        self.assertEqual(['ValueError', 'Exception'], told['types'])

    def test_a_flow_lists_no_more_than_ten(self):
        error = failure.Failure.from_exception(ValueError('x'))
        many = [(str(number), error) for number in range(20)]
        self.assertEqual(10, len(events.first_failures(many)))


@ddt.ddt
class PublisherTest(base.BaseTestCase):
    def test_what_cannot_be_sent_is_said_once_then_once_a_minute(self):
        log = self.useFixture(fixtures.FakeLogger('taskflow_service'))
        now = [1000.0]
        conf = make_conf(
            self,
            '[oslo_messaging_notifications]\n'
            f'transport_url = {AWAY}\nretry = 0\n',
        )
        made = publisher.Publisher(conf, lambda: now[0])
        self.addCleanup(made.close)

        def lines(count):
            for _ in range(count):
                made.publish(make_event())
            self.assertTrue(made.flush(30))
            return log.output.count('taskflow.flow.end is dropped')

        self.assertEqual(1, lines(3))
        now[0] += 59
        self.assertEqual(1, lines(1))
        now[0] += 2
        self.assertEqual(2, lines(1))
        self.assertEqual((0, 5), (made.published, made.dropped))
        # The reason is in the line, and neither a payload nor a traceback.
        self.assertIn('5 so far', log.output)
        self.assertNotIn('Traceback', log.output)

    def test_beyond_its_queue_nothing_waits(self):
        conf = make_conf(
            self,
            'queue_size = 2\n[oslo_messaging_notifications]\n'
            f'transport_url = {AWAY}\n',
        )
        made = publisher.Publisher(conf)
        for _ in range(5):
            made.publish(make_event())
        # One may be under way, two wait.
        self.assertIn(made.dropped, (2, 3))
        self.assertFalse(made.flush(0))
        made.close(0)
        self.assertEqual((0, 5), (made.published, made.dropped))

    def test_a_queue_that_overflows_now_and_then_does_not_fill_the_log(self):
        log = self.useFixture(fixtures.FakeLogger('taskflow_service'))
        made = publisher.Publisher(make_conf(self, 'queue_size = 1\n'))
        self.addCleanup(made.close)
        for _ in range(50):
            for _ in range(10):
                made.publish(make_event())
            self.assertTrue(made.flush(30))
        self.assertEqual(500, made.published + made.dropped)
        self.assertLess(0, made.published)
        self.assertLess(0, made.dropped)
        self.assertEqual(1, log.output.count('is dropped'))
        self.assertEqual(1, log.output.count('published again'))

    def test_unset_options_mean_what_is_documented(self):
        _transport, notifier = publisher._make(make_conf(self))
        self.assertEqual(3, notifier.retry)
        conf = make_conf(self, '[oslo_messaging_notifications]\nretry = 7\n')
        _transport, notifier = publisher._make(conf)
        self.assertEqual(7, notifier.retry)

    @ddt.data(
        ('driver = pigeon', 'driver', 'pigeon'),
        ('transport_url = pigeon://', 'transport_url', 'pigeon'),
        # Whoever has its library installed sees no error here.
        *(
            [('transport_url = kafka://h/', 'transport_url', '[kafka]')]
            if importlib.util.find_spec('confluent_kafka') is None
            else []
        ),
        ('transport_url = nonsense', 'transport_url', 'cannot be read'),
    )
    def test_a_bad_option_ends_the_start(self, case):
        line, *words = case
        conf = make_conf(self, f'[oslo_messaging_notifications]\n{line}\n')
        error = self.assertRaises(
            exceptions.ConfigurationError,
            engines.load,
            linear_flow.Flow('f').add(Say('s')),
            conf=conf,
        )
        for word in ('oslo_messaging_notifications', *words):
            self.assertIn(word, str(error))

    def test_nothing_is_made_unless_it_is_enabled(self):
        conf = make_conf(self, enabled=False)
        self.assertIsNone(publisher.shared(conf))
        engine = engines.load(linear_flow.Flow('f').add(Say('s')), conf=conf)
        self.assertFalse(engine.commit_notifier.heard)
        self.assertRaises(
            exceptions.ConfigurationError,
            listener.NotificationListener,
            engine,
        )

    def test_a_run_sends_its_events(self):
        conf = make_conf(self)
        engines.run(linear_flow.Flow('f').add(Say('s')), conf=conf)
        shared = publisher.shared(conf)
        self.assertTrue(shared.flush(30))
        self.assertEqual((4, 0), (shared.published, shared.dropped))

    def test_many_flows_of_a_loop_send_theirs(self):
        conf = make_conf(self)
        with engines.Loop(conf) as loop:
            flows = [linear_flow.Flow(f'f{n}').add(Say('s')) for n in range(9)]
            made = [engines.load(flow, conf=conf) for flow in flows]
            for future in [loop.submit(engine) for engine in made]:
                future.result(30)
        shared = publisher.shared(conf)
        self.assertTrue(shared.flush(30))
        self.assertEqual((36, 0), (shared.published, shared.dropped))

    def test_what_was_not_committed_is_not_told(self):
        told = []
        self.useFixture(
            fixtures.MonkeyPatch(
                'taskflow_service.notifications.publisher.Publisher.publish',
                lambda self, event: told.append(event.type),
            )
        )
        conf = make_conf(self)
        conf.set_override('backend', 'sqlalchemy', 'persistence')
        self.addCleanup(lambda: identity.of_process(conf).close())
        backend = backends.from_conf(conf)
        self.addCleanup(backend.close)

        class Lose(task.Task):
            def execute(self):
                # As if another process had taken the flow over.
                with backend.engine.begin() as conn:
                    conn.exec_driver_sql(
                        'UPDATE tfs_flow_details SET epoch = epoch + 1'
                    )

        engine = engines.load(
            linear_flow.Flow('f').add(Lose('lose')), conf=conf, backend=backend
        )
        self.assertRaises(exceptions.FlowOwnershipLost, engine.run)
        self.assertEqual(['taskflow.flow.start', 'taskflow.task.start'], told)
