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
"""Record conversations in the protocol version of today.

``python -m tests.recorded.record`` writes ``tests/recorded/v<version>`` for a
version that has none; what is there is never written again.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
import tempfile
import typing

from oslo_config import cfg

from taskflow_service import conf as service_conf
from taskflow_service.protocol import messages
from taskflow_service.protocol.worker import records
from taskflow_service.worker import spool
from tests.recorded import conversations

W = conversations.WORKER
#: A request with every field that can be set from outside.
WHOLE = {
    'flow_uuid': 'f1',
    'flow_name': 'flow',
    'atom': 'atom',
    'attempt': 3,
    'round': 2,
    'epoch': 4,
    'task_version': '1.1',
    'constructor': '{"v":1,"d":[["atom"],{"size":1}]}',
    'arguments': '{"v":1,"d":{"a":1}}',
    'context': '{"v":1,"d":{"request_id":"req-1","project_id":"p"}}',
    'strict_fence': True,
    'run_timeout': 30.5,
    'heartbeat_timeout': 5,
    'cancel_grace': 2.0,
    'memory_limit': 1 << 30,
    'finish_by': 2000.0,
    'deadline': 3000.0,
}
PLAIN = {'flow_uuid': 'f1', 'atom': 'atom'}


def do(who: str, what: str, **more: typing.Any) -> dict[str, typing.Any]:
    return {'who': who, 'do': what, **more}


def say(who: str, kind: str, to: str = W) -> dict[str, typing.Any]:
    return {'from': who, 'to': to, 'kind': kind}


def begin(n: int = 1, request: typing.Any = None, **kind: typing.Any):
    """Go on to where the worker has requests of engine e1."""
    # A revert or a probe would have a place at once by the announcement, and
    # no report for its grant.
    introduction = [] if 'extra' in kind else [say(W, 'announce', 'all')]
    return [
        *introduction,
        do('e1', 'want', n=n, kind=kind),
        say('e1', 'who', 'all'),
        say(W, 'report', 'e1'),
        do('e1', 'start', request=request or PLAIN),
        say('e1', 'orders'),
    ]


def end(uuid: str, how: str = 'ok', value: str = '{"v":1,"d":7}'):
    return [
        do(
            W,
            'finish',
            request_uuid=uuid,
            end=how,
            value=value,
            started=1000.5,
            finished=1001.0,
        ),
        say(W, 'report', 'e1'),
        do('e1', 'recorded', request_uuid=uuid),
        say('e1', 'orders'),
    ]


WAIT = {'wait': 6.0}
SCRIPTS: dict[str, dict[str, typing.Any]] = {
    'execute': {
        'steps': [
            *begin(request=WHOLE, version='1.1'),
            do(W, 'progress', request_uuid='e1-r1', value='["p",{"n":1}]'),
            WAIT,
            say(W, 'report', 'e1'),
            say('e1', 'orders'),
            *end('e1-r1'),
        ]
    },
    'failure': {
        'steps': [
            *begin(),
            *end('e1-r1', 'failed', '{"v":1,"d":{"$failure":{}}}'),
        ]
    },
    'revert': {
        'steps': [
            *begin(extra=True, request={**PLAIN, 'action': 'revert'}),
            *end('e1-r1'),
        ]
    },
    'probe': {
        'steps': [
            *begin(extra=True, request={**PLAIN, 'action': 'probe'}),
            *end('e1-r1', value='{"v":1,"d":[]}'),
        ]
    },
    'cancel': {
        'steps': [
            *begin(2),
            do('e1', 'cancel', request_uuid='e1-r1', reason='enough'),
            say('e1', 'orders'),
            *end('e1-r1', 'cancelled'),
            *end('e1-r2'),
        ]
    },
    'backlog_and_drain': {
        'steps': [
            *begin(4, idempotent=True, request={**PLAIN, 'idempotent': True}),
            do(W, 'drain'),
            say(W, 'report', 'e1'),
            *end('e1-r1'),
            *end('e1-r2'),
        ]
    },
    'engine_lost': {
        'steps': [
            *begin(),
            {'wait': 16.0},
            say(W, 'announce', 'all'),
            do(
                'e2',
                'attach',
                request_uuid='e1-r1',
                epoch=5,
                to=W,
            ),
            do('e2', 'attach', request_uuid='other', epoch=5, to=W),
            say('e2', 'orders'),
            say(W, 'report', 'e2'),
            do(W, 'finish', request_uuid='e1-r1', end='ok', value='"x"'),
            say(W, 'report', 'e2'),
            do('e2', 'recorded', request_uuid='e1-r1'),
            say('e2', 'orders'),
        ]
    },
    'worker_lost': {
        'spooled': [
            {
                'request': {
                    'request_uuid': 'old-1',
                    'task': 't.task',
                    **PLAIN,
                },
                'engine': 'e0',
                'end': 'ok',
                'value': '"kept"',
            }
        ],
        'steps': [
            do(
                'e1',
                'attach',
                request_uuid='old-1',
                epoch=2,
                to=conversations.BEFORE,
            ),
            do(
                'e1',
                'attach',
                request_uuid='old-2',
                epoch=2,
                to=conversations.BEFORE,
            ),
            do(W, 'dead', incarnation=conversations.BEFORE),
            say(W, 'announce', 'all'),
            say('e1', 'orders'),
            say(W, 'report', 'e1'),
            do('e1', 'recorded', request_uuid='old-1'),
            say('e1', 'orders'),
        ],
    },
}


def record(script: dict[str, typing.Any]) -> dict[str, typing.Any]:
    """Let both sides speak, and write down what they say."""
    worker = conversations.WorkerSide(spooled=conversations.spooled(script))
    names = {step.get('who', step.get('from')) for step in script['steps']} - {
        None,
        W,
    }
    engines = {name: conversations.EngineSide(name) for name in sorted(names)}
    steps: list[dict[str, typing.Any]] = []
    at = 0.0
    for wanted in script['steps']:
        if 'wait' in wanted:
            at += wanted['wait']
            continue
        at += 0.01
        now = conversations.START + at
        step = {'at': round(at, 2), **wanted}
        if 'do' in step:
            side = worker if step['who'] == W else engines[step['who']]
            side.do(step, now)
        else:
            speaker = step['from']
            if speaker == W:
                text = worker.speak(step['kind'], step['to'], now)
            else:
                text = engines[speaker].speak(step['kind'], now)
            if text is None:
                raise AssertionError(f'nothing is said at {step}')
            step['text'] = text
            if speaker != W:
                worker.hear(text, now)
            for name, engine in engines.items():
                if speaker == W and step['to'] in (name, 'all'):
                    engine.hear(text, now)
        steps.append(step)
    return {
        **script,
        'steps': steps,
        'worker': worker.seen,
        'engines': {name: side.seen for name, side in engines.items()},
    }


PEER = messages.Peer('host.1', 'e1')
REQUEST = messages.Request(request_uuid='r1', task='t.task', grant=9, **WHOLE)
PUBLIC = messages.Public(
    {'t.task': '1.2'},
    ('gold',),
    2,
    draining=True,
    lowest=(1, 0),
    highest=(1, 9),
    dead=('w0',),
    spooled=('r0',),
)
DEMAND = messages.Demand('t.task', 3, True, ('gold',), '1.1', True)
AIM = messages.Aim('r2', 4, 'enough')
OUTCOME = messages.Outcome('r5', messages.End.OK, '7', 1.5, 2.5, 'f1')
#: One message of each kind in which every field says something.
WHOLE_MESSAGES: tuple[messages.Message, ...] = (
    messages.Orders(
        sender=PEER,
        to=W,
        seq=7,
        seen=6,
        execute=(REQUEST,),
        cancel=(AIM,),
        recall=('r3',),
        attach=(AIM,),
        recorded=('r4',),
        demand=(DEMAND,),
        ask=True,
        highest=(1, 9),
    ),
    messages.Report(
        sender=PEER,
        to='e1',
        number=8,
        beat=True,
        taken=7,
        held=(
            messages.Held('r1', messages.State.STARTED, 1.5, True, '{"p":1}'),
        ),
        outcomes=(OUTCOME,),
        handed_back=('r6',),
        disowned=('r7',),
        credit=(2, 30),
        public=PUBLIC,
    ),
    messages.Announce(
        sender=PEER,
        number=9,
        public=PUBLIC,
        orphans=(messages.Orphan('r8', 'f1', True),),
    ),
    messages.Who(sender=PEER, number=3, demand=(DEMAND,), highest=(1, 9)),
)
#: An outcome that a worker left on disk, as its spool writes it.
SPOOLED = records.Entry(
    REQUEST,
    records.Party(PEER),
    4,
    records.Phase.DONE,
    outcome=dataclasses.replace(OUTCOME, request_uuid='r1'),
)


def spool_text() -> str:
    """Have the spool write an outcome; return its file."""
    with tempfile.TemporaryDirectory() as folder:
        conf = cfg.ConfigOpts()
        service_conf.register_opts(conf)
        conf([], default_config_files=[], default_config_dirs=[])
        conf.set_override('state_path', folder)
        spool.Spool(conf, 'host.1').write([SPOOLED])
        (path,) = pathlib.Path(folder).rglob('*.json')
        return path.read_text('ascii')


def main() -> int:
    version = '{}.{}'.format(*messages.VERSION)
    folder = conversations.HERE / f'v{version}'
    if folder.exists():
        print(f'{folder} is there, and is never edited', file=sys.stderr)
        return 1
    made = {name: record(script) for name, script in SCRIPTS.items()}
    folder.mkdir()
    for name, script in made.items():
        text = json.dumps(script, indent=1)
        (folder / f'{name}.json').write_text(text + '\n', 'ascii')
    texts = [messages.to_wire(message) for message in WHOLE_MESSAGES]
    (folder / 'messages.txt').write_text('\n'.join(texts) + '\n', 'ascii')
    (folder / 'spool.txt').write_text(spool_text() + '\n', 'ascii')
    return 0


if __name__ == '__main__':
    sys.exit(main())
