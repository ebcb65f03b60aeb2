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
"""Events for other programs, over a real broker."""

from __future__ import annotations

import json
import os
import pathlib
import queue
import signal
import subprocess
import sys
import threading
import time

import fixtures
import jsonschema
from oslo_config import cfg
from oslo_context import context as oslo_context
from oslotest import base

from taskflow_service import conf as service_conf
from taskflow_service import context
from taskflow_service import demo
from taskflow_service import engines
from taskflow_service.notifications import events
from taskflow_service.notifications import publisher
from taskflow_service.patterns import linear_flow
from tests import daemons
from tests import servers

LONG = 60

TASKS = """
from taskflow_service import task

class Store(task.Task):
    version = (1, 2)
    def execute(self):
        return 'a secret result'

class Fail(task.Task):
    def execute(self):
        raise RuntimeError("no room for password='hunter2'")
"""


OF_WORKERS = [
    ('worker', 'start', 'host.1', None),
    ('worker', 'error', 'host.1', None),
    ('worker', 'start', 'host.1', None),
    ('worker', 'end', 'host.1', None),
]
OF_FLOWS = [
    ('flow', 'start', 'good', 'RUNNING'),
    ('task', 'start', 'store', 'RUNNING'),
    ('task', 'end', 'store', 'SUCCESS'),
    ('flow', 'end', 'good', 'SUCCESS'),
    ('flow', 'start', 'bad', 'RUNNING'),
    ('task', 'start', 'first', 'RUNNING'),
    ('task', 'end', 'first', 'SUCCESS'),
    ('task', 'start', 'second', 'RUNNING'),
    ('task', 'error', 'second', 'FAILURE'),
    ('task', 'start', 'second', 'REVERTING'),
    ('task', 'end', 'second', 'REVERTED'),
    ('task', 'start', 'first', 'REVERTING'),
    ('task', 'end', 'first', 'REVERTED'),
    ('flow', 'error', 'bad', 'REVERTED'),
]


