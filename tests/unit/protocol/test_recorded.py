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
"""What was said and stored by earlier versions is understood by this one."""

from __future__ import annotations

import json
import pathlib

import ddt
import fixtures
from oslo_config import cfg
from oslotest import base

from taskflow_service import conf as service_conf
from taskflow_service.protocol import messages
from taskflow_service.worker import spool
from tests.recorded import conversations

HASHES = conversations.HERE / 'hashes.txt'
VERSIONS = sorted(
    path.name[1:] for path in conversations.HERE.glob('v*') if path.is_dir()
)
SCRIPTS = [
    path
    for version in VERSIONS
    for path in conversations.conversations(version)
]


class FilesTest(base.BaseTestCase):
    def test_what_was_recorded_is_never_edited(self):
        listed = dict(
            reversed(line.split())
            for line in HASHES.read_text('ascii').splitlines()
        )
        found = {
            str(path.relative_to(conversations.HERE)): (
                conversations.digest(path)
            )
            for folder in ('v*', 'schema')
            for path in conversations.HERE.glob(f'{folder}/*')
        }
        self.assertEqual(listed, found)

    def test_every_version_that_is_spoken_is_there(self):
        spoken = '{}.{}'.format(*messages.VERSION)
        self.assertIn(spoken, VERSIONS, 'run python -m tests.recorded.record')


@ddt.ddt
class ReplayTest(base.BaseTestCase):
    @ddt.data(*SCRIPTS)
    def test_an_engine_understands_the_worker_of_then(self, path):
        script = conversations.load(path)
        for name, expected in script['engines'].items():
            side = conversations.replay_engine(script, name)
            self.assertEqual(expected, side.seen, name)

    @ddt.data(*SCRIPTS)
    def test_a_worker_understands_the_engines_of_then(self, path):
        script = conversations.load(path)
        side = conversations.replay_worker(script)
        self.assertEqual(script['worker'], side.seen)

    @ddt.data(*VERSIONS)
    def test_no_field_is_lost(self, version):
        path = conversations.HERE / f'v{version}' / 'messages.txt'
        texts = path.read_text('ascii').splitlines()
        for script in conversations.conversations(version):
            steps = conversations.load(script)['steps']
            texts += [step['text'] for step in steps if 'text' in step]
        for text in texts:
            message = messages.from_wire(text)
            again = messages.to_wire(
                message, version=tuple(json.loads(text)['v'])
            )
            self.assertEqual(json.loads(text), json.loads(again))

    @ddt.data(*VERSIONS)
    def test_a_spooled_outcome_is_read(self, version):
        path = conversations.HERE / f'v{version}' / 'spool.txt'
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        conf = cfg.ConfigOpts()
        service_conf.register_opts(conf)
        conf([], default_config_files=[], default_config_dirs=[])
        conf.set_override('state_path', str(folder))
        there = folder / 'spool' / 'host.1'
        there.mkdir(parents=True)
        (there / 'r1.json').write_text(path.read_text('ascii'))
        (found,) = spool.Spool(conf, 'host.1').read()
        self.assertEqual(
            ('r1', 'e1', messages.End.OK, '7', 'f1'),
            (
                found.request.request_uuid,
                found.engine.incarnation,
                found.outcome.end,
                found.outcome.value,
                found.outcome.flow_uuid,
            ),
        )


@ddt.ddt
class RangeTest(base.BaseTestCase):
    """Peers of other versions, while the two of a deployment differ."""

    def _speaks(self, lowest, highest):
        self.useFixture(
            fixtures.MonkeyPatch(
                'taskflow_service.protocol.messages.LOWEST', lowest
            )
        )
        self.useFixture(
            fixtures.MonkeyPatch(
                'taskflow_service.protocol.messages.VERSION', highest
            )
        )

    def _announce(self, lowest, highest):
        return messages.Announce(
            sender=messages.Peer('host.2', conversations.WORKER),
            number=1,
            public=messages.Public(
                {'t.task': '1.0'}, lowest=lowest, highest=highest
            ),
        )

    def _engine(self):
        return conversations.EngineSide('e1')

    @ddt.data(
        # ours, the worker's, what is written to it
        (((1, 0), (2, 1)), ((1, 0), (1, 0)), (1, 0)),
        (((1, 0), (2, 1)), ((1, 0), (2, 4)), (2, 1)),
        (((1, 0), (1, 0)), ((1, 0), (3, 0)), (1, 0)),
    )
    def test_an_engine_speaks_the_highest_that_both_know(self, case):
        ours, theirs, agreed = case
        self._speaks(*ours)
        side = self._engine()
        side.hear(messages.to_wire(self._announce(*theirs)), 1000.0)
        self.assertEqual(agreed, side.core.version(conversations.WORKER))

    @ddt.data(((1, 0), (1, 0)), ((1, 0), (2, 1)))
    def test_a_worker_answers_in_what_the_engine_reads(self, engine):
        self._speaks((1, 0), (2, 3))
        side = conversations.WorkerSide()
        who = messages.Who(
            sender=messages.Peer('host.1', 'e1'),
            number=1,
            demand=(messages.Demand('t.task', 1),),
            highest=engine[1],
        )
        side.hear(messages.to_wire(who), 1000.0)
        text = side.speak('report', 'e1', 1000.1)
        self.assertEqual(list(engine[1]), json.loads(text)['v'])

    def test_what_is_for_everyone_is_in_the_lowest(self):
        self._speaks((1, 0), (2, 0))
        text = conversations.WorkerSide().speak('announce', 'all', 1000.1)
        plain = json.loads(text)
        self.assertEqual([1, 0], plain['v'])
        self.assertEqual([2, 0], plain['public']['highest'])

    def test_a_worker_of_another_range_gets_nothing_and_is_named(self):
        side = self._engine()
        announce = self._announce((1, 5), (2, 2))
        side.hear(messages.to_wire(announce), 1000.0)
        side.do({'do': 'want', 'n': 1}, 1000.0)
        self.assertEqual([], side.core.place((), 1000.0))
        kind = conversations.records.Kind('t.task')
        self.assertEqual(
            'no live worker serves t.task in a protocol version of this '
            'process, which speaks 1.0: host.2 speaks 1.5 to 2.2; upgrade '
            'the older',
            side.core.reason(kind, 1000.0),
        )
