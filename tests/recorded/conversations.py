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
"""Conversations between an engine and a worker, as they were recorded.

A conversation is a script in a file: who said what, as text on the wire, and
when. It is replayed against today's engine with the worker's texts, and
against today's worker with the engine's, while the other half of the script
says only when today's side has to say something of its own. At the end the
file says what must have become of each side.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
import typing

from taskflow_service.protocol import link
from taskflow_service.protocol import messages
from taskflow_service.protocol.engine import machine as engine_machine
from taskflow_service.protocol.engine import records
from taskflow_service.protocol.worker import machine as worker_machine
from taskflow_service.protocol.worker import records as worker_records

HERE = pathlib.Path(__file__).parent
TIMING = link.Timing()
#: A worker's incarnations, and the engines' that speak in a script.
WORKER, BEFORE = 'w1', 'w0'
START = 1000.0
#: What makes one side do something by itself, by its name in a script.
Do = dict[str, typing.Any]


def conversations(version: str) -> list[pathlib.Path]:
    """List the files of a protocol version."""
    return sorted((HERE / f'v{version}').glob('*.json'))


def digest(path: pathlib.Path) -> str:
    """Return by what a file is known."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:32]


class EngineSide:
    """An engine of today, and what became of its requests."""

    def __init__(self, name: str) -> None:
        self.core = engine_machine.Engine(
            messages.Peer('host.1', name), TIMING, START, iter_ids(name)
        )
        self.works: dict[str, records.Work] = {}
        self.placed: list[records.Work] = []
        self.seen: list[list[str]] = []

    def hear(self, text: str, now: float) -> None:
        message = messages.from_wire(text)
        self.core.received(message, now)
        for event in self.core.events():
            kind = type(event).__name__
            if isinstance(event, records.Ended):
                self.seen.append(
                    [kind, event.work.request_uuid, str(event.end)]
                )
            elif isinstance(event, records.Orphaned):
                self.seen.append([kind, event.orphan.request_uuid])
            elif isinstance(event, records.Late):
                self.seen.append([kind, event.outcome.request_uuid])
            else:
                self.seen.append([kind, event.work.request_uuid])

    def speak(self, kind: str, now: float) -> str | None:
        tick = self.core.tick(now)
        if tick.cast is not None:
            self.core.returned(tick.cast, now)
        if kind == 'who':
            return None if tick.who is None else messages.to_wire(tick.who)
        orders = self.core.orders(WORKER, now)
        if orders is None:
            return None
        version = self.core.version(WORKER)
        return messages.to_wire(orders, version=version)

    def do(self, do: Do, now: float) -> None:
        what = do['do']
        if what == 'want':
            kind = records.Kind('t.task', **do.get('kind', {}))
            works = [records.Work(kind) for _ in range(do['n'])]
            self.placed = self.core.place(works, now)
        elif what == 'start':
            placed = [*self.placed, *self.core.place((), now)]
            for work in placed:
                self.works[work.request_uuid] = work
                work.request = messages.Request(
                    request_uuid=work.request_uuid,
                    task='t.task',
                    grant=work.grant,
                    **do['request'],
                )
            self.core.start(placed, now)
        elif what == 'attach':
            work = records.Work(records.Kind('t.task'), epoch=do['epoch'])
            work.request_uuid = do['request_uuid']
            self.core.attach(work, messages.Peer('host.2', do['to']), now)
        elif what == 'cancel':
            self.core.cancel(self.works[do['request_uuid']], do['reason'])
        elif what == 'recorded':
            self.core.recorded([do['request_uuid']])
            for peer in self.core.workers():
                peer.answer = bool(peer.recorded)
        elif what == 'fetch':
            self.core.fetch(
                do['request_uuid'],
                do['epoch'],
                messages.Peer('host.2', WORKER),
            )


class WorkerSide:
    """A worker of today, and what it was made to do."""

    def __init__(self, **kwargs: typing.Any) -> None:
        self.core = worker_machine.Worker(
            messages.Peer('host.2', WORKER),
            messages.Public(
                {'t.task': '1.2'},
                ('gold',),
                2,
                lowest=messages.LOWEST,
                highest=messages.VERSION,
            ),
            TIMING,
            START,
            **kwargs,
        )
        self.seen: list[list[str]] = []

    def step(self, now: float) -> None:
        step = self.core.step(now, now)
        if step.cast is not None:
            self.core.returned(step.cast, now)
        self.seen += [
            ['start', each.action, each.request_uuid] for each in step.start
        ]
        self.seen += [['cancel', *each] for each in step.cancel]
        self.seen += [['forget', each] for each in step.forget]

    def hear(self, text: str, now: float) -> None:
        self.core.received(messages.from_wire(text), now, now)
        self.step(now)

    def speak(self, kind: str, to: str, now: float) -> str | None:
        self.step(now)
        if kind == 'announce':
            announcement = self.core.announcement(now)
            if announcement is None:
                return None
            return messages.to_wire(announcement)
        report = self.core.report(to, now)
        if report is None:
            return None
        version = self.core.version(to)
        return messages.to_wire(report, version=version)

    def do(self, do: Do, now: float) -> None:
        what = do['do']
        if what == 'finish':
            self.core.finished(
                messages.Outcome(
                    do['request_uuid'],
                    messages.End(do['end']),
                    do.get('value'),
                    do.get('started'),
                    do.get('finished'),
                )
            )
        elif what == 'progress':
            self.core.progressed(do['request_uuid'], do['value'])
        elif what == 'drain':
            self.core.drain(now)
        elif what == 'dead':
            self.core.predecessor(do['incarnation'], False)
        self.step(now)


def iter_ids(name: str) -> typing.Callable[[], str]:
    """Number requests, so that a replay gives them the same names."""
    count = 0

    def new() -> str:
        nonlocal count
        count += 1
        return f'{name}-r{count}'

    return new


def spooled(
    script: dict[str, typing.Any],
) -> list[worker_records.Spooled]:
    """Return the outcomes that a worker's predecessor had left."""
    return [
        worker_records.Spooled(
            messages.Request(**each['request']),
            messages.Peer('host.1', each['engine']),
            messages.Outcome(
                each['request']['request_uuid'],
                messages.End(each['end']),
                each['value'],
            ),
        )
        for each in script.get('spooled', ())
    ]


def replay_engine(script: dict[str, typing.Any], name: str) -> EngineSide:
    """Let an engine of today hear what the worker said then."""
    side = EngineSide(name)
    for step in script['steps']:
        now = START + step['at']
        if 'do' in step:
            if step['who'] == name:
                side.do(step, now)
        elif step['from'] == name:
            if side.speak(step['kind'], now) is None:
                raise AssertionError(f'{name} has nothing to say at {step}')
        elif step['to'] in (name, 'all'):
            side.hear(step['text'], now)
    return side


def replay_worker(script: dict[str, typing.Any]) -> WorkerSide:
    """Let a worker of today hear what the engines said then."""
    side = WorkerSide(spooled=spooled(script))
    for step in script['steps']:
        now = START + step['at']
        if 'do' in step:
            if step['who'] == WORKER:
                side.do(step, now)
        elif step['from'] == WORKER:
            if side.speak(step['kind'], step['to'], now) is None:
                raise AssertionError(
                    f'the worker has nothing to say at {step}'
                )
        else:
            side.hear(step['text'], now)
    return side


def load(path: pathlib.Path) -> dict[str, typing.Any]:
    """Read a script."""
    found: dict[str, typing.Any] = json.loads(path.read_text('ascii'))
    return found
