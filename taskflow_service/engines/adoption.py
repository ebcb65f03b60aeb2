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

"""Take over the flows of processes that died.

A flow is adopted if it is under way, nobody who is alive owns it, and its
detail says how it is made again: by a factory that is installed under a name
of ``taskflow_service.flows``, or that lives in a package under
``[serialization] allowed_modules``. Nothing else that a row names is imported.
"""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
import logging
import threading
import typing

from oslo_config import cfg

from taskflow_service import clock as clock_mod
from taskflow_service import exceptions
from taskflow_service import registry
from taskflow_service.engines import base
from taskflow_service.engines import helpers
from taskflow_service.engines import loop as loop_mod
from taskflow_service.persistence import backends
from taskflow_service.persistence import base as persistence_base
from taskflow_service.persistence import models
from taskflow_service.persistence import queries

LOG = logging.getLogger(__name__)

_PAGE = 200


class Loop(loop_mod.Loop):
    """Drives any number of flows with a constant number of threads.

    ``submit`` an engine, get a future. Thread-safe; ``close`` it, or use it
    as a context manager. Engines of the same kind and options share one
    executor.

    :param conf: what adopted flows are run with
    :param adopt: also take over, every third of an owner lease, the flows
        of the logbook whose owners are gone; needs a ``conf`` with a logbook
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts | None = None,
        adopt: bool = False,
        clock: clock_mod.Clock | None = None,
    ) -> None:
        super().__init__(conf, clock)
        self._sweeper: Sweeper | None = None
        if adopt:
            if conf is None:
                raise exceptions.ConfigurationError(
                    'Loop(adopt=True) needs conf=: it says which logbook '
                    'flows are adopted from'
                )
            self._sweeper = Sweeper(self, conf)
            self._sweeper.start()

    def close(self, wait: bool = True, hand_over: bool = False) -> None:
        """End, as the base class does, and adopt nothing meanwhile."""
        if self._sweeper is not None:
            self._sweeper.stop()
        super().close(wait, hand_over)


class Sweeper:
    """Looks for flows to adopt until it is stopped."""

    def __init__(self, loop: Loop, conf: cfg.ConfigOpts) -> None:
        backend = backends.from_conf(conf)
        if backend is None or not backend.durable:
            raise exceptions.ConfigurationError(
                '[persistence] backend: flows can be adopted only from a '
                "logbook that outlives its processes; set it to 'sqlalchemy'",
                option='[persistence] backend',
            )
        self._loop = loop
        self._conf = conf
        self._backend: persistence_base.Backend = backend
        self._stop = loop.clock.event()
        self._refused: set[str] = set()
        #: Flows whose run here could not be stored: another would end so too.
        self._given_up: set[str] = set()
        self._thread = threading.Thread(
            target=self._main, name='taskflow-adoption', daemon=True
        )

    def start(self) -> None:
        """Begin to sweep in a thread of its own."""
        self._backend.watch_owners()
        self._thread.start()

    def stop(self) -> None:
        """End; blocks until the sweep that is under way has ended."""
        self._stop.set()
        self._thread.join()

    def _main(self) -> None:
        clock = self._loop.clock
        pause = self._conf.engine.lease / 3
        while True:
            try:
                self.sweep()
            except Exception as error:
                LOG.warning('Flows could not be looked through: %s', error)
            deadline = clock_mod.Monotonic(clock.monotonic() + pause)
            if clock.wait(self._stop, deadline):
                return

    def sweep(self) -> int:
        """Adopt what can be adopted now; return how many flows."""
        adopted = 0
        for flow in self._orphans():
            if self._stop.is_set():
                break
            try:
                adopted += self._adopt(flow)
            except exceptions.StorageOutage:
                raise
            except Exception as error:
                # One flow that cannot be made again holds up no other.
                self._refuse(flow, str(error))
        return adopted

    def _orphans(self) -> Iterator[queries.FlowSummary]:
        marker: str | None = None
        while True:
            with contextlib.closing(
                self._backend.get_connection()
            ) as connection:
                page = connection.find_flows(
                    base.UNDER_WAY,
                    limit=_PAGE,
                    marker=marker,
                    oldest_first=True,
                )
            for flow in page:
                if flow.uuid in self._loop.drives:
                    continue
                if flow.uuid in self._given_up:
                    continue
                if flow.owner is None or self._backend.is_gone(flow.owner):
                    yield flow
            if len(page) < _PAGE:
                return
            marker = page[-1].uuid

    def _refuse(self, flow: queries.FlowSummary, why: str) -> None:
        if flow.uuid not in self._refused:
            self._refused.add(flow.uuid)
            LOG.warning(
                'Flow %s (%s) of %s cannot be adopted: %s',
                flow.name,
                flow.uuid,
                flow.owner,
                why,
            )

    def _adopt(self, flow: queries.FlowSummary) -> bool:
        with contextlib.closing(self._backend.get_connection()) as connection:
            detail = connection.get_flow_details(flow.uuid)
        if detail.state not in base.UNDER_WAY:
            return False
        why = self._why_not(detail)
        if why is not None:
            self._refuse(flow, why)
            return False
        engine = helpers.load_from_detail(
            detail, backend=self._backend, conf=self._conf
        )
        engine.adopting = True
        LOG.info(
            'Adopting flow %s (%s), whose owner %s is gone',
            detail.name,
            detail.uuid,
            flow.owner,
        )
        future = self._loop.submit(engine)
        future.add_done_callback(lambda done: self._report(detail, done))
        return True

    def _why_not(self, detail: models.FlowDetail) -> str | None:
        factory = detail.meta.get('factory')
        if not factory:
            return 'it holds no factory (see engines.save_factory_details)'
        name = factory['name']
        if name in registry.names(registry.Kind.FLOW):
            return None
        for module in registry.allowed_modules(self._conf):
            if name == module or name.startswith(f'{module}.'):
                return None
        return (
            f'its factory {name!r} is no name of taskflow_service.flows and '
            f'not under [serialization] allowed_modules'
        )

    def _report(self, detail: models.FlowDetail, done: typing.Any) -> None:
        error = done.exception()
        if isinstance(error, exceptions.FlowEnded):
            LOG.info('%s', error)
            return
        if isinstance(error, exceptions.StorageFailure) and not isinstance(
            error, exceptions.StorageOutage
        ):
            self._given_up.add(detail.uuid)
        if error is not None:
            LOG.warning(
                'Adopted flow %s (%s) ended with: %s',
                detail.name,
                detail.uuid,
                error,
            )
