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
"""Remote flows, in bare casts of oslo.messaging over the same broker.

The broker is the one that the functional tests would use.  One worker process,
a memory backend.
"""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
import queue
import subprocess
import sys
import tempfile
from typing import Any
import unittest
import uuid

import oslo_messaging
from oslo_messaging.rpc import dispatcher

from benchmarks import bus
from benchmarks import measure
from benchmarks import others
from benchmarks import shapes
from taskflow_service import identity
from taskflow_service.executors import hub
from taskflow_service.messaging import transport
from tests import instances
from tests import servers

CHAIN = measure.Budget(promise=1.5, aim=1.2)
FAN_OUT = measure.Budget(promise=5, aim=15, at_least=True)
AGAINST_CELERY = measure.Budget(promise=10, aim=20, at_least=True)
AGAINST_TASKFLOW = measure.Budget(promise=30, aim=100, at_least=True)
_PATIENCE = 60


class _Back:
    """The endpoint of the bare casts' way back."""

    def __init__(self) -> None:
        self.numbers: queue.SimpleQueue[int] = queue.SimpleQueue()

    def back(self, context: Any, number: int) -> None:
        self.numbers.put(number)


class Bare:
    """Casts to another process, which casts back."""

    def __init__(self, conf: Any, name: str) -> None:
        link = oslo_messaging.get_rpc_transport(conf)
        self._client = oslo_messaging.get_rpc_client(
            link, oslo_messaging.Target(topic=name, server='bench')
        )
        self._back = _Back()
        self._server = oslo_messaging.get_rpc_server(
            link,
            oslo_messaging.Target(topic=f'{name}-back', server='bench'),
            [self._back],
            access_policy=dispatcher.DefaultRPCAccessPolicy,
        )
        self._server.start(override_pool_size=1)

    def chain(self, n: int) -> float:
        """Return seconds per cast there and back, one after the other."""

        def work() -> None:
            for number in range(n):
                self._client.cast({}, 'there', number=number)
                self._back.numbers.get(timeout=_PATIENCE)

        return measure.seconds(work) / n

    def fan_out(self, n: int) -> float:
        """Return seconds per cast there and back, all at once."""

        def work() -> None:
            for number in range(n):
                self._client.cast({}, 'there', number=number)
            for _ in range(n):
                self._back.numbers.get(timeout=_PATIENCE)

        return measure.seconds(work) / n

    def close(self) -> None:
        self._server.stop()
        self._server.wait()


class Remote:
    """Runs flows whose tasks another process does."""

    def __init__(self, conf: Any) -> None:
        self._conf = conf
        self._us = shapes.Library('taskflow_service')
        self._us.nothing = bus.Nothing

    def seconds(self, shape: str, n: int) -> float:
        """Return seconds per task of ``run()``."""
        engine = self._us.engines.load(
            shapes.SHAPES[shape](self._us, n),
            engine='workers',
            backend={'connection': 'memory'},
            conf=self._conf,
        )
        engine.compile()
        engine.prepare()
        return measure.seconds(engine.run) / n


@contextlib.contextmanager
def _peer(mode: str, url: str, name: str, state: str) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, '-m', 'benchmarks.peer', mode, url, name, state],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        if process.stdout.readline() != 'ready\n':
            raise RuntimeError(f'the {mode} of the benchmark did not start')
        yield
    finally:
        process.stdin.close()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def rows(scale: measure.Scale) -> Iterator[measure.Row]:
    """Measure every row of this suite."""
    try:
        with servers.RabbitMQ() as broker:
            yield from _measure(broker.url, scale)
    except unittest.SkipTest as exc:
        yield measure.Row('remote chain', None, note=str(exc))


def _measure(url: str, scale: measure.Scale) -> Iterator[measure.Row]:
    name = f'tfs-bench-{uuid.uuid4().hex[:12]}'
    n, wide = scale.size(500), scale.size(10000, 500)
    with contextlib.ExitStack() as stack:
        state = stack.enter_context(tempfile.TemporaryDirectory())
        # This process's own name lies in that folder too.
        stack.callback(identity.close_all)
        conf = bus.make_conf(url, name, state)
        # Before the broker's virtual host goes.
        stack.callback(transport.forget, conf)
        stack.callback(hub.forget, conf)
        stack.enter_context(_peer('worker', url, name, state))
        stack.enter_context(_peer('echo', url, name, state))
        bare = Bare(conf, name)
        stack.callback(bare.close)
        remote = Remote(conf)
        bare.chain(10)
        remote.seconds('linear', 10)
        yield measure.Row(
            f'remote chain, {n} tasks',
            measure.ratio(
                lambda: remote.seconds('linear', n),
                lambda: bare.chain(n),
                scale.pairs,
            ),
            'casts there and back a task',
            CHAIN,
        )
        yield measure.Row(
            f'remote fan-out, {wide} tasks',
            measure.speedup(
                lambda: remote.seconds('unordered', wide),
                lambda: bare.fan_out(wide),
                scale.pairs,
            ),
            'x the rate of bare casts',
            FAN_OUT,
        )
        yield from _against(url, remote, scale)


def _against(
    url: str, remote: Remote, scale: measure.Scale
) -> Iterator[measure.Row]:
    """Measure the fan-out against those of others.

    Theirs are of a thousand tasks at most, which is not to their harm: they
    take longer a task the more there are.
    """
    wide, most = scale.size(10000, 500), scale.size(1000, 100)

    def ours() -> float:
        return remote.seconds('unordered', wide)

    what = f'remote fan-out against Celery, {most} tasks, a task'
    try:
        with others.redis() as redis, others.celery(url, redis) as celery:
            celery(most)
            yield measure.Row(
                what,
                measure.speedup(ours, lambda: celery(most), scale.pairs),
                'x',
                AGAINST_CELERY,
            )
    except (ImportError, instances.NotInstalled) as missing:
        yield measure.Row(what, None, note=str(missing))
    what = "remote fan-out against TaskFlow's workers, {} tasks, a task"
    try:
        with others.taskflow_workers(url) as workers:
            most = others.largest(workers, most)
            yield measure.Row(
                what.format(most),
                measure.speedup(ours, lambda: workers(most), scale.pairs),
                'x',
                AGAINST_TASKFLOW,
            )
    except ImportError as missing:
        yield measure.Row(what.format(most), None, note=str(missing))
