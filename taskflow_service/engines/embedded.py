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


"""A worker inside the engine's own process.

With a transport that reaches no further than this process somebody in it has
to be the worker. So the same program runs in one process or in many, as its
configuration file says.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterable
import threading

from oslo_config import cfg
from oslo_log import log as logging

from taskflow_service import task as task_mod
from taskflow_service import worker as worker_mod
from taskflow_service.messaging import transport

LOG = logging.getLogger(__name__)

_lock = threading.Lock()
_workers: dict[tuple[int, str | None], worker_mod.Worker] = {}


def ensure(
    conf: cfg.ConfigOpts,
    url: str | None = None,
    tasks: Iterable[type[task_mod.Task]] = (),
) -> worker_mod.Worker | None:
    """See to it that a transport inside this process has a worker.

    The first call starts one, which serves ``[worker] tasks`` and the
    classes given, as long as the process lives; later calls add classes.
    Returns None where the transport reaches other processes, or where the
    program has started a worker of its own for it. Thread-safe.

    :raises ConfigurationError: as ``worker.Worker`` does
    """
    if not transport.shared(conf, url).in_memory:
        return None
    given = list(dict.fromkeys(tasks))
    with _lock:
        found = _workers.get((id(conf), url))
        if found is not None:
            found.serve(given)
            return found
        if worker_mod.serving(conf.remote.namespace):
            return None
        made = worker_mod.Worker(conf, [*conf.worker.tasks, *given], url=url)
        made.start()
        _workers[(id(conf), url)] = made
    LOG.info(
        'The transport %s reaches no other process: a worker, %s, runs the '
        'tasks in this one',
        transport.shared(conf, url).url,
        made.name,
    )
    return made


def forget(conf: cfg.ConfigOpts) -> None:
    """Stop the worker of a configuration; takes a second."""
    with _lock:
        mine = [key for key in _workers if key[0] == id(conf)]
        workers = [_workers.pop(key) for key in mine]
    for worker in workers:
        worker.stop(graceful=False)


def _stop_all() -> None:
    with _lock:
        workers = list(_workers.values())
        _workers.clear()
    for worker in workers:
        worker.stop(graceful=False)


atexit.register(_stop_all)
