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


"""A worker: serves tasks until it is told to stop.

``Worker`` runs in any thread of any program and touches no signal; the
daemon around it is ``service``.
"""

from __future__ import annotations

from collections.abc import Iterable
import functools
import socket
import threading
import time
import weakref

from oslo_config import cfg
from oslo_log import log as logging

from taskflow_service import clock as clock_mod
from taskflow_service import exceptions
from taskflow_service import identity as identity_mod
from taskflow_service import registry
from taskflow_service.messaging import codec
from taskflow_service.messaging import transport
from taskflow_service.protocol import messages
from taskflow_service.worker import body
from taskflow_service.worker import catalogue
from taskflow_service.worker import control
from taskflow_service.worker import health
from taskflow_service.worker import lifecycle
from taskflow_service.worker import processes
from taskflow_service.worker import runner
from taskflow_service.worker import spool

LOG = logging.getLogger(__name__)

#: Seconds between two log lines while the broker is not there, or while
#: requests are waited for.
_SAY_EVERY = 10.0
#: Seconds that things take which take no time.
_MOMENT = 5.0
#: How far back orders to those that had the name before are answered.
_MOST_PREDECESSORS = 200

#: The workers that serve in this process.
_serving: weakref.WeakSet[Worker] = weakref.WeakSet()


