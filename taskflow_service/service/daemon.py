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

"""The daemon: some processes, each with a worker in it."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import logging
import os
import threading
import typing

from cotyledon import types
from oslo_config import cfg

from taskflow_service import identity
from taskflow_service.service import processes
from taskflow_service.service import report

LOG = logging.getLogger(__name__)

#: Seconds beyond the grace times in which a worker must have closed down.
CLOSING_TIME = 30.0

#: Seconds between two log lines that say what was done.
SUMMARY_INTERVAL = 60.0


class Worker(typing.Protocol):
    """What the daemon needs of a worker."""

    def start(self) -> None:
        """Begin to serve, or raise; blocks until the broker is reached."""

    def stop(self, graceful: bool = True) -> None:
        """Drain (or cancel what runs) and end; blocks."""

    def wait(self, timeout: float | None = None) -> bool:
        """Block until it was stopped or gave up by itself, or the timeout."""

    def counts(self) -> Mapping[str, int]:
        """Count what was done so far, and ``running``."""

    def running(self) -> Sequence[tuple[report.Request, float]]:
        """List what runs, each with its start in seconds of the epoch."""


MakeWorker = Callable[[cfg.ConfigOpts], Worker]
Reload = Callable[[cfg.ConfigOpts], None]


def serve(
    conf: cfg.ConfigOpts,
    make_worker: MakeWorker,
    reload: Reload,
    version: typing.Any,
) -> tuple[int, str | None]:
    """Run ``[worker] processes`` workers until a signal ends them; blocks.

    ``make_worker`` is called in each process after the fork; ``reload`` in
    the master and in each process on SIGHUP; ``version`` is pbr's, for
    reports. Returns the exit code, and why no worker could start if that is
    so.
    """
    manager = processes.Manager()
    manager.register_hooks(on_reload=lambda: _reload(conf, reload))
    LOG.info(
        'Process %d starts %d worker processes',
        os.getpid(),
        conf.worker.processes,
    )
    return manager.serve(
        WorkerProcess,
        conf.worker.processes,
        (conf, make_worker, reload, version),
        patience=lambda: (
            conf.worker.graceful_shutdown_timeout
            + conf.worker.cancel_grace
            + CLOSING_TIME
        ),
    )


class WorkerProcess(processes.Child):
    """The worker of one process."""

    name = 'taskflow-worker'

    def __init__(
        self,
        worker_id: types.WorkerId,
        channel: processes.Channel,
        conf: cfg.ConfigOpts,
        make_worker: MakeWorker,
        reload: Reload,
        version: typing.Any,
    ) -> None:
        super().__init__(worker_id, channel)
        self._conf = conf
        self._make_worker = make_worker
        self._reload = reload
        self._worker: Worker | None = None
        self._ending = threading.Event()
        report.set_up(conf, version, self._running)

    def run(self) -> None:
        """Serve; the process exits with 1 if the worker ends by itself."""
        try:
            self._worker = self._make_worker(self._conf)
            self._worker.start()
        except Exception as exc:
            # Whatever it is, the operator gets it from the master.
            LOG.debug('Could not start', exc_info=True)
            self.failed(str(exc) or type(exc).__name__)
            return
        self.ready()
        counts = self._worker.counts()
        while not self._worker.wait(SUMMARY_INTERVAL):
            before, counts = counts, self._worker.counts()
            done = report.summary(before, counts)
            if done is not None:
                LOG.info('In the last minute: %s', done)
        if not self._ending.is_set():
            # It gave up; the next one starts from nothing.
            LOG.error('Process %d gives up its worker', os.getpid())
            self._worker.stop(graceful=False)
            identity.close_all()
            raise SystemExit(1)

    def terminate(self) -> None:
        """Drain; the process exits with 0 when this returns."""
        self._ending.set()
        if self._worker is not None:
            self._worker.stop()
        # The process ends without its exit handlers.
        identity.close_all()

    def reload(self) -> None:
        """Take over what may change while tasks run; none is disturbed."""
        _reload(self._conf, self._reload)

    def _running(self) -> Sequence[tuple[report.Request, float]]:
        return [] if self._worker is None else self._worker.running()


def _reload(conf: cfg.ConfigOpts, reload: Reload) -> None:
    try:
        reload(conf)
    except Exception as exc:
        # An error in a file must not cost the tasks that run.
        LOG.error('Configuration is kept as it was: %s', exc)
    else:
        LOG.info('Process %d has read its configuration again', os.getpid())
