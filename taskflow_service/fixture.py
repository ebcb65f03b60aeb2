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

"""What the tests of a service that uses this package need.

Nothing is shared with another test, nothing outlives it, and no server is
needed: flows run as they do in production, with a worker in the same process
that is reached over oslo.messaging's in-memory driver.
"""

from __future__ import annotations

import contextlib
import typing
import uuid

import fixtures
from oslo_config import cfg

from taskflow_service import clock
from taskflow_service import conf as service_conf
from taskflow_service import engines
from taskflow_service import identity
from taskflow_service.engines import embedded
from taskflow_service.executors import hub
from taskflow_service.messaging import transport
from taskflow_service.persistence import backends


class TaskflowFixture(fixtures.Fixture):
    """A private configuration, a logbook in memory, a worker, and a clock.

    :param engine: the ``[engine] type``; ``serial`` is the quickest,
        ``workers`` shows whether arguments and results can travel
    :param conf: options to register and use besides ours: a ``ConfigOpts``
        of the test's own instead of a new one

    Attributes: ``conf``, ``backend`` (the logbook, for assertions) and
    ``clock``, a ``VirtualClock`` that loops of ``loop()`` go by: a retry
    that waits an hour has waited when the test calls ``advance(3600)``.
    """

    def __init__(
        self, engine: str = 'workers', conf: cfg.ConfigOpts | None = None
    ) -> None:
        super().__init__()
        self._engine = engine
        self._given = conf

    def _setUp(self) -> None:
        self.conf = self._given or cfg.ConfigOpts()
        self.clock = clock.VirtualClock()
        service_conf.register_opts(self.conf)
        transport.register_opts(self.conf)
        if self._given is None:
            self.conf([], default_config_files=[], default_config_dirs=[])
        path = self.useFixture(fixtures.TempDir()).path
        self.config(state_path=path, transport_url='fake://')
        self.config('engine', type=self._engine)
        self.config('persistence', backend='memory')
        self.config('remote', namespace=f'test-{uuid.uuid4().hex}')
        self.config('worker', graceful_shutdown_timeout=0, cancel_grace=0)
        self.backend = backends.fetch('memory')
        self.addCleanup(self.backend.close)
        self.addCleanup(self._tear_down)

    def config(self, group: str | None = None, **values: typing.Any) -> None:
        """Set options of a group for the life of this fixture."""
        for name, value in values.items():
            self.conf.set_override(name, value, group)
            self.addCleanup(self.conf.clear_override, name, group)

    def load(self, flow: typing.Any, **kwargs: typing.Any) -> typing.Any:
        """Make an engine, as ``engines.load`` does, with this logbook."""
        kwargs.setdefault('backend', self.backend)
        return engines.load(flow, conf=self.conf, **kwargs)

    def run(self, flow: typing.Any, **kwargs: typing.Any) -> typing.Any:
        """Run a flow and return what it stored; raises as ``run()`` does."""
        engine = self.load(flow, **kwargs)
        engine.run()
        return engine.storage.fetch_all()

    def loop(self) -> engines.Loop:
        """Make a loop that goes by ``clock``; it ends with the fixture."""
        loop = engines.Loop(self.conf, clock=self.clock)
        self.addCleanup(_close, loop)
        return loop

    def _tear_down(self) -> None:
        # First who uses the bus, then the bus, then the names.
        with contextlib.ExitStack() as stack:
            stack.callback(identity.forget, self.conf)
            stack.callback(transport.forget, self.conf)
            stack.callback(hub.forget, self.conf)
            stack.callback(embedded.forget, self.conf)


def _close(loop: engines.Loop) -> None:
    # A flow that waits for time which nobody moves on never ends.
    loop.close(wait=not loop.drives)
