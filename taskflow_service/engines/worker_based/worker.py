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


"""TaskFlow's path to a worker, and its way to make one."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
import logging
import typing

from taskflow_service import worker as worker_mod
from taskflow_service.messaging import defaults
from taskflow_service.messaging import transport as transport_mod
from taskflow_service.worker import catalogue

LOG = logging.getLogger(__name__)


class Worker:
    """A worker with TaskFlow's arguments instead of a configuration.

    :param exchange: the ``[remote] namespace`` in which it can be reached
    :param topic: the label that it announces
    :param tasks: classes, modules, their paths, or names
    :param threads_count: how many tasks run at the same time
    :param url: of the message broker
    :param transport: ``'memory'``: inside this process

    ``executor``, ``transport_options`` and ``retry_options`` have no
    counterpart and are not looked at.
    """

    def __init__(
        self,
        exchange: str,
        topic: str,
        tasks: Iterable[catalogue.Entry],
        executor: typing.Any = None,
        threads_count: int | None = None,
        url: str | None = None,
        transport: str | None = None,
        transport_options: typing.Any = None,
        retry_options: typing.Any = None,
    ) -> None:
        conf = defaults.make_conf(exchange)
        if threads_count is not None:
            conf.set_override('slots', threads_count, 'worker')
        self._topic = topic
        self._worker = worker_mod.Worker(
            conf,
            tasks=list(tasks),
            topics=[topic],
            url=transport_mod.url_from(transport, url),
        )

    @property
    def banner(self) -> str:
        """What it is, in a few lines."""
        return (
            f'Worker {self._worker.name or "(not started)"}\n'
            f'Topic: {self._topic}\n'
            f'Name space: {self._worker.namespace}'
        )

    def run(
        self,
        display_banner: bool = True,
        banner_writer: Callable[[str], object] | None = None,
    ) -> None:
        """Serve until ``stop()``; blocks."""
        if display_banner:
            for line in self.banner.splitlines():
                (banner_writer or LOG.info)(line)
        self._worker.run()

    def wait(self) -> None:
        """Block until it serves."""
        self._worker.wait_until_serving()

    def stop(self) -> None:
        """Let what runs end, and stop."""
        self._worker.stop()
