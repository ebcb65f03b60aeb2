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

"""A worker with TaskFlow's arguments, on oslo.messaging."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
import logging
import os
import platform
import threading
import typing

from oslo_config import cfg

from taskflow_service import worker as worker_mod
import taskflow_service.conf
from taskflow_service.messaging import transport as transport_mod
from taskflow_service.utils import banner

LOG = logging.getLogger(__name__)


class Worker:
    """Runs tasks that engines with the same exchange and topic send.

    :param exchange: what engines name, too; it is ``[remote] namespace``
    :param topic: by which engines reach it
    :param tasks: classes, modules, or their names (``'module:Class'``)
    :param threads_count: how many tasks it runs at once
    :param url: of the broker, as oslo.messaging writes it
    :param transport: ``'memory'`` for this process alone
    :param executor, transport_options, retry_options: have no meaning here
    """

    def __init__(
        self,
        exchange: str,
        topic: str,
        tasks: Iterable[typing.Any],
        executor: typing.Any = None,
        threads_count: int | None = None,
        url: str | None = None,
        transport: str | None = None,
        transport_options: Mapping[str, typing.Any] | None = None,
        retry_options: Mapping[str, typing.Any] | None = None,
    ) -> None:
        for name, value in (
            ('executor', executor),
            ('transport_options', transport_options),
            ('retry_options', retry_options),
        ):
            if value is not None:
                LOG.warning('A worker has no use for its argument %r', name)
        self._exchange = exchange
        self._topic = topic
        self._tasks = list(tasks)
        conf = cfg.ConfigOpts()
        taskflow_service.conf.register_opts(conf)
        transport_mod.register_opts(conf)
        conf([], project='taskflow_service', default_config_files=[])
        conf.set_override('namespace', exchange, 'remote')
        conf.set_override('executor', 'threads', 'worker')
        if threads_count is not None:
            conf.set_override('slots', threads_count, 'worker')
        self._threads = conf.worker.slots
        self._worker = worker_mod.Worker(
            conf,
            self._tasks,
            topics=[topic],
            url=transport_mod.url_from(transport, url),
        )
        self._serves = threading.Event()

    @property
    def banner(self) -> str:
        """What it says of itself when it starts."""
        return banner.make_banner(
            'Worker',
            {
                'Connection details': {
                    'Exchange': self._exchange,
                    'Topic': self._topic,
                },
                'Powered by': {'Threads': self._threads},
                'Supported endpoints': [str(task) for task in self._tasks],
                'System details': {
                    'Hostname': platform.node(),
                    'Pid': os.getpid(),
                    'Python': platform.python_version(),
                    'Platform': platform.platform(),
                },
            },
        )

    def run(
        self,
        display_banner: bool = True,
        banner_writer: Callable[[str], object] | None = None,
    ) -> None:
        """Serve until ``stop()``; blocks.

        Raises ``ConfigurationError`` if there is no broker.
        """
        if display_banner:
            for line in self.banner.splitlines():
                if banner_writer is None:
                    LOG.info('%s', line)
                else:
                    banner_writer(line)
        self._worker.start()
        self._serves.set()
        self._worker.wait()

    def wait(self) -> None:
        """Block until it serves."""
        self._serves.wait()

    def stop(self) -> None:
        """Let what runs end, and end ``run()``; blocks."""
        self._worker.stop()
        self._serves.clear()
