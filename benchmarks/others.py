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

"""What others take for the same: DBOS, Celery, TaskFlow's worker engine.

Each is set up as its own documentation says, with one worker process where
it has workers, on the servers that we use ourselves. Whoever is not
installed is left out with a note.
"""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
from importlib import metadata
import shutil
import subprocess
import sys
import time
from typing import Any
import uuid

from benchmarks import measure
from tests import instances

_PATIENCE = 60


def installed(name: str) -> bool:
    """Tell whether a package is there to be measured."""
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


class Dbos:
    """A workflow of steps that do nothing, on PostgreSQL."""

    def __init__(self, url: str) -> None:
        import dbos

        self._dbos = dbos
        dbos.DBOS(
            config={
                'name': 'bench',
                'system_database_url': url,
                'run_admin_server': False,
                'log_level': 'ERROR',
            }
        )

        @dbos.DBOS.step()
        def nothing(number: int) -> int:
            return number

        @dbos.DBOS.workflow()
        def chain(n: int) -> int:
            number = 0
            for _ in range(n):
                number = nothing(number)
            return number

        self._chain = chain
        dbos.DBOS.launch()

    def seconds(self, n: int) -> float:
        """Return seconds per step."""
        return measure.seconds(lambda: self._chain(n)) / n

    def close(self) -> None:
        self._dbos.DBOS.destroy()


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """Give the address of a Redis of our own, which keeps nothing on disk.

    :raises NotInstalled: there is no redis-server here
    """
    import redis as library

    program = shutil.which('redis-server')
    if program is None:
        raise instances.NotInstalled('there is no program redis-server here')
    url = f'redis://127.0.0.1:{instances.free_port()}/0'
    server = subprocess.Popen(
        [
            program,
            *('--port', url.rpartition(':')[2].partition('/')[0]),
            *('--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        with library.Redis.from_url(url) as client:
            deadline = time.monotonic() + _PATIENCE
            while True:
                try:
                    client.ping()
                    break
                except library.ConnectionError:
                    if time.monotonic() > deadline:
                        raise
                try:
                    server.wait(0.05)
                except subprocess.TimeoutExpired:
                    continue
                raise RuntimeError('redis-server ended')
        yield url
    finally:
        server.terminate()
        server.wait(_PATIENCE)


_CELERY = '''
import celery
app = celery.Celery('bench', broker={broker!r}, backend={backend!r})
app.conf.task_default_queue = {queue!r}
@app.task(name='nothing')
def nothing():
    pass
app.worker_main(['worker', '-c', '4', '-Q', {queue!r}, '-l', 'ERROR'])
'''


@contextlib.contextmanager
def celery(broker: str, backend: str) -> Iterator[Any]:
    """Run one Celery worker; give what measures seconds per task of n."""
    import celery as library

    queue = f'tfs-bench-{uuid.uuid4().hex[:12]}'
    broker = broker.replace('rabbit://', 'amqp://')
    app = library.Celery('bench', broker=broker, backend=backend)
    app.conf.task_default_queue = queue
    source = _CELERY.format(broker=broker, backend=backend, queue=queue)
    worker = subprocess.Popen(
        [sys.executable, '-W', 'ignore', '-c', source],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    nothing = app.signature('nothing')
    try:
        nothing.clone().apply_async().get(timeout=_PATIENCE)

        def fan_out(n: int) -> float:
            def work() -> None:
                library.group(nothing.clone() for _ in range(n))().get(
                    timeout=_PATIENCE
                )

            return measure.seconds(work) / n

        yield fan_out
    finally:
        worker.terminate()
        worker.wait(_PATIENCE)


def largest(run: Any, most: int = 1000, limit: float = 60.0) -> int:
    """Return the largest number of tasks that ends within a minute."""
    n = 10
    while n < most:
        began = time.monotonic()
        run(n)
        if (time.monotonic() - began) * 4 > limit:
            break
        n = min(n * 4, most)
    return n


_TASKFLOW = '''
from taskflow.engines.worker_based import worker
worker.Worker(
    {exchange!r}, 'bench', ['benchmarks.nothing:Nothing'], url={url!r},
    threads_count=4,
).run(display_banner=False)
'''


@contextlib.contextmanager
def taskflow_workers(url: str) -> Iterator[Any]:
    """Run one TaskFlow worker; give what measures seconds per task of n."""
    from taskflow import engines
    from taskflow.patterns import unordered_flow

    from benchmarks import nothing

    name = f'tfs-bench-{uuid.uuid4().hex[:12]}'
    url = url.replace('rabbit://', 'amqp://')
    source = _TASKFLOW.format(exchange=name, url=url)
    worker = subprocess.Popen(
        [sys.executable, '-W', 'ignore', '-c', source],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def fan_out(n: int) -> float:
        flow = unordered_flow.Flow('bench')
        flow.add(*(nothing.Nothing(str(i)) for i in range(n)))
        engine = engines.load(
            flow,
            engine='worker-based',
            exchange=name,
            topics=['bench'],
            url=url,
        )
        engine.compile()
        engine.prepare()
        return measure.seconds(engine.run) / n

    try:
        fan_out(1)
        yield fan_out
    finally:
        worker.terminate()
        worker.wait(_PATIENCE)
