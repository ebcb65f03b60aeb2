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

"""The service of the soak: starts flows, and adopts those of a dead twin.

    python -m tests.soak.engine CONFIG-FILE FOLDER NAME SEED RATE MOST COUNT
        LONGEST

Starts RATE flows a second, whose tasks take LONGEST seconds at the most, while
fewer than MOST of its own are under way, until there are COUNT from all of
its lives, and none while there is a file ``quiet`` in the folder. SIGTERM lets
it hand its flows over and end. Its next life starts what this one had only
stored.
"""

from __future__ import annotations

from concurrent import futures
import contextlib
import logging
import pathlib
import random
import signal
import sys
import threading
import time
import typing

from oslo_config import cfg

from taskflow_service import conf as service_conf
from taskflow_service import engines
from taskflow_service.messaging import transport
from taskflow_service.persistence import backends
from tests.soak import tasks

LOG = logging.getLogger('soak.engine')

#: Seconds: longer than an engine is ever away.
LOOK_BACK = 180.0


class Service:
    """Starts flows at a rate until it is told to stop."""

    def __init__(self, file: str, folder: str, name: str, seed: int) -> None:
        self.folder = pathlib.Path(folder)
        self.conf = cfg.ConfigOpts()
        service_conf.register_opts(self.conf)
        transport.register_opts(self.conf)
        self.conf(['--config-file', file], default_config_dirs=[])
        self.name = name
        self.random = random.Random(f'{name} {seed}')
        self.stop = threading.Event()
        self.backend: typing.Any = None
        self.under_way: set[str] = set()
        self.submitted = self._earlier()

    def _earlier(self) -> int:
        """Count what earlier lives have submitted."""
        notes = self.folder / 'flows'
        lines = notes.read_text().splitlines() if notes.exists() else []
        return sum(
            line.startswith('submitted ') and line.endswith(f' {self.name}')
            for line in lines
        )

    def run(self, rate: float, most: int, count: int, longest: float) -> None:
        """Start flows until told to stop."""
        loop: typing.Any = None
        while loop is None and not self.stop.wait(1.0):
            with self._patience('begin'):
                self.backend = backends.from_conf(self.conf)
                loop = engines.Loop(self.conf, adopt=True)
        left = True
        while not self.stop.wait(self.random.expovariate(rate)):
            with self._patience('start a flow'):
                if left:
                    self._start_stored(loop)
                    left = False
                if (
                    len(self.under_way) < most
                    and self.submitted < count
                    and not self._quiet()
                ):
                    self._start(loop, longest)
                    self.submitted += 1
        LOG.info('Ends; %d of its flows are under way', len(self.under_way))
        if loop is not None:
            loop.close(wait=True, hand_over=True)
        LOG.info('Has ended')

    def _quiet(self) -> bool:
        return (self.folder / 'quiet').exists()

    @contextlib.contextmanager
    def _patience(self, what: str) -> typing.Iterator[None]:
        """Outlive what a server that is away does to its callers."""
        try:
            yield
        except Exception as error:
            LOG.warning('Cannot %s: %r', what, error)

    def _start_stored(self, loop: engines.Loop) -> None:
        """Start what an earlier life stored and did not start."""
        with contextlib.closing(self.backend.get_connection()) as connection:
            for flow in connection.find_flows(
                created_after=time.time() - LOOK_BACK, limit=1000
            ):
                if flow.state is not None:
                    continue
                detail = connection.get_flow_details(flow.uuid)
                made = detail.meta.get('factory', {}).get('kwargs', {})
                if made.get('by') != self.name:
                    continue  # another's, or not promised to anybody
                LOG.info('Starts flow %s, which was only stored', flow.uuid)
                engine = engines.load_from_detail(
                    detail,
                    store=self._store(),
                    backend=self.backend,
                    conf=self.conf,
                )
                self._submit(loop, engine)

    def _store(self) -> dict[str, str]:
        return {
            'path': str(self.folder / 'effects'),
            tasks.FIRST: tasks.FIRST,
        }

    def _start(self, loop: engines.Loop, longest: float) -> None:
        engine = engines.load_from_factory(
            tasks.make_flow,
            factory_kwargs={
                'by': self.name,
                'kind': tasks.choose_kind(self.random),
                'seed': self.random.randrange(1 << 30),
                'longest': longest,
            },
            store=self._store(),
            backend=self.backend,
            conf=self.conf,
        )
        self._submit(loop, engine)

    def _submit(self, loop: engines.Loop, engine: typing.Any) -> None:
        flow_uuid = engine.storage.flow_uuid
        self.under_way.add(flow_uuid)
        self._note('submitted', flow_uuid)

        def ended(future: futures.Future[None]) -> None:
            self.under_way.discard(flow_uuid)
            error = future.exception()
            self._note('ended', flow_uuid, type(error).__name__)

        loop.submit(engine).add_done_callback(ended)

    def _note(self, *words: str) -> None:
        with (self.folder / 'flows').open('a') as notes:
            notes.write(' '.join((*words, self.name)) + '\n')


def main(file: str, folder: str, name: str, seed: str, *load: str) -> None:
    """Run until SIGTERM."""
    logging.basicConfig(
        level=logging.INFO,
        format='%(asctime)s %(process)d %(levelname)s %(name)s %(message)s',
    )
    for noisy in ('alembic', 'amqp', 'oslo.messaging', 'oslo_messaging'):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    service = Service(file, folder, name, int(seed))
    signal.signal(signal.SIGTERM, lambda *_: service.stop.set())
    rate, most, count, longest = load
    service.run(float(rate), int(most), int(count), float(longest))


if __name__ == '__main__':
    main(*sys.argv[1:])