class Listener(fixtures.Fixture):
    """Another program that listens to notifications."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def _setUp(self) -> None:
        self._program = subprocess.Popen(
            [
                sys.executable,
                '-m',
                'tests.listener_program',
                self._url,
                'notifications',
            ],
            cwd=daemons.ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.addCleanup(self._program.stdout.close)
        self.addCleanup(self._program.wait)
        self.addCleanup(self._program.kill)
        self._heard: queue.SimpleQueue = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()
        self._next(time.monotonic() + LONG)

    def _read(self) -> None:
        for line in self._program.stdout:
            self._heard.put(json.loads(line))

    def _next(self, deadline: float):
        return self._heard.get(timeout=max(0.1, deadline - time.monotonic()))

    def until(self, wanted):
        """Return what is heard until all that is wanted was, in any order."""
        left, heard = list(wanted), []
        deadline = time.monotonic() + LONG
        while left:
            try:
                found = self._next(deadline)
            except queue.Empty:
                raise AssertionError(f'{left} not in {heard}') from None
            heard.append(found)
            if _short(found) in left:
                left.remove(_short(found))
        return heard


class NotificationsTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        broker = self.useFixture(servers.RabbitMQ())
        self.daemon = self.useFixture(
            daemons.Daemon(
                broker,
                modules={'told': TASKS},
                tasks={'told.store': 'told:Store', 'told.fail': 'told:Fail'},
                text='[notifications]\nenabled = true\n',
            )
        )
        self.listener = self.useFixture(Listener(broker.url))
        self.told = self.daemon.import_module('told')

    def _check(self, heard):
        """Every payload is what its published schema says, and no more."""
        for each in heard:
            subject = events.Subject(each['type'].split('.')[1])
            schema = events.schema(subject, each['payload']['version'])
            jsonschema.validate(
                each['payload'],
                schema | {'additionalProperties': False},
                cls=jsonschema.Draft202012Validator,
                format_checker=jsonschema.FormatChecker(),
            )

    def test_another_program_hears_of_flows_tasks_and_workers(self):
        killed = self.daemon.start()
        self.daemon.await_ready()
        heard = self.listener.until([OF_WORKERS[0]])
        os.killpg(daemons.children(killed)[0], signal.SIGKILL)
        killed.kill()
        killed.wait()
        program = self.daemon.start()
        self.daemon.await_ready()
        good = linear_flow.Flow('good').add(self.told.Store('store'))
        oslo_context.RequestContext(project_id='p-1')
        self.addCleanup(context.set_current, None)
        engines.run(good, conf=self.daemon.conf)
        bad = linear_flow.Flow('bad').add(
            self.told.Store('first'), self.told.Fail('second')
        )
        self.assertRaises(
            RuntimeError, engines.run, bad, conf=self.daemon.conf
        )
        self.daemon.drain(program)
        heard += self.listener.until(OF_WORKERS[1:] + OF_FLOWS)
        self._check(heard)
        # Errors have a queue of their own, and the listener many threads.
        of_workers = sorted(
            (each for each in heard if each['type'].split('.')[1] == 'worker'),
            key=lambda each: each['payload']['at'],
        )
        of_flows = sorted(
            (each for each in heard if each not in of_workers),
            key=lambda each: each['payload']['sequence'],
        )
        self.assertEqual(OF_WORKERS, [_short(each) for each in of_workers])
        self.assertEqual(OF_FLOWS, [_short(each) for each in of_flows])
        worker, died, again, _ended = (each['payload'] for each in of_workers)
        self.assertEqual(worker['incarnation'], died['incarnation'])
        self.assertNotEqual(worker['incarnation'], again['incarnation'])
        self.assertEqual('1.2', worker['tasks']['told.store'])
        stored = of_flows[2]['payload']
        self.assertEqual('told.store', stored['task_type'])
        self.assertEqual('1.2', stored['task_version'])
        self.assertEqual('host.1', stored['worker'])
        self.assertEqual((1, 'execute'), (stored['attempt'], stored['action']))
        self.assertEqual('p-1', stored['project_id'])
        (why,) = of_flows[-1]['payload']['failures']
        self.assertEqual('second', why['atom'])
        self.assertIn('RuntimeError', why['types'])
        text = json.dumps(heard)
        self.assertNotIn('hunter2', text)
        self.assertNotIn('a secret result', text)


class BrokerAwayTest(base.BaseTestCase):
    """The broker for notifications goes and comes; flows do not care."""

    def test_flows_finish_and_what_is_dropped_is_counted_and_logged(self):
        broker = self.useFixture(servers.RabbitMQ(private=True))
        path = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        file = path / 'service.conf'
        file.write_text(
            f'[DEFAULT]\nstate_path = {path}\n'
            '[notifications]\nenabled = true\n'
            '[oslo_messaging_notifications]\n'
            f'transport_url = {broker.url}\nretry = 0\n'
        )
        conf = cfg.ConfigOpts()
        service_conf.register_opts(conf)
        conf(['--config-file', str(file)], default_config_dirs=[])
        self.addCleanup(publisher.forget, conf)
        log = self.useFixture(fixtures.FakeLogger('taskflow_service'))

        def run():
            flow = linear_flow.Flow('f').add(demo.Hello('h'))
            engines.run(flow, conf=conf, store={'name': 'n'})
            self.assertTrue(shared.flush(LONG))

        shared = publisher.shared(conf)
        run()
        self.assertEqual((4, 0), (shared.published, shared.dropped))
        broker.server.kill()
        run()
        run()
        self.assertEqual((4, 8), (shared.published, shared.dropped))
        self.assertEqual(1, log.output.count(' is dropped, '), log.output)
        broker.server.start()
        run()
        self.assertEqual((8, 8), (shared.published, shared.dropped))
        self.assertIn('published again; 8 were dropped so far', log.output)


def _short(heard):
    _, subject, phase = heard['type'].split('.')
    payload = heard['payload']
    who = payload.get('task_name') or payload.get(
        'flow_name', payload.get('worker')
    )
    return subject, phase, who, payload.get('state')