class Worker:
    """Runs the tasks that engines send to it.

    :param conf: ``[worker]``, ``[remote]``, ``[DEFAULT] transport_url``
    :param tasks: what to serve, instead of ``[worker] tasks``: classes,
        modules, their paths (``module:Class``), names or patterns of
        registered tasks
    :param topics: instead of ``[worker] topics``
    :param name: instead of ``[worker] name``, which is the host's by default
    :param url: instead of ``[DEFAULT] transport_url``
    :param tells_health: whether it writes down that it hears, for a
        supervisor who asks ``taskflow-worker --check``
    :raises ConfigurationError: something in the configuration is wrong
    :raises NotFound: a task that no plugin provides
    :raises Duplicate: two tasks of one name, both origins named

    ``start()`` and ``wait()``, or ``run()``, once; ``stop()`` from any
    thread and as often as one likes.
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        tasks: Iterable[catalogue.Entry] | None = None,
        topics: Iterable[str] | None = None,
        name: str | None = None,
        *,
        url: str | None = None,
        clock: clock_mod.Clock = clock_mod.SYSTEM,
        tells_health: bool = False,
    ) -> None:
        self._conf = conf
        self._url = url
        self._clock = clock
        self._catalogue = catalogue.build(conf, tasks)
        self._topics = tuple(conf.worker.topics if topics is None else topics)
        if not self._topics:
            raise exceptions.ConfigurationError(
                '[worker] topics: name at least one topic',
                option='[worker] topics',
            )
        transport.shared(conf, url)
        self._lifecycle = lifecycle.Lifecycle(
            conf, self._topics, self._catalogue, clock
        )
        self._host = name
        self._tells_health = tells_health
        self._pulse: health.Pulse | None = None
        self._identity: identity_mod.Identity | None = None
        self._control: control.Control | None = None
        #: Set when it has stopped, and when it gave up by itself.
        self._ended = threading.Event()
        self._serves = threading.Event()
        self._stopped = threading.Event()
        self._stop_lock = threading.Lock()

    @property
    def name(self) -> str | None:
        """Its full name, once it was started."""
        return None if self._identity is None else self._identity.name

    @property
    def namespace(self) -> str:
        """The name space in which it can be reached."""
        return str(self._conf.remote.namespace)

    @property
    def reachable_inside(self) -> bool:
        """Whether it is reached over a transport inside this process."""
        return transport.shared(self._conf, self._url).in_memory

    @property
    def fenced(self) -> bool:
        """Whether it gave up, cut off from the broker or from its name."""
        running = self._control
        return running is not None and running.ended_by_itself.is_set()

    def running(self) -> list[tuple[messages.Request, float]]:
        """List what runs, each with the wall time at which it started."""
        return [] if self._control is None else self._control.running()

    def counts(self) -> dict[str, int]:
        """Count requests by how they ended, and odd messages, so far."""
        if self._control is None:
            return {}
        return {
            **self._control.counted(),
            'events dropped': self._lifecycle.dropped,
        }

    def serve(self, tasks: Iterable[catalogue.Entry]) -> None:
        """Serve these tasks as well; engines are told if it runs.

        :raises NotFound, Duplicate: as the constructor does
        """
        more = registry.tasks_from(tasks)
        if self._catalogue.add(more) and self._control is not None:
            self._control.offer(
                self._catalogue.versions,
                [registry.path_of(each.cls) for each in more],
            )

    def run(self) -> None:
        """Serve until ``stop()``; blocks.

        :raises ConfigurationError: the broker was not there within
            ``[worker] startup_timeout``
        """
        self.start()
        self.wait()
        if self.fenced:
            self.stop(graceful=False)

    def start(self) -> None:
        """Begin to serve; returns once the broker can reach it.

        :raises ConfigurationError: see :meth:`run`
        """
        if self._control is not None:
            raise exceptions.InvalidState('A worker is started only once')
        registry.run_setup(self._conf)
        self._identity = identity = self._take_name()
        self._control = control.Control(
            self._conf,
            messages.Peer(identity.name, identity.incarnation),
            self._public(),
            functools.partial(self._make_runner, identity),
            {
                past.incarnation: past.end is identity_mod.End.CLEAN
                for past in identity.predecessors[-_MOST_PREDECESSORS:]
            },
            None
            if self.reachable_inside
            else spool.Spool(self._conf, identity.name),
            self._url,
            self._clock,
            self._ended,
        )
        if self._tells_health:
            self._pulse = health.Pulse(self._conf, identity, self._clock)
            self._control.on_proof = self._pulse.beat
        identity.clean = False
        try:
            self._control.runner.open()
            self._control.open()
            self._reach_broker(self._control)
        except BaseException:
            self._close(self._control)
            raise
        _serving.add(self)
        self._serves.set()
        LOG.info(
            'Worker %s (%s) serves %d tasks in %d slots on topics %s over %s',
            identity.name,
            identity.incarnation,
            len(self._catalogue.versions),
            self._conf.worker.slots,
            ', '.join(self._topics),
            self._control.endpoint.transport.url,
        )
        self._lifecycle.started(identity)

    def _public(self) -> messages.Public:
        return messages.Public(
            tasks=self._catalogue.versions,
            topics=self._topics,
            slots=self._conf.worker.slots,
            lowest=messages.LOWEST,
            highest=messages.VERSION,
        )

    def stop(
        self, graceful: bool = True, timeout: float | None = None
    ) -> None:
        """Drain and end: takes nothing more, lets what runs end.

        What has not ended after ``timeout`` seconds (default: ``[worker]
        graceful_shutdown_timeout``; at once if not ``graceful``) is
        cancelled. Blocks until it is done.
        """
        with self._stop_lock:
            if self._stopped.is_set() or self._control is None:
                self._stopped.set()
                self._ended.set()
                return
            if timeout is None:
                timeout = self._conf.worker.graceful_shutdown_timeout
            self._drain(self._control, timeout if graceful else 0.0)
            if graceful:
                # What was cancelled is told too: who waits for it need not
                # wait for the next process of this name.
                self._wait_for(self._control, self._control.let_go, _MOMENT)
            self._close(self._control)

    def wait_until_serving(self, timeout: float | None = None) -> bool:
        """Wait until engines can reach it; False if they cannot by then."""
        return self._serves.wait(timeout)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has stopped, or gave up; False if not by then."""
        return self._ended.wait(timeout)

    def _take_name(self) -> identity_mod.Identity:
        # Always a name of its own, beside the one that the process may have
        # as an engine: each worker is an incarnation, and a program may run
        # several, at once or one after the other.
        host = self._host or self._conf.worker.name or socket.gethostname()
        directory = identity_mod.state_path(self._conf) / 'names'
        return identity_mod.take(directory, host)

    def _make_runner(
        self,
        identity: identity_mod.Identity,
        owner: control.Control,
    ) -> runner.Runner:
        conf = self._conf
        caller = body.Body(self._catalogue, codec.Codec(conf))
        timing = (conf.worker.cancel_grace, self._clock)
        if conf.worker.executor == 'threads':
            return runner.ThreadRunner(caller, owner, owner.do, *timing)
        # Its threads must go on reading what their processes say.
        return processes.ProcessRunner(
            caller,
            owner,
            owner.post,
            *timing,
            conf=conf,
            served=lambda: self._catalogue.types,
            slots=conf.worker.slots,
            duplicate=identity.duplicate,
        )

    def _reach_broker(self, running: control.Control) -> None:
        limit = self._conf.worker.startup_timeout
        deadline = time.monotonic() + limit
        url = running.endpoint.transport.url
        while not running.endpoint.wait(
            max(0.0, min(_SAY_EVERY, deadline - time.monotonic()))
        ):
            reason = running.endpoint.trouble or 'no answer'
            left = deadline - time.monotonic()
            if left <= 0:
                raise exceptions.ConfigurationError(
                    f'transport_url: no message broker at {url} within '
                    f'[worker] startup_timeout ({limit:g} s): {reason}',
                    option='transport_url',
                )
            LOG.warning(
                'No message broker at %s yet, trying for %d s more: %s',
                url,
                left,
                reason,
            )

    def _drain(self, running: control.Control, grace: float) -> None:
        running.drain()
        if self._wait_for(running, running.let_go, grace):
            return
        running.cancel_all('the worker stops')
        # A task process that is killed takes a moment to be gone.
        self._wait_for(
            running, running.quiet, self._conf.worker.cancel_grace + _MOMENT
        )

    def _wait_for(
        self, running: control.Control, event: threading.Event, limit: float
    ) -> bool:
        """Wait, and say meanwhile which requests it is that take so long."""
        deadline = time.monotonic() + limit
        while True:
            left = deadline - time.monotonic()
            if event.wait(max(0.0, min(_SAY_EVERY, left))):
                return True
            if left <= 0:
                return False
            self._say_what_is_waited_for(running)

    def _say_what_is_waited_for(self, running: control.Control) -> None:
        now = self._clock.now()
        for request, started in running.runner.running():
            with running.runner.about(request):
                LOG.info(
                    'Waiting for task %s of flow %s, request %s, for %d s',
                    request.atom,
                    request.flow_uuid,
                    request.request_uuid,
                    now - started,
                )
        for engine, count in running.unrecorded.items():
            LOG.info(
                'Waiting for engine %s to record %d outcomes', engine, count
            )

    def _close(self, running: control.Control) -> None:
        running.keep()
        clean = running.drained.is_set() or (
            running.quiet.is_set() and running.spooled.wait(_MOMENT)
        )
        running.runner.close()
        running.close()
        if self._pulse is not None:
            self._pulse.close()
        identity = self._identity
        if identity is not None:
            identity.clean = clean and not self.fenced
            identity.close()
        _serving.discard(self)
        self._lifecycle.ended(self.fenced)
        self._stopped.set()
        self._ended.set()
        LOG.info('Worker %s has stopped', self.name)


def serving(namespace: str) -> bool:
    """Whether a worker of this process can be reached inside it."""
    return any(
        worker.reachable_inside and worker.namespace == namespace
        for worker in list(_serving)
    )
